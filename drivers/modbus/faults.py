"""The sentences about a Modbus device that cannot be read, and what to look at."""

from collections.abc import Sequence
from typing import Final

from agent.driver import DeviceFault, Reason, Value
from agent.errors import BusyError, FieldpostError, NotWritableError, ValidationError
from drivers.modbus.breaker import TRIES
from drivers.modbus.frames import Damaged, Refused
from drivers.modbus.layout import Field
from drivers.modbus.plan import Line, Unit, manual

# Modbus application protocol V1.1b3, section 7
EXCEPTIONS: Final = {
    1: "it does not know this function",
    2: "illegal address",
    3: "illegal value",
    4: "the device failed",
    5: "it needs more time",
    6: "it is busy",
    7: "it says no",
    8: "its memory is damaged",
    10: "the converter has no way to it",
    11: "the converter gets no answer from it",
}
ILLEGAL_VALUE: Final = 3
ACCEPTED: Final = 5  # it has begun, and needs more time
BUSY: Final = frozenset({5, 6})
BEHIND_CONVERTER: Final = frozenset({10, 11})
NOT_THERE: Final = frozenset({2, 3})  # what a device says that has no such register


def why(error: Refused) -> str:
    """The exception in words: `exception 2, illegal address`."""
    return f"exception {error.code}, {EXCEPTIONS.get(error.code, 'unknown reason')}"


def no_answer(line: Line, unit: Unit, *, others_answer: bool, tries: int = TRIES) -> DeviceFault:
    """This unit is silent."""
    where = f"at address {unit.address} on {line.name}"
    if line.host is not None:
        where = f"from {line.place} at address {unit.address}"
    how = f"{tries} tries, {unit.timeout_s:g} s each" if tries > 1 else f"{unit.timeout_s:g} s"
    message = f"no answer {where} ({how})"
    look = (
        "power, address, A/B wires" if line.serial else "power, network cable, its Modbus address"
    )
    if others_answer:
        action = f"Other meters on this wire answer, so look at this meter: {look}."
    elif line.serial is not None:
        action = f"Look at this meter: {look}, `line:` {line.serial.written}."
    else:
        action = f"Look at this device: {look}."
    return DeviceFault(Reason.NO_ANSWER, message, action=action)


def nobody(line: Line) -> DeviceFault:
    """All units of the line are silent."""
    message = f"nobody answers on {line.name} ({len(line.units)} meters)"
    action = "Look at the converter: its serial settings, the A/B wires behind it."
    if line.serial is not None:
        written = line.serial.written
        action = f"Look at the wire: A/B swapped, `line:` {written}, plug of the adapter."
    return DeviceFault(Reason.NOBODY_ANSWERS, message, action=action)


def damaged(error: Damaged, share: float, others: float) -> DeviceFault:
    """Its answers do not arrive whole.

    Args:
        error: the newest.
        share: damaged ones of its answers in the last hour, 0 to 1.
        others: the same of all others on this wire.
    """
    message = (
        f"{share:.0%} of answers damaged in the last hour (others on this wire {others:.0%}), "
        f"now: {error.what}"
    ).replace("%", " %")
    action = (
        "Check the A/B screws at this meter, its 120 ohm resistor and the cable length."
        if share > others
        else "Check the whole wire: both 120 ohm resistors, the cable, what runs beside it."
    )
    return DeviceFault(Reason.DAMAGED, message, action=action)


def slow(unit: Unit) -> DeviceFault:
    """It answers, and always too late: each of its answers costs the line a timeout."""
    message = (
        f"answers behind its timeout of {unit.timeout_s:g} s, so it is read only when the line "
        "has time for it"
    )
    action = "Raise `timeout` of its connection or profile, or read it less often: fieldpost check"
    return DeviceFault(Reason.OVERRUN, message, action=action)


def refused(unit: Unit, error: Refused, where: Field) -> DeviceFault:
    """It answers, and will not give this."""
    why = EXCEPTIONS.get(error.code, f"exception {error.code}")
    number = manual(where.table, where.at)
    message = f"refuses to read {where.table} {where.at} ({number}; {why})"
    action = (
        f"The profile {unit.profile} may not fit this model: fieldpost read {unit.device} --raw"
    )
    if error.code in BUSY:
        action = "It is asked again at its next turn; if it stays so, read it less often."
    return DeviceFault(Reason.REFUSED, message, action=action)


def refused_write(unit: Unit, error: Refused, where: Field) -> FieldpostError:
    """It answers, and will not take this; what is wrong decides the kind of the error."""
    number = manual(where.table, where.at)
    message = f"refuses to write {where.table} {where.at} ({number}; {why(error)})"
    if error.code in BEHIND_CONVERTER:
        action = "Nothing was written. Look behind the converter: power, address, A/B wires."
        return DeviceFault(Reason.NO_ANSWER, message, action=action)
    message = f"{unit.device}: {message}"
    if error.code == ILLEGAL_VALUE:
        return ValidationError(field="value", reason="refused by the device", message=message)
    if error.code in BUSY:
        return BusyError(message, action="Nothing was written; try again when it has time.")
    action = f"Is it locked at the device, or is the profile {unit.profile} of another model?"
    return NotWritableError(message, action=action)


def not_kept(unit: Unit, point: str, told: Value, shown: Value | None) -> NotWritableError:
    """It said yes, and is as it was, or something else."""
    message = (
        f"{unit.device}: was told {point} = {told} and said yes, but shows {_said(shown)} "
        "when it is read back"
    )
    action = "Look at the device before writing again; nothing was repeated."
    return NotWritableError(message, action=action)


def in_doubt(point: str, told: Value, why: str, shown: str) -> DeviceFault:
    """Nobody knows whether it was written.

    Args:
        point: that was written.
        told: what.
        why: `no answer to the write`.
        shown: what came of reading it back, as the end of a sentence.
    """
    message = f"was told {point} = {told}, {why}, and {shown}"
    action = "Look at the device before writing again; nothing was repeated."
    return DeviceFault(Reason.NO_ANSWER, message, action=action)


def _said(value: Value | None) -> str:
    return "no value" if value is None else str(value)


def overrun(line: Line, skipped: int) -> DeviceFault:
    """Its turn came too late."""
    readings = "1 reading was" if skipped == 1 else f"{skipped} readings were"
    message = f"{readings} skipped: {line.name} cannot keep up"
    action = "Read something less often, or raise the speed of the line: fieldpost check"
    return DeviceFault(Reason.OVERRUN, message, action=action)


def not_a_number(points: Sequence[str]) -> DeviceFault:
    """What it sent is no value of the kind the profile says."""
    verb = "is" if len(points) == 1 else "are"
    message = f"{', '.join(points)} {verb} not a number"
    action = "A sensor may be disconnected inside the device, or `as:` in the profile is wrong."
    return DeviceFault(Reason.NOT_A_NUMBER, message, action=action)
