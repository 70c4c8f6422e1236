"""Asks whether the clock is synchronised where timesyncd leaves no mark: chrony, ntpd, a GPS clock.

The kernel knows, but the unit's `ProtectClock=` filters that question too; systemd's timedated may
ask for us (org.freedesktop.timedate1, NTPSynchronized).
"""

import asyncio
from collections.abc import Sequence

from agent.clock import SystemClock, vouched

ASK = ("timedatectl", "show", "--property=NTPSynchronized", "--value")
EVERY_S = 60.0  # a child process a minute, and none where timesyncd or nobody keeps the time
ANSWER_S = 10.0  # timedated is started by the question


class Timekeeper:
    """Tells the clock what timedated says.

    Args:
        clock: told by `synchronized`.
        ask: a program that prints `yes` when the clock is synchronised.
    """

    def __init__(self, clock: SystemClock, ask: Sequence[str] = ASK) -> None:
        self._clock = clock
        self._ask = ask

    async def run(self) -> None:
        """Ask until cancelled, as long as nobody else vouches for the clock."""
        while True:
            if not vouched():
                self._clock.synchronized = await self.answer()
            await asyncio.sleep(EVERY_S)

    async def answer(self) -> bool:
        """What timedated says now; a no when it cannot be asked."""
        try:
            child = await asyncio.create_subprocess_exec(
                *self._ask, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
        except OSError:
            return False
        try:
            async with asyncio.timeout(ANSWER_S):
                out, _ = await child.communicate()
        except TimeoutError:
            return False
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return out.strip() == b"yes"
