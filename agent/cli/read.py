"""`fieldpost read`: values of a device now, through the daemon or, while none runs, directly."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypedDict, Unpack

import click

from agent.cli import failure, readings
from agent.cli.duration import Duration
from agent.cli.rounds import Rounds, repeat
from agent.cli.session import Session
from agent.cli.verb import verb
from agent.client import Client, socket_path
from agent.errors import FieldpostError, UnavailableError
from agent.plan import Json

EVERY_S = 1.0  # when only an end is given
EXAMPLE = """\
fieldpost read oven-meter
fieldpost read oven-meter.power --raw
fieldpost read oven-meter.power --every 1s --for 1min --json"""

Ask = Callable[[], Awaitable[Sequence[Json]]]
Show = Callable[[Sequence[Json]], None]


class Options(TypedDict):
    """What `read` takes."""

    target: str
    raw: bool
    every: float | None
    count: int | None
    for_s: float | None


@verb("read", example=EXAMPLE)
@click.argument("target", metavar="DEVICE[.POINT]")
@click.option("--raw", is_flag=True, help="Show where each value stands, and the frames.")
@click.option("--every", type=Duration(), help="Again and again, so far apart.")
@click.option("--count", type=click.IntRange(min=1), help="So many times.")
@click.option("--for", "for_s", type=Duration(), help="For so long.")
def read(session: Session, **options: Unpack[Options]) -> int:
    """Read a device, or one of its points, now."""
    name, _, point = options["target"].partition(".")
    until = options["count"] or options["for_s"]
    rounds = Rounds(
        options["every"] or (EVERY_S if until else None), options["count"], options["for_s"]
    )
    source = _Source(session, name, point or None, rounds)
    try:
        error = asyncio.run(source.read(_shows(session, name, raw=options["raw"])))
    except KeyboardInterrupt:
        return 0  # the usual way to end it
    if error is not None and rounds.every_s is None:
        raise error
    return failure.exit_code(error) if error else 0


class _Source:
    """Where the readings come from."""

    def __init__(self, session: Session, name: str, point: str | None, rounds: Rounds) -> None:
        self._session = session
        self._name = name
        self._point = point
        self._rounds = rounds

    async def read(self, show: Show) -> FieldpostError | None:
        error = await self._through_daemon(show)
        return await self._directly(show) if isinstance(error, UnavailableError) else error

    async def _through_daemon(self, show: Show) -> FieldpostError | None:
        client = Client(socket_path(self._session.socket, self._session.state))
        asked = {"device": self._name} | ({"point": self._point} if self._point else {})

        async def step() -> None:
            show((await client.call("read", asked))["readings"])

        return await repeat(self._rounds, step, self._complain)

    async def _directly(self, show: Show) -> FieldpostError | None:
        # the compiler and the drivers load when there is no daemon that has them
        from agent.cli.direct import Direct  # noqa: PLC0415

        direct = Direct(self._session.config_path, self._name)
        self._session.remark(
            f"The daemon is not running: opening {direct.connection.place} directly."
        )

        async def step() -> None:
            show(await direct.read(self._point))

        async with asyncio.TaskGroup() as group:
            running = group.create_task(direct.run(), name=direct.connection.name)
            error = await repeat(self._rounds, step, self._complain)
            running.cancel()
        return error

    def _complain(self, error: FieldpostError) -> None:
        if self._rounds.every_s is not None:
            self._session.remark(error.message)


def _shows(session: Session, name: str, *, raw: bool) -> Show:
    def documents(found: Sequence[Json]) -> None:
        for reading in found:
            session.document("read", readings.document(name, reading, raw=raw), line=True)

    def lines(found: Sequence[Json]) -> None:
        for line in readings.screen(found, raw=raw):
            session.write(line)

    return documents if session.json else lines
