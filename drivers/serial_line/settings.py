"""What may stand in the file for serial lines, and how it is compiled; `prepare` alone."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from agent import plan
from agent.prepare.kinds import (
    Compiled,
    ConnectionKind,
    DeviceInput,
    DeviceSettings,
    Problem,
    Settings,
    Spot,
)
from agent.prepare.points import point_of, range_of, switched_on
from agent.prepare.types import SerialLine
from drivers.serial_line.plan import LinePlan, Pick, Speaker
from drivers.serial_line.profile import LinePoint, LinesProfile


class LineSettings(Settings):
    """`connections.<name>` with `kind: serial-lines`."""

    port: str
    line: SerialLine = SerialLine()


class SpeakerSettings(DeviceSettings):
    """`devices.<name>` on a serial line; it has no settings of its own."""


def compile_line(name: str, settings: Settings, devices: Sequence[DeviceInput]) -> Compiled:
    """One serial line and its devices → what the driver runs."""
    assert isinstance(settings, LineSettings)  # noqa: S101 - by construction of KIND
    line = settings.line
    speakers = [_speaker(device) for device in devices if device.settings.enabled]
    spec = LinePlan(settings.port, line.baud, line.data_bits, line.parity, line.stop_bits, speakers)
    problems = list(_shared(name, speakers))
    for device in devices:
        problems += _intervals(device)
    return Compiled(
        place=settings.port,
        spec=plan.to_json(spec),
        devices={device.name: _device(name, device) for device in devices},
        problems=problems,
    )


def _speaker(device: DeviceInput) -> Speaker:
    profile = _profile(device)
    return Speaker(
        device.name,
        [_pick(name, point, device) for name, point in _points(device)],
        lines=profile.lines,
        talker=profile.talker,
        checksum=profile.checksum,
        prefix=profile.prefix,
        pattern=profile.pattern,
        delimiter=profile.delimiter,
        columns=profile.columns,
    )


def _profile(device: DeviceInput) -> LinesProfile:
    assert isinstance(device.profile, LinesProfile)  # noqa: S101 - by construction of KIND
    return device.profile


def _points(device: DeviceInput) -> Iterator[tuple[str, LinePoint]]:
    return switched_on(_profile(device).points, device)


def _pick(name: str, point: LinePoint, device: DeviceInput) -> Pick:
    low, high = range_of(name, point, device)
    return Pick(
        name,
        point.transducer or point.field or point.obis or point.group or point.column or name,
        sentence=point.sentence or "",
        transducer=point.transducer is not None,
        unit_field=point.unit_field,
        when=point.when,
        text=point.form == "text",
        scale=point.scale,
        offset=point.offset,
        unit=point.unit,
        low=low,
        high=high,
    )


def _device(connection: str, device: DeviceInput) -> plan.Device:
    points = {name: point_of(name, point, device, None) for name, point in _points(device)}
    settings = device.settings
    return plan.Device(
        device.name, settings.profile, connection, "", None, settings.enabled, points
    )


def _shared(name: str, speakers: Sequence[Speaker]) -> Iterator[Problem]:
    """Two devices on one line are fine as long as every line belongs to one of them."""
    told = set()
    for first, second in combinations(speakers, 2):
        if second.device not in told and _collide(first, second):
            told.add(second.device)
            yield Problem(
                ("devices", second.device, "via"),
                f"'{second.device}' and '{first.device}' both take every line of {name}",
                note="several devices share a line only when their profiles tell lines apart",
                fix="give their profiles different talkers, sentences or prefixes",
                code="shared_line",
            )


def _collide(first: Speaker, second: Speaker) -> bool:
    kinds = {first.lines, second.lines}
    if "dsmr" in kinds:
        return True  # its telegrams are cut out of the line as a whole
    if kinds == {"nmea"}:
        talkers = first.talker is None or second.talker is None or first.talker == second.talker
        theirs = {pick.sentence for pick in second.picks}
        return talkers and any(pick.sentence in theirs for pick in first.picks)
    if kinds == {"nmea", "text"}:
        text = first if first.lines == "text" else second
        return text.prefix.startswith("$") or not text.prefix
    return first.prefix.startswith(second.prefix) or second.prefix.startswith(first.prefix)


def _intervals(device: DeviceInput) -> Iterator[Problem]:
    settings = device.settings
    at = ("devices", device.name)
    message = f"'{device.name}' speaks on its own: how often is not ours to set"
    fix = "delete `every:`; the interval is learned"
    if settings.every is not None:
        yield Problem((*at, "every"), message, fix=fix, spot=Spot.KEY, code="every")
    for name, override in settings.points.items():
        if override.every is not None:
            path = (*at, "points", name, "every")
            yield Problem(path, message, fix=fix, spot=Spot.KEY, code="every")


KIND = ConnectionKind(
    family="serial-lines",
    settings=LineSettings,
    device=SpeakerSettings,
    profile=LinesProfile,
    compile=compile_line,
)
