"""`fieldpost scan modbus`: who is on a line, what it is, and how its block is written."""

import asyncio
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import TypedDict, Unpack

import click

from agent.cli import adding, resume, sightings, spans
from agent.cli.duration import Duration
from agent.cli.failure import INTERRUPTED
from agent.cli.progress import Pace, Progress
from agent.cli.resume import Stopped
from agent.cli.session import Session
from agent.cli.spans import LAST_ADDRESS
from agent.cli.trial import Trials
from agent.cli.verb import verb
from agent.cli.wire import Daemon, Wire, opened, wire
from agent.client.places import in_full
from agent.driver import Asker, Search, Sighting, Step
from agent.errors import BusyError, FieldpostError, NotFoundError, ValidationError

SERIAL_S, NETWORK_S = 0.15, 0.5
LATE = 2  # as long again goes by on a wire until a late answer is past
TALK_S = 0.03  # a question, and the silence around it
SWITCH_S = 0.13  # the port closed, set differently, and back
EVERYBODY = "1-247"
KEPT_EVERY = 20  # addresses; a scan of a whole line writes a small file 90 times
EXAMPLE = """\
fieldpost scan modbus rs485 --addresses 1-10
fieldpost scan modbus /dev/ttyUSB0 --lines "9600 8N1,19200 8E1"
fieldpost scan modbus 192.168.1.40 --json
fieldpost scan modbus rs485 --add oven-meter --address 2"""


class Options(TypedDict):
    """What `scan modbus` takes."""

    where: str | None
    addresses: str
    address: int | None
    lines: str | None
    timeout: float | None
    force: bool
    resume_: bool
    add: str | None
    profile: str | None


@verb("modbus", example=EXAMPLE)
@click.argument("where", required=False, metavar="[CONNECTION|PORT|HOST]")
@click.option("--addresses", default=EVERYBODY, help="1-10, or 1,5,20-30 (1-247).")
@click.option("--address", type=click.IntRange(1, LAST_ADDRESS), help="Only this one.")
@click.option("--lines", help='Settings to try: "9600 8N1,19200 8E1", or `own`.')
@click.option("--timeout", type=Duration(), help="Wait so long for each answer.")
@click.option("--force", is_flag=True, help="Also on a line that is in use.")
@click.option("--resume", "resume_", is_flag=True, help="Go on where a scan was stopped.")
@click.option("--add", metavar="NAME", help="Write the device that was found into the file.")
@click.option("--profile", help="With --add: its profile, when the scan cannot tell.")
def modbus(session: Session, **options: Unpack[Options]) -> int:
    """Modbus devices on a line or behind a host: reads only, one question to each address."""
    there = wire(session, options["where"])
    if options["add"] and options["address"] and options["profile"]:
        there_is = Sighting(options["address"], "")
        adding.tried(session, there, options["add"], (there_is, options["profile"]))
        return 0
    chosen = bool(options["lines"]) or options["resume_"]
    scan = _Scan(session, there, _wanted(there, options), force=options["force"], chosen=chosen)
    try:
        asyncio.run(scan.run())
    except KeyboardInterrupt:
        scan.stopped()
        return INTERRUPTED
    except FieldpostError:
        if scan.began:
            scan.stopped()  # what was found is worth more than a line that is back in a minute
        raise
    scan.report(blocks=not options["add"])
    if options["add"]:
        found = scan.only_new()
        profile = options["profile"] or adding.sure(found)
        adding.tried(session, there, options["add"], (found, profile))
    return 0


class _Scan:
    """One scan and what it has found.

    Attributes:
        began: the line is there, and may be asked.
    """

    def __init__(
        self, session: Session, there: Wire, wanted: Stopped, *, force: bool, chosen: bool
    ) -> None:
        self._session, self._wire, self._wanted = session, there, wanted
        self._force, self._chosen = force, chosen
        self.began = False
        self._found = list(wanted.found)
        self._done = wanted.done
        self._progress = Progress(session)
        self._pace = Pace(_silent_s(there, wanted))

    async def run(self) -> None:
        """Look at every address.

        Raises:
            BusyError: the daemon reads devices there.
        """
        there = self._wire
        async with opened(self._session, there) as asker:
            if isinstance(asker, Daemon) and asker.devices:
                self._be_polite(asker)
            self.began = True
            self._announce()
            for one in self._devices():
                self._show(one)  # found before it was stopped
            await self._look(asker)
        self._progress.clear()
        resume.forget(there.connection.name)

    async def _look(self, asker: Asker) -> None:
        finder = self._wire.kind.finder
        assert finder is not None  # noqa: S101 -- wires without one are not taken
        self._pace = Pace(_silent_s(self._wire, self._wanted))
        async with aclosing(finder.scan(asker, self._search())) as steps:
            async for step in steps:
                self._note(step)

    def stopped(self) -> None:
        """Say how to go on."""
        self._progress.clear()
        self._keep()
        name = self._wire.connection.name
        total = self._done + self._left()
        left = self._pace.needs(self._left())
        self._session.remark(
            f"Stopped after {self._done} of {total}, about {left} are left. Go on:"
        )
        again = f"fieldpost scan modbus {name} --resume"
        self._session.remark(f"  {in_full(again, self._session.command)}")

    def report(self, *, blocks: bool) -> None:
        """What has been found, when nobody has read it already.

        Args:
            blocks: show what to write for the first that is new.
        """
        session, name = self._session, self._wire.connection.name
        if session.json:
            units = [asdict(one) | {"device": self._device(one)} for one in self._devices()]
            refusing = [asdict(one) for one in self._found if one.refuses]
            session.document("scan", {"connection": name, "units": units, "refusing": refusing})
            return
        for line in sightings.refusing(self._found):
            session.write(line)
        if not self._found:
            session.write("Nobody answered. Look at A/B, the supply of the meters and `line:`.")
        for line in sightings.also(self._found):
            session.remark(line)
        new = self._new()
        if new and blocks:
            for line in adding.block(self._wire, new[0]):
                session.remark(in_full(line, session.command))

    def only_new(self) -> Sighting:
        """The one device that is not in the file.

        Raises:
            NotFoundError, ValidationError: there is none, or several.
        """
        new = self._new()
        if not new:
            message = "Nobody new answered, so there is nothing to add."
            raise NotFoundError(message)
        if len(new) > 1:
            seen = ", ".join(str(one.address) for one in new)
            message = f"{len(new)} new devices answered, at {seen}: add one with --address N"
            raise ValidationError(field="address", reason="which?", message=message)
        return new[0]

    def _devices(self) -> list[Sighting]:
        return [one for one in self._found if not one.refuses]

    def _new(self) -> list[Sighting]:
        return [one for one in self._devices() if self._device(one) is None]

    def _search(self) -> Search:
        wanted = self._wanted
        trials = Trials(self._wire, self._session.config_path.parent)
        return Search(
            lines=wanted.lines,
            addresses=wanted.addresses,
            marks=trials.marks,
            timeout_s=wanted.timeout_s,
            done=wanted.done,
            force=self._force,
            found=wanted.found,
            trial=trials.point,
        )

    def _be_polite(self, daemon: Daemon) -> None:
        if not self._chosen:  # whoever listens at other settings disturbs, and cannot stay
            self._wanted = replace(self._wanted, lines=self._wanted.lines[:1])
        if self._force:
            return
        count, name = len(daemon.devices), daemon.connection
        devices = "1 device is" if count == 1 else f"{count} devices are"
        message = f"{name} is in use: {devices} read on it, and this takes some {self._needs()}."
        action = "--force asks all the same, between the readings; some of them will come late"
        raise BusyError(message, action=action)

    def _announce(self) -> None:
        wanted, lines = self._wanted, len(self._wanted.lines)
        each = f"{len(wanted.addresses)} addresses" if len(wanted.addresses) > 1 else "1 address"
        several = f" x {lines} line settings" if lines > 1 else ""
        self._session.remark(
            f"Reads only; asks each address one harmless question: {each}{several},\n"
            f"about {self._needs()}. Ctrl-C stops, --resume goes on."
        )

    def _needs(self) -> str:
        return self._pace.needs(self._left())

    def _left(self) -> int:
        return len(self._wanted.lines) * len(self._wanted.addresses) - self._done

    def _note(self, step: Step) -> None:
        self._done = step.done
        self._pace.step()
        new = step.found is not None and self._is_new(step.found)
        if step.found or step.done % KEPT_EVERY == 0:
            self._keep()  # a session that is cut off ends without a word
        found = f"{len(self._devices())} found"
        left = f"about {self._needs()} left"
        text = f"address {step.address}   {step.done} of {step.total}   {found}   {left}"
        self._progress.tell(step.line or self._wire.connection.place, text)
        if step.found and new and not step.found.refuses:
            self._show(step.found)

    def _keep(self) -> None:
        resume.keep(replace(self._wanted, done=self._done, found=self._found))

    def _is_new(self, one: Sighting) -> bool:
        """Keep it; whether it was not there before, at another setting."""
        for place, known in enumerate(self._found):
            if (known.address, known.line) == (one.address, one.line):
                self._found[place] = one
                return False
        self._found.append(one)
        return True

    def _show(self, one: Sighting) -> None:
        if not self._session.json:
            self._progress.clear()
            for line in sightings.lines_of(one, self._device(one)):
                self._session.write(line)

    def _device(self, one: Sighting) -> str | None:
        own = _own(self._wire)
        here = one.line in {"", own} or own in one.also
        return self._wire.device_at(one.address) if here else None


def _silent_s(there: Wire, wanted: Stopped) -> float:
    """What an address costs at which nobody is: two questions."""
    own = _own(there)
    if not own:
        return 2 * wanted.timeout_s
    others = sum(line != own for line in wanted.lines) / len(wanted.lines)
    return 2 * (LATE * wanted.timeout_s + TALK_S + SWITCH_S * others)


def _wanted(there: Wire, options: Options) -> Stopped:
    """What to ask, or what is left of it."""
    name = there.connection.name
    if options["resume_"]:
        if options["lines"] or options["address"] or options["addresses"] != EVERYBODY:
            message = "--resume goes on with what was asked for: leave --lines and addresses away."
            raise ValidationError(field="resume", reason="not alone", message=message)
        return resume.kept(name)
    assert there.kind.finder is not None  # noqa: S101 -- wires without one are not taken
    usual = there.kind.finder.lines(there.connection.spec)
    lines = spans.lines(options["lines"], usual)
    addresses = (
        [options["address"]] if options["address"] else spans.addresses(options["addresses"])
    )
    timeout_s = options["timeout"] or (SERIAL_S if usual[0] else NETWORK_S)
    return Stopped(name, lines, addresses, timeout_s)


def _own(there: Wire) -> str:
    finder = there.kind.finder
    return finder.lines(there.connection.spec)[0] if finder else ""
