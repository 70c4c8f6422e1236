"""`fieldpost write`: change one point of a device, asked for twice and looked at once."""

import sys
from typing import TypedDict, Unpack

import click

from agent.cli import readings, words
from agent.cli.duration import Duration
from agent.cli.session import Session
from agent.cli.verb import verb
from agent.clock import SystemClock, iso
from agent.errors import NotFoundError, NotWritableError, UnavailableError, ValidationError
from agent.plan import Json

WITHIN_S = 10.0  # as long as the daemon's answer is waited for
EXAMPLE = """\
fieldpost write cold-room.setpoint 4.5
fieldpost write pump.mode auto --yes
fieldpost write cold-room.setpoint 4.5 --within 2s --json --yes"""


class Options(TypedDict):
    """What `write` takes."""

    target: str
    value: str
    within_s: float
    yes: bool


@verb("write", example=EXAMPLE)
@click.argument("target", metavar="DEVICE.POINT")
@click.argument("value")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--within", "within_s", type=Duration(), default=WITHIN_S, help="Later nobody wants it: 10s."
)
def write(session: Session, **options: Unpack[Options]) -> int:
    """Change a point that its profile marks with `write: true`, and read it back."""
    device, _, point = options["target"].partition(".")
    if not point:
        message = "Write which point, too:  fieldpost write DEVICE.POINT VALUE"
        raise ValidationError(field="target", reason="no point", message=message)
    if not options["yes"] and not _agreed(session, device, point, options["value"]):
        session.remark("Nothing was written.")
        return 0
    shown = _written(session, device, point, options)
    if session.json:
        session.document("write", readings.document(device, shown, raw=True))
    else:
        session.write(f"{device}: {next(readings.screen([shown], raw=False))}")
    return 0


write.context_settings["ignore_unknown_options"] = True  # `-18` is a value


def _agreed(session: Session, device: str, point: str, value: str) -> bool:
    if not sys.stdin.isatty():
        message = "write asks before it changes anything, and nobody is here to answer."
        raise ValidationError(field="yes", reason="missing", message=f"{message} Add --yes.")
    unit, now = _as_it_is(session, device, point)
    question = f"{device}.{point} shows {words.value(now, unit)}. Write {value}{_said(unit)}?"
    return click.confirm(question, err=True)


def _as_it_is(session: Session, device: str, point: str) -> tuple[str | None, str | float | None]:
    """Unit and newest value of a point that may be written."""
    found = session.client.call("snapshot")["devices"].get(device, {"points": {}})
    spec = found["points"].get(point)
    if spec is None:
        message = f"There is no point '{device}.{point}'."
        raise NotFoundError(message, action="See them all: fieldpost status")
    if not spec["writable"]:
        message = f"{device}.{point} may not be written: its profile does not allow it."
        raise NotWritableError(message)
    return spec["unit"], found["telemetry_summary"]["last_value"].get(point)


def _written(session: Session, device: str, point: str, options: Options) -> Json:
    """What the device shows afterwards.

    Raises:
        UnavailableError: nobody said what became of it.
    """
    client = session.client
    client.call("ping")  # from here on, silence may mean that it was written
    until_ns = SystemClock().now().wall_ns + int(options["within_s"] * 1e9)
    asked = {"device": device, "point": point, "value": options["value"], "expires": iso(until_ns)}
    try:
        reading: Json = client.call("write", asked)["reading"]
    except UnavailableError as error:
        message = "The daemon did not say what became of it: it may or may not have been written."
        action = f"Look before you write again: fieldpost read {device}.{point}"
        raise UnavailableError(message, action=action) from error
    return reading


def _said(unit: str | None) -> str:
    shown = words.screen_unit(unit)
    return f" {shown}" if shown else ""
