"""`fieldpost probe`: which type, order and scale make a register say what the display shows."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TypedDict, Unpack

import click

from agent.cli import adding
from agent.cli.session import Session
from agent.cli.verb import verb
from agent.cli.wire import Wire, opened, wire
from agent.driver import Candidate, DeviceFault, Place, Reason
from agent.errors import NoAnswerError, NotFoundError, ValidationError

SHOWN = 5  # guesses; what comes behind is chance
LAST_UNIT = 247
MOST_WITHIN = 100  # percent; beyond, 0 fits as well
EXAMPLE = """\
fieldpost probe rs485 2 30001 --expect 230.1
fieldpost probe rs485 2 "input 12" --expect 2104 --within 5
fieldpost probe 192.168.1.40 1 40084 --expect 4310 --add my-inverter.power"""


class _Shown(click.ParamType[float]):
    """A number as displays show it, `230.1` or `230,1`."""

    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """See `click.ParamType`."""
        try:
            shown = float(str(value).replace(",", "."))
        except ValueError:
            shown = math.nan
        if not math.isfinite(shown):
            self.fail(f"'{value}' is no number", param, ctx)
        return shown


class Options(TypedDict):
    """What `probe` takes."""

    where: str
    unit: int
    register: str
    expect: float
    within: float
    add: str | None


@verb("probe", example=EXAMPLE)
@click.argument("where", metavar="CONNECTION")
@click.argument("unit", type=click.IntRange(1, LAST_UNIT))
@click.argument("register")
@click.option("--expect", type=_Shown(), required=True, help="What the display shows now.")
@click.option(
    "--within",
    type=click.FloatRange(0, MOST_WITHIN),
    default=0.5,
    help="Percent it may be off (0.5).",
)
@click.option("--add", metavar="PROFILE.POINT", help="Write the first guess into a profile.")
def probe(session: Session, **options: Unpack[Options]) -> int:
    """Find out how a register has to be read, from what it should say."""
    there = wire(session, options["where"])
    if not options["expect"]:
        message = "0 is what most registers say: ask again when the display shows something else."
        raise ValidationError(field="expect", reason="says nothing", message=message)
    place = Place(options["unit"], options["register"], options["expect"], options["within"] / 100)
    found = asyncio.run(_probed(session, there, place))
    if session.json:
        session.document("probe", {"candidates": [asdict(one) for one in found]})
        return 0
    if not found:
        message = f"Nothing around {place.where} says {place.expect:g}."
        action = "Is it the right register? If the value moves, try --within 5"
        raise NotFoundError(message, action=action)
    for line in _lines(found[:SHOWN]):
        session.write(line)
    _offer(session, there, found[0], options["add"])
    return 0


async def _probed(session: Session, there: Wire, place: Place) -> Sequence[Candidate]:
    finder = there.kind.finder
    if finder is None:
        message = f"{there.connection.name} has no registers."
        raise NotFoundError(message)
    async with opened(session, there) as asker:
        try:
            return await finder.probe(asker, place)
        except DeviceFault as fault:
            if fault.reason is not Reason.NO_ANSWER:
                raise
            name = there.connection.name
            action = (
                "Is that its address, and the line set as it is?  "
                f"fieldpost scan modbus {name} --address {place.unit}"
            )
            raise NoAnswerError(fault.message, action=action) from fault


def _lines(found: Sequence[Candidate]) -> list[str]:
    rows = [
        (one.settings["read"], " ".join(_form(one.settings)), f"{one.value:.7g}", one.raw)
        for one in found
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _form(settings: dict[str, str]) -> list[str]:
    scale = [f"x {settings['scale']}"] if "scale" in settings else []
    return [settings["as"], settings.get("order", ""), *scale]


def _offer(session: Session, there: Wire, best: Candidate, add: str | None) -> None:
    if add:
        adding.point(session, add, there.kind.family, best.settings)
        return
    session.remark("To read it so, write below `points:` of a profile")
    session.remark(f"  {adding.shown('NAME', best.settings)}")
