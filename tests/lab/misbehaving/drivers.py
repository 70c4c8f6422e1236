"""A third party's driver with a bug of every kind; `does:` of the connection says which."""

import asyncio
import ctypes
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NoReturn

from agent.driver import Driver, Reading, Sample, Sink
from agent.plan import Json
from agent.secret import Secret

HOUR_S = 3600
SPEAKS_S = 0.2


def open_driver(spec: Json, secrets: Mapping[str, Secret]) -> Driver:
    """One that does what its connection says."""
    del secrets
    if spec["does"] == "fails-to-open":
        message = "no such thing"
        raise KeyError(message)
    return Misbehaving(spec)


class Misbehaving:
    """Says one thing, then does it."""

    def __init__(self, spec: Json) -> None:
        self._device = spec["device"]
        self._does = DOES[spec["does"]]

    async def run(self, sink: Sink) -> None:
        await sink.put(Sample(self._device, sink.now(), {"level": 1.0}))
        await asyncio.sleep(SPEAKS_S)
        await self._does()

    async def read(self, device: str, point: str | None) -> Sequence[Reading]:
        del device, point
        message = "nobody foresaw this"
        raise RuntimeError(message)


async def fails() -> None:
    raise ZeroDivisionError


async def ends() -> None:
    """As if there were nothing more to do."""


async def exits() -> NoReturn:
    sys.exit("a library is missing")


async def cancels_itself() -> None:
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    lost.cancel()
    await lost


async def never_answers() -> None:
    await asyncio.Event().wait()


async def leaves_a_thread() -> None:
    """Blocked for ever in a system call, beside the loop."""
    await asyncio.get_running_loop().run_in_executor(None, ctypes.CDLL(None).sleep, HOUR_S)


async def holds_the_loop() -> None:
    ctypes.CDLL(None).sleep(HOUR_S)


async def holds_the_lock() -> None:
    """Nothing of Python runs any more."""
    ctypes.PyDLL(None).sleep(HOUR_S)


async def stays() -> None:
    """Does not care that it is to end."""
    while True:
        try:
            await asyncio.sleep(HOUR_S)
        except asyncio.CancelledError:
            continue


DOES: dict[str, Callable[[], Awaitable[None]]] = {
    "fails": fails,
    "ends": ends,
    "exits": exits,
    "cancels-itself": cancels_itself,
    "never-answers": never_answers,
    "leaves-a-thread": leaves_a_thread,
    "holds-the-loop": holds_the_loop,
    "holds-the-lock": holds_the_lock,
    "stays": stays,
}
