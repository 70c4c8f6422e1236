"""All instruments of the site on their wires, in one process, until told to be quiet."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.clock import Clock
from agent.demo.instruments import lines, meters, radio
from agent.demo.instruments.bus import Line, Unit, free_port, serve_line, serve_tcp
from agent.demo.instruments.meters import Image
from agent.demo.instruments.places import (
    INVERTER,
    MAIN_METER,
    OVEN_METER,
    STORE,
    WEATHER,
    Places,
)
from agent.demo.instruments.printer import Port
from agent.demo.instruments.produced import Produced
from agent.demo.instruments.site import Energy, Site, State

WEATHER_S = 1.0
STORE_S = 2.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What makes one demo's site.

    Attributes:
        folder: where the serial ports' names are made.
        key: bind key of the freezer's sensor, 16 bytes.
    """

    folder: Path
    seed: int
    key: bytes


class Bakery:
    """The site's instruments.

    Attributes:
        produced: what they said while somebody listened.
    """

    def __init__(self, wanted: Wanted, clock: Clock) -> None:
        self.produced = Produced()
        self._wanted = wanted
        self._clock = clock
        self._site = Site(wanted.seed)
        self._began_s = clock.monotonic_s()
        self._quiet = False
        self._units = [
            Unit(MAIN_METER, 1, 52, self._image(meters.sdm630), self._said),
            Unit(OVEN_METER, 2, 12, self._image(meters.sdm120), self._said),
            Unit(INVERTER, 1, 40084, self._image(meters.sunspec), self._said),
        ]

    def quiet(self) -> None:
        """Say nothing new from now on; a poll that has begun is answered to its end."""
        self._quiet = True
        for unit in self._units:
            unit.quiet = True

    async def run(self, opened: Callable[[Places], None]) -> None:
        """Stand there and talk until cancelled; `opened` is told once everything can be reached."""
        folder = self._wanted.folder
        line, mast, logger = Line(folder / "rs485"), Port(folder / "mast"), Port(folder / "logger")
        with line, mast, logger:
            async with radio.opened() as air, asyncio.TaskGroup() as group:
                port, started = free_port(), asyncio.Barrier(3)
                for name, work in {
                    "rs485": serve_line(self._units[:2], line, started),
                    "inverter": serve_tcp(self._units[2], port, started),
                    "mast": self._print(mast, WEATHER, WEATHER_S, self._weather),
                    "logger": self._print(logger, STORE, STORE_S, self._store),
                    "radio": radio.advertise(air, self._wanted.key, self._now, self._said),
                }.items():
                    group.create_task(work, name=name)
                await started.wait()
                places = (str(line.link), f"127.0.0.1:{port}", str(mast.link), str(logger.link))
                opened(Places(*places, bus=air.bus, note=air.note))

    def _now(self) -> State | None:
        """The site, or None once quiet."""
        return None if self._quiet else self._site.at(self._elapsed_s)

    def _image(self, shows: Callable[[State, Energy], Image]) -> Callable[[], Image]:
        def image() -> Image:
            elapsed_s = self._elapsed_s
            return shows(self._site.at(elapsed_s), self._site.energy(elapsed_s))

        return image

    @property
    def _elapsed_s(self) -> float:
        return self._clock.monotonic_s() - self._began_s

    def _said(self, device: str) -> None:
        self.produced.add(device, self._clock.now().wall_ns / 1e9)

    async def _print(
        self, port: Port, device: str, every_s: float, text: Callable[[State, int], str]
    ) -> None:
        number = 0
        while True:
            await asyncio.sleep(every_s)
            state = self._now()
            if state and port.print(text(state, number)):
                self._said(device)
                number += 1

    @staticmethod
    def _weather(state: State, _number: int) -> str:
        return lines.weather(state)

    @staticmethod
    def _store(state: State, number: int) -> str:
        return lines.store(state, number)
