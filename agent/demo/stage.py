"""What happens to the daemon during a demo, and what it says of itself."""

import asyncio
from pathlib import Path

from agent.client import Client
from agent.clock import Clock
from agent.demo.account import Life, Told
from agent.demo.children import Daemon
from agent.demo.cloud import Cloud
from agent.demo.screen import Screen
from agent.errors import UnavailableError
from agent.plan import Json

START_S = 30.0  # a first start compiles the configuration; slow boards take their time
DRAIN_S = 120.0
LOOK_S = 1.0
TRY_S = 0.1


class Stage:
    """One daemon, its cloud, and the screen in front of them.

    Attributes:
        lives: when the daemon ran, so far.
    """

    def __init__(self, daemon: Daemon, cloud: Cloud, screen: Screen, clock: Clock) -> None:
        self.lives: list[Life] = []
        self._daemon = daemon
        self._cloud = cloud
        self._screen = screen
        self._clock = clock
        self._began_s = clock.monotonic_s()
        self._alive_since_s = 0.0
        self._restarting = False
        self._client = Client(Path())
        self._address = ""

    async def open(self, socket: Path, port: int) -> None:
        """Start the daemon, and make a token for the page.

        Raises:
            UnavailableError: it ended, or does not answer in time.
        """
        self._client = Client(socket)
        await self._start()
        made = await self._client.call("token.add", {"name": "demo", "role": "operator"})
        self._address = f"http://127.0.0.1:{port}/#token={made['token']}"

    async def watch(self) -> None:
        """Keep the screen current.

        Raises:
            UnavailableError: the daemon ended by itself.
        """
        while True:
            snapshot = await self._snapshot()
            if snapshot is None and not self._restarting:
                self._check()
            self._screen.show(self._elapsed_s, self._address, snapshot)
            await asyncio.sleep(LOOK_S)

    async def cut_cloud(self, begin_s: float, for_s: float) -> None:
        """Take the cloud away for a while."""
        await asyncio.sleep(begin_s)
        await self._cloud.away()
        self._screen.note(f"{self._elapsed_s:.0f} s: the cloud is gone for {for_s:g} s.")
        await asyncio.sleep(for_s)
        await self._cloud.back()
        self._screen.note(f"{self._elapsed_s:.0f} s: the cloud is back.")

    async def kill(self, at_s: float) -> None:
        """End the daemon without warning, and start it again."""
        await asyncio.sleep(at_s)
        self._restarting = True
        killed_s = self._wall_s
        await self._daemon.kill()
        self.lives.append(Life(self._alive_since_s, killed_s, killed=True))
        self._screen.note(f"{self._elapsed_s:.0f} s: the daemon was killed (SIGKILL).")
        await self._start()
        self._restarting = False
        self._screen.note(f"{self._elapsed_s:.0f} s: the daemon runs again.")

    async def mend(self) -> None:
        """Undo what trouble left behind: the cloud is there, and the daemon runs."""
        await self._cloud.back()
        if self._restarting and self._daemon.ended is not None:
            await self._start()
        self._restarting = False

    def ends(self) -> None:
        """From here on the instruments are quiet."""
        self.lives.append(Life(self._alive_since_s, self._wall_s))

    async def drain(self) -> Told:
        """Wait until nothing waits any more; what the daemon says then.

        Raises:
            UnavailableError: the daemon ended, or does not answer.
        """
        self._screen.note("The instruments are quiet; waiting until the cloud has everything.")
        told = Told(0, waiting=1)
        try:
            async with asyncio.timeout(DRAIN_S):
                while told.waiting:
                    await asyncio.sleep(TRY_S)
                    told = _told(await self._client.call("snapshot"))
        except TimeoutError:
            self._screen.note(f"Gave up waiting after {DRAIN_S:.0f} s.")
        return told

    async def _start(self) -> None:
        await self._daemon.start()
        self._alive_since_s = self._wall_s
        try:
            async with asyncio.timeout(START_S):
                while not await self._snapshot():
                    self._check()
                    await asyncio.sleep(TRY_S)
        except TimeoutError as error:
            message = f"the daemon does not answer\n{self._daemon.last_words()}"
            raise UnavailableError(message) from error

    async def _snapshot(self) -> Json | None:
        try:
            return await self._client.call("snapshot")
        except UnavailableError:
            return None

    def _check(self) -> None:
        if self._daemon.ended is not None:
            message = f"the daemon ended with {self._daemon.ended}\n{self._daemon.last_words()}"
            raise UnavailableError(message)

    @property
    def _wall_s(self) -> float:
        return self._clock.now().wall_ns / 1e9

    @property
    def _elapsed_s(self) -> float:
        return self._clock.monotonic_s() - self._began_s


def _told(snapshot: Json) -> Told:
    status = snapshot["status"]
    store, clouds = status["store"], status["destinations"].values()
    waiting = sum(d["waiting_readings"] for d in clouds)
    return Told(store["accepted_readings_total"], waiting)
