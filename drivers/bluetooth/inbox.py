"""Between the radio and the driver: repetitions dropped, floods bounded. No I/O, no clock.

Anybody can send advertisements, a thousand a second, in anybody's name.
"""

import asyncio
from collections import deque
from typing import Final

from drivers.bluetooth.shapes import ServiceInfo

BURST: Final = 10  # advertisements of one sensor at once: BTHome splits a reading over a few
PER_S: Final = 5.0  # on the average; sensors send one a second or fewer
LONGEST: Final = 64  # waiting for one slow moment of the buffer; then the oldest give way


class _Sender:
    """What is remembered of one sensor."""

    def __init__(self, time_s: float) -> None:
        self.last: ServiceInfo | None = None
        self.allowance = float(BURST)
        self.seen_s = time_s

    def allows(self, time_s: float) -> bool:
        """A token bucket."""
        self.allowance = min(BURST, self.allowance + (time_s - self.seen_s) * PER_S)
        self.seen_s = time_s
        if self.allowance < 1:
            return False
        self.allowance -= 1
        return True


class Inbox:
    """Advertisements of the sensors in the plan, waiting to be decoded.

    Args:
        repeat_s: an unchanged advertisement counts again after so many seconds.
    """

    def __init__(self, repeat_s: float) -> None:
        self._repeat_s = repeat_s
        self._senders: dict[str, _Sender] = {}
        self._waiting: deque[ServiceInfo] = deque(maxlen=LONGEST)
        self._arrived = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many have not been taken yet."""
        return len(self._waiting)

    def offer(self, info: ServiceInfo) -> bool:
        """Keep an advertisement, unless it repeats the one before or there are too many."""
        sender = self._senders.setdefault(info.address, _Sender(info.time))
        last = sender.last
        if last and last.content == info.content and info.time - last.time < self._repeat_s:
            return False
        if not sender.allows(info.time):
            return False
        sender.last = info
        self._waiting.append(info)
        self._arrived.set()
        return True

    async def take(self) -> ServiceInfo:
        """The oldest that is waiting."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()
