"""`fieldpost profile test`: golden frames of a profile, and each of its points on a device."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import click

from agent.cli import known, readings
from agent.cli.direct import as_json, compiled
from agent.cli.failure import FOUND
from agent.cli.session import Session
from agent.cli.verb import verb
from agent.cli.wire import Wire, opened, spec_with, wire
from agent.cli.words import amount
from agent.driver import DeviceFault, Proof, Quality, Reads, Reason
from agent.errors import DeviceNotFoundError, NotFoundError
from agent.plan import Json
from agent.prepare.kinds import ConnectionKind, ProfileSettings
from agent.prepare.registry import installed

EXAMPLE = """\
fieldpost profile test eastron-sdm120
fieldpost profile test eastron-sdm120 oven-meter
fieldpost profile test eastron-sdm120 5@rs485"""


@dataclass(frozen=True, slots=True)
class Tried:
    """One point on a device.

    Attributes:
        reading: as the verb `read` has it, None where it was refused.
        fault: why there is no reading.
    """

    point: str
    reading: Json | None
    fault: str = ""

    @property
    def wrong(self) -> bool:
        """Whether the profile does not fit here; a point may have no value now."""
        return self.reading is None or self.reading["quality"] == Quality.OUT_OF_RANGE


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
    tried = asyncio.run(_tried(session, kind, profile, device)) if device else []
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
    said = [t.reading for t in tried if t.reading]
    for line in readings.screen(said, raw=True) if said else ():
        session.write(line)
    for one in tried:
        if one.fault:
            session.write(f"[FAIL] {one.point}: {one.fault}")
    if tried:
        good = sum(not one.wrong for one in tried)
        session.remark(f"{good} of {len(tried)} points fit this device.")


def _document(name: str, proofs: Sequence[Proof], tried: Sequence[Tried]) -> Json:
    return {
        "profile": name,
        "golden": [
            {"name": p.name, "values": p.values, "failures": list(p.failures)} for p in proofs
        ],
        "points": [{"point": t.point, "reading": t.reading, "fault": t.fault} for t in tried],
    }


async def _tried(
    session: Session, kind: ConnectionKind, profile: ProfileSettings, device: str
) -> list[Tried]:
    """Each point of the profile on the device, one by one.

    Raises:
        NoAnswerError: nobody is there.
    """
    there, address = _place(session, device)
    if kind.through is None or there.kind.family != kind.family:
        message = f"{profile.profile} is for {kind.family}: it cannot be read on {device}."
        raise NotFoundError(message)
    spec = spec_with(there, device, address, profile)
    async with opened(session, there) as asker:
        reader = kind.through(spec, asker)
        return [await _one(reader, device, point) for point in _points(profile)]


async def _one(reader: Reads, device: str, point: str) -> Tried:
    try:
        (reading,) = await reader.read(device, point)
    except DeviceFault as fault:
        if fault.reason is Reason.NO_ANSWER:
            raise
        return Tried(point, None, fault.message)
    return Tried(point, as_json(reading))


def _points(profile: ProfileSettings) -> list[str]:
    return [*getattr(profile, "points", ())]


def _place(session: Session, device: str) -> tuple[Wire, str]:
    """Where a device is: by its name, or by its address on a connection."""
    address, at, where = device.partition("@")
    if at:
        return wire(session, where), address
    devices = compiled(session.config_path).devices
    if device not in devices:
        message = f"There is no device '{device}'."
        known_ = ", ".join(devices)
        raise DeviceNotFoundError(message, action=f"Devices: {known_}; or write 5@CONNECTION")
    found = devices[device]
    return wire(session, found.connection), found.address
