"""`fieldpost profile test`: golden frames of a profile, and each of its points on a device."""

import asyncio
from collections.abc import Sequence

import click

from agent.cli import known, trial
from agent.cli.direct import compiled
from agent.cli.failure import FOUND
from agent.cli.session import Session
from agent.cli.spans import LAST_ADDRESS
from agent.cli.trial import Tried
from agent.cli.verb import verb
from agent.cli.wire import Wire, opened, wire
from agent.cli.words import amount
from agent.driver import Proof
from agent.errors import DeviceNotFoundError, NotFoundError, ValidationError
from agent.plan import Json
from agent.prepare.kinds import ConnectionKind, ProfileSettings
from agent.prepare.registry import installed

EXAMPLE = """\
fieldpost profile test eastron-sdm120
fieldpost profile test eastron-sdm120 oven-meter
fieldpost profile test eastron-sdm120 5@rs485"""


@verb("test", example=EXAMPLE)
@click.argument("name")
@click.argument("device", required=False, metavar="[DEVICE|ADDRESS@CONNECTION]")
def test(session: Session, *, name: str, device: str | None) -> int:
    """Decode a profile's golden frames, and read its points on a device."""
    read = known.read_profile(name, session.config_path.parent)
    kind = installed().family(read.kind)
    if kind is None:
        message = f"{name} says kind: {read.kind}, which is no kind of device."
        raise NotFoundError(message)
    profile = known.modelled(read, kind)
    proofs = [*kind.proofs(profile)] if kind.proofs else []
    tried = asyncio.run(_tried(session, profile, device)) if device else []
    if session.json:
        session.document("profile.test", _document(name, proofs, tried))
    else:
        _show(session, name, kind, proofs)
        _show_tried(session, tried)
    return FOUND if any(p.failures for p in proofs) or any(t.wrong for t in tried) else 0


def _show(session: Session, name: str, kind: ConnectionKind, proofs: Sequence[Proof]) -> None:
    if not proofs:
        why = "has no golden frames" if kind.proofs else f"is for {kind.family}: nothing to decode"
        session.write(f"{name} {why}")
    for proof in proofs:
        state = "FAIL" if proof.failures else "ok"
        session.write(f"[{state}]".ljust(7) + f"{proof.name}: {amount(proof.values, 'value')}")
        for failure in proof.failures:
            session.write(f"       {failure}")


def _show_tried(session: Session, tried: Sequence[Tried]) -> None:
    for line in trial.screen(tried, raw=True):
        session.write(line)
    if tried:
        session.remark(trial.verdict(tried))


def _document(name: str, proofs: Sequence[Proof], tried: Sequence[Tried]) -> Json:
    return {
        "profile": name,
        "golden": [
            {"name": p.name, "values": p.values, "failures": list(p.failures)} for p in proofs
        ],
        "points": [{"point": t.point, "reading": t.reading, "fault": t.fault} for t in tried],
    }


async def _tried(session: Session, profile: ProfileSettings, device: str) -> list[Tried]:
    """Each point of the profile on the device, one by one.

    Raises:
        NoAnswerError: nobody is there.
    """
    there, address = _place(session, device)
    async with opened(session, there) as asker:
        source = trial.reader(there, (device, address), profile, asker)
        return await trial.each(source, device, trial.points_of(profile))


def _place(session: Session, device: str) -> tuple[Wire, str]:
    """Where a device is: by its name, or by its address on a connection."""
    address, at, where = device.partition("@")
    if at:
        if not address.isdecimal() or not 1 <= int(address) <= LAST_ADDRESS:
            message = f"'{address}' is no Modbus address: write 5@{where}, 1 to {LAST_ADDRESS}"
            raise ValidationError(field="device", reason="malformed", message=message)
        return wire(session, where), address
    devices = compiled(session.config_path).devices
    if device not in devices:
        message = f"There is no device '{device}'."
        known_ = ", ".join(devices)
        raise DeviceNotFoundError(message, action=f"Devices: {known_}; or write 5@CONNECTION")
    found = devices[device]
    return wire(session, found.connection), found.address
