"""From words to findings: a stable code, one sentence, one thing to do for each."""

from collections.abc import Iterable, Iterator, Mapping

from agent import plan
from agent.cloud import Misconfigured
from agent.daemon.health import spending
from agent.daemon.health.connection import ConnectionHealth
from agent.daemon.health.destination import DestinationHealth
from agent.daemon.health.device import DeviceHealth
from agent.daemon.health.facts import Queue
from agent.daemon.health.machine import Check
from agent.daemon.health.report import Problem
from agent.daemon.health.words import DestinationState, DeviceState, Status
from agent.driver import ConnectionState, DeviceFault, Reason

BLUETOOTH = "bluetooth"
SURPASSED_S = 86_400.0  # a person should have looked by then
SURPASSED = (
    "New readings have other names now. Was an old copy of the store put back, or does another"
    " gateway run with a copy of this card? Each needs an `id` of its own"
)
_SILENT = (DeviceState.LATE, DeviceState.LOST, DeviceState.NEVER)
_WIRE = {
    Reason.NO_ANSWER: 4, Reason.DAMAGED: 5, Reason.REFUSED: 6, Reason.UNREADABLE: 7,
    Reason.OVERRUN: 8, Reason.NOT_HEARD: 9, Reason.NO_KEY: 10, Reason.REFUSES_CONNECTION: 11,
    Reason.NOBODY_ANSWERS: 3,
}  # fmt: skip
_RADIO = {
    Reason.NOT_HEARD: 4, Reason.UNREADABLE: 5, Reason.NO_KEY: 6, Reason.REFUSES_CONNECTION: 7,
    Reason.NO_ANSWER: 8, Reason.DAMAGED: 9, Reason.REFUSED: 10, Reason.OVERRUN: 11,
    Reason.NOBODY_ANSWERS: 3,
}  # fmt: skip
_VALUE = {Reason.OUT_OF_RANGE: "FP-D01", Reason.NOT_A_NUMBER: "FP-D02"}
_CONNECTION = {ConnectionState.GONE: 1, ConnectionState.BUSY: 2, ConnectionState.QUIET: 3}
_DESTINATION = {
    DestinationState.WAITING: "FP-U01", DestinationState.REFUSED: "FP-U02",
    DestinationState.REJECTING: "FP-U03", DestinationState.STALLED: "FP-U04",
    DestinationState.SLOW: "FP-U05", DestinationState.USED_UP: "FP-U09",
}  # fmt: skip
_KEEPING = (DestinationState.WAITING, DestinationState.REFUSED, DestinationState.USED_UP)
_QUIET_WIRE = ("nobody answers", "Look at the wire: A/B swapped, `line:`, plug of the adapter")
_QUIET_TEXT = {
    BLUETOOTH: ("no sensor is heard", "Look at the adapter: fieldpost doctor bluetooth"),
    "modbus-tcp": (
        "it is there, and none of its addresses answers",
        "Look at the addresses, and at the wire behind it",
    ),
}
_CONNECTION_TEXT = {
    ConnectionState.GONE: (
        "the adapter is gone",
        "Waiting for it to come back; nothing else to do after plugging it in",
    ),
    ConnectionState.BUSY: (
        "the port belongs to another program",
        "End the other program: fieldpost doctor",
    ),
}


def of_connection(
    connection: ConnectionHealth, state: ConnectionState, devices: Iterable[DeviceHealth]
) -> Iterator[Problem]:
    """What is wrong with a wire as a whole; its devices need no finding of their own then."""
    used = [device for device in devices if device.device.enabled]
    if state not in _CONNECTION or (state is ConnectionState.QUIET and len(used) < 2):  # noqa: PLR2004 - one silent device is a device's problem
        return
    name, kind = connection.connection.name, connection.connection.kind
    if state is ConnectionState.QUIET:
        text, advice = _QUIET_TEXT.get(kind, _QUIET_WIRE)
        text = f"{text} ({len(used)} devices)"
    else:
        text, advice = _CONNECTION_TEXT[state]
    message, action = connection.message or text, connection.action or advice
    code = f"FP-{_area(kind)}{_CONNECTION[state]:02}"
    yield Problem(code, Status.WARN, "connection", state, name, _said(name, message), action)


def of_device(
    device: DeviceHealth, state: DeviceState, kind: str, now_s: float
) -> Iterator[Problem]:
    """What is wrong with one device, and with single values of it."""
    name = device.device.name
    if state in _SILENT or state is DeviceState.BAD_DATA:
        reason = device.fault.reason if device.fault else _silence(device, state)
        message = _said(name, trouble(device, state, now_s))
        action = device.silence_action(now_s)
        yield Problem(_code(kind, reason), Status.WARN, "device", state, name, message, action)
        return
    for point, fault in device.point_faults.items():
        subject, word = f"{name}.{point}", "bad"
        message = _said(name, fault.message)
        action = fault.action or device.action(fault.reason)
        code = _code(kind, fault.reason)
        yield Problem(code, Status.WARN, "value", word, subject, message, action)


def trouble(device: DeviceHealth, state: DeviceState, now_s: float) -> str | None:
    """What is wrong, without the device's name; None while it is well."""
    if state not in _SILENT and state is not DeviceState.BAD_DATA:
        return None
    if fault := device.fault or next(iter(device.point_faults.values()), None):
        return fault.message
    age_s = device.age_s(now_s)
    if age_s is None:
        return "nothing usable came from it since it was configured"
    return f"nothing usable came from it for {span(age_s)}"


def of_destination(
    destination: DestinationHealth,
    state: DestinationState,
    queue: Queue,
    now_s: float,
    room_s: float | None,
) -> Iterator[Problem]:
    """What is wrong with the way to one destination."""
    name = destination.destination.name
    if lost := destination.lost_1h(now_s):
        message = f"{name}: {figure(lost)} readings had to be given up in the last hour."
        action = (
            "fieldpost queue  says why; for lack of room: bring its way back, or raise `buffer`"
        )
        yield Problem("FP-U06", Status.FAIL, "destination", "losing", name, message, action)
    if (since_s := destination.surpassed_s) is not None and now_s - since_s < SURPASSED_S:
        message = f"{name}: knows of readings under this gateway's names that it never sent."
        yield Problem("FP-U11", Status.WARN, "destination", "surpassed", name, message, SURPASSED)
    if state in _DESTINATION:
        message, advice = _destination_text(destination, state, queue, now_s)
        if state in _KEEPING:
            message += f" {_kept(queue, room_s)}"
        code = "FP-U07" if isinstance(destination.failure, Misconfigured) else _DESTINATION[state]
        yield Problem(code, Status.WARN, "destination", state, name, message, advice)


def of_check(check: Check) -> Iterator[Problem]:
    """What is wrong with the machine."""
    if check.status is not Status.PASS:
        yield Problem(
            check.code, check.status, "machine", check.name, check.name, check.message, check.action
        )


def span(seconds: float) -> str:
    """A length of time as people say it: `38 s`, `12 min`, `3 h`, `31 days`."""
    for unit, length in (("days", 172_800), ("h", 7200), ("min", 120)):
        if seconds >= length:
            size = {"days": 86_400, "h": 3600, "min": 60}[unit]
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def figure(number: int) -> str:
    """Thousands apart: `1 240`."""
    return f"{number:,}".replace(",", " ")


def _destination_text(
    destination: DestinationHealth, state: DestinationState, queue: Queue, now_s: float
) -> tuple[str, str | None]:
    name = destination.destination.name
    failure = destination.failure or destination.beat_failure
    check = f"fieldpost netcheck {name}"
    refused = figure(destination.rejected_1h(now_s))
    refusals = f"refused {refused} readings in the last hour ({destination.refusal})"
    texts: Mapping[DestinationState, tuple[str, str]] = {
        DestinationState.WAITING: (
            failure.message if failure else "no data was acknowledged for a while",
            check,
        ),
        DestinationState.REFUSED: (
            failure.message if failure else spending.shut_out(queue.way),
            spending.mend(queue.way) or "Look in the portal whether this gateway is active",
        ),
        DestinationState.REJECTING: (
            refusals,
            "They are set aside: fieldpost queue rejected",
        ),
        DestinationState.STALLED: (
            "it can be reached, but has acknowledged no data for 10 min",
            check,
        ),
        DestinationState.SLOW: (
            f"the backlog grows although data is acknowledged: {figure(queue.readings)} readings",
            _faster(destination.destination.allows),
        ),
        DestinationState.USED_UP: (
            f"only alarms are sent, {spending.used(queue.way)}",
            spending.RAISE,
        ),
    }
    message, action = texts[state]
    if state is DestinationState.USED_UP:
        return _said(name, message), action  # whatever failed before: this is the reason now
    return _said(name, message), (failure.action if failure else None) or action


def _faster(allows: plan.Allowance) -> str:
    """What lets a backlog shrink; a limit of one's own is the first to look at."""
    if allows.readings_per_s is not None:
        limit = f"{figure(int(allows.readings_per_s))} readings/s"
    elif allows.bytes_per_s is not None:
        limit = f"{allows.bytes_per_s / 1000:g} kB/s"
    else:
        return "Read less often, or deliver faster: fieldpost queue"
    return f"Its own `rate` of {limit} is not enough: raise it, or read less often"


def _kept(queue: Queue, room_s: float | None) -> str:
    room = f", room for {span(room_s)}" if room_s else ""
    return f"Readings are kept: {figure(queue.readings)} so far{room}."


def _silence(device: DeviceHealth, state: DeviceState) -> Reason:
    if state is DeviceState.BAD_DATA:
        faults: Iterable[DeviceFault] = device.point_faults.values()
        return next((fault.reason for fault in faults), Reason.UNREADABLE)
    return Reason.NOT_HEARD if device.device.every_s is None else Reason.NO_ANSWER


def _code(kind: str, reason: Reason) -> str:
    if reason in _VALUE:
        return _VALUE[reason]
    area = _area(kind)
    return f"FP-{area}{(_RADIO if area == 'B' else _WIRE)[reason]:02}"


def _area(kind: str) -> str:
    return "B" if kind == BLUETOOTH else "S"


def _said(name: str, message: str | None) -> str:
    return f"{name}: {message}".rstrip(".") + "."
