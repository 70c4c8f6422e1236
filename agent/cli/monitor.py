"""`fieldpost monitor`: what passes on a connection, in words, as it happens; and its recording."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TypedDict, Unpack

import click
import orjson

from agent.cli.direct import Nowhere
from agent.cli.duration import Duration
from agent.cli.session import Session
from agent.cli.verb import verb
from agent.cli.wire import Wire, wire
from agent.cli.words import amount
from agent.client import Client, socket_path
from agent.daemon.parts import driver_of
from agent.driver import Driver, DriverError, Listens, Monitors, Traffic
from agent.errors import BusyError, NoAnswerError, NotFoundError, UnavailableError
from agent.plan import Device, Json

SCHEMA = "fieldpost.monitor/1"
INDENT = " " * 14
EXAMPLE = """\
fieldpost monitor rs485
fieldpost monitor rs485 --raw --for 1min
fieldpost monitor rs485 --record line.jsonl"""

Show = Callable[[Json], None]


class Options(TypedDict):
    """What `monitor` takes."""

    where: str
    raw: bool
    ask: bool
    count: int | None
    for_s: float | None
    record: Path | None


@verb("monitor", example=EXAMPLE)
@click.argument("where", metavar="CONNECTION")
@click.option("--raw", is_flag=True, help="Show the frames, too.")
@click.option("--ask", is_flag=True, help="Without the daemon: read the devices as it would.")
@click.option("--count", type=click.IntRange(min=1), help="So many exchanges.")
@click.option("--for", "for_s", type=Duration(), help="For so long.")
@click.option("--record", type=click.Path(path_type=Path), help="Keep the frames in a file.")
def monitor(session: Session, **options: Unpack[Options]) -> int:
    """Show what is said on a connection; the daemon goes on as before."""
    there = wire(session, options["where"])
    with _kept(options["record"], there.devices) as keep:
        shows = [_shows(session, raw=options["raw"]), keep]
        watch = _Watch(session, there, shows, options["count"])
        try:
            with suppress(KeyboardInterrupt):  # the usual way to end it
                asyncio.run(watch.run(options["for_s"], ask=options["ask"]))
        finally:
            if options["record"]:
                session.remark(f"{amount(watch.seen, 'exchange')} in {options['record']}")
    return 0


class _Watch:
    """One look at a connection.

    Attributes:
        seen: exchanges so far.
    """

    def __init__(self, session: Session, there: Wire, shows: list[Show], count: int | None) -> None:
        self._session, self._connection = session, there.connection
        self._shows, self._count = shows, count
        self.seen = 0

    async def run(self, for_s: float | None, *, ask: bool) -> None:
        """Until enough has been seen, or for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                await self._somehow(ask=ask)

    async def _somehow(self, *, ask: bool) -> None:
        try:
            await self._through_daemon()
        except (UnavailableError, NotFoundError) as error:
            if self.seen:
                raise
            absent = isinstance(error, UnavailableError)
            why = "is not running" if absent else f"does not use {self._connection.name}"
            await self._directly(f"The daemon {why}", ask=ask)

    async def _through_daemon(self) -> None:
        client = Client(socket_path(self._session.socket, self._session.state))
        async with aclosing(
            client.stream("monitor", {"connection": self._connection.name})
        ) as all_:
            async for one in all_:
                if self._enough(one):
                    return

    async def _directly(self, why: str, *, ask: bool) -> None:
        """The port is opened here: to listen, or to ask as the daemon does."""
        place, name = self._connection.place, self._connection.name
        driver = driver_of(self._connection, self._session.config_path.absolute().parent)
        if isinstance(driver, Listens) and not ask and place.startswith("/"):
            self._session.remark(f"{why}: listening at {place}.")
            self._session.remark("Nothing is said; --ask reads the devices as the daemon would.")
            await self._each(driver.listen())
        elif isinstance(driver, Monitors):
            self._session.remark(f"{why}: reading at {place} directly.")
            await self._reading(driver, driver.traffic())
        else:
            message = f"{name} cannot tell what passes on it."
            raise NoAnswerError(message)

    async def _reading(self, driver: Driver, traffic: AsyncIterator[Traffic]) -> None:
        failures: list[DriverError] = []

        async def run() -> None:
            try:
                await driver.run(Nowhere())
            except DriverError as error:
                failures.append(error)

        async with asyncio.TaskGroup() as group:
            running = group.create_task(run(), name=self._connection.name)
            await self._each(traffic)
            running.cancel()
        if failures:
            raise failures[0]

    async def _each(self, traffic: AsyncIterator[Traffic]) -> None:
        async for one in traffic:
            if self._enough(one.told()):
                return

    def _enough(self, one: Json) -> bool:
        """Show one more; whether it was the last."""
        for show in self._shows:
            show(one)
        self.seen += 1
        return self.seen == self._count


def _shows(session: Session, *, raw: bool) -> Show:
    def document(one: Json) -> None:
        session.document("monitor", one, line=True)

    def lines(one: Json) -> None:
        for line in _lines(one, raw=raw):
            session.write(line)

    return document if session.json else lines


def _lines(one: Json, *, raw: bool) -> Iterator[str]:
    """How one exchange is shown."""
    clock = datetime.fromisoformat(one["time"]).astimezone().strftime("%H:%M:%S.%f")[:-3]
    took = f"   {one['ms']:.0f} ms" if one["ms"] is not None else ""
    head = "  ".join(filter(None, (clock, one["device"], one["request"])))
    yield f"{head}{took}"
    if said := one["fault"] or one["means"]:
        yield f"{INDENT}{said}"
    if raw:
        yield f"   -> {one['asked'] or 'nothing'}      <- {one['said'] or 'nothing'}"


@contextmanager
def _kept(path: Path | None, devices: Sequence[Device]) -> Iterator[Show]:
    """A file with one exchange in each line, and what the device is; nothing is overwritten."""
    if path is None:
        yield lambda _: None
        return
    try:
        file = path.open("xb")
    except FileExistsError as error:
        message = f"{path} is there already"
        raise BusyError(message, action="Take another name") from error
    with file:
        known = {d.name: {"profile": d.profile, "address": d.address} for d in devices}
        yield lambda one: _written(file.write, one | known.get(one["device"], {}))


def _written(write: Callable[[bytes], object], one: Json) -> None:
    write(orjson.dumps({"schema": SCHEMA, **one}) + b"\n")
