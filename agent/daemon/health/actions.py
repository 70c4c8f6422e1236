"""What to do next, one sentence per reason: the closed list of the score's reasons."""

from collections.abc import Mapping

from agent.daemon.health.words import Cause
from agent.driver import Reason

_ACTIONS: Mapping[str, str] = {
    Cause.OUTAGES: "Look at this device's power supply: fieldpost log {device}",
    Cause.CONNECTION_GONE: (
        "Look at the plug of the adapter, the USB hub and the cable; for TCP at host and switch"
    ),
    Cause.NEVER_ANSWERED: "Check address, line and wiring: fieldpost scan",
    Reason.NO_ANSWER: (
        "Others on this wire answer, so look at this device: power, address, A/B wires"
    ),
    Reason.NOBODY_ANSWERS: "Look at the wire: A/B swapped, `line:`, plug of the adapter",
    Reason.DAMAGED: (
        "Check the A/B screws at this device, its 120 ohm resistor and the cable length"
    ),
    Reason.REFUSED: "The profile may not fit this model: fieldpost read {device} --raw",
    Reason.NOT_HEARD: (
        "Check battery and distance; a better place for the gateway or its antenna may help"
    ),
    Reason.REFUSES_CONNECTION: "Another program or phone may be connected to this sensor",
    Reason.NO_KEY: "Store its key with `fieldpost secret set NAME` and name it under `key:`",
    Reason.UNREADABLE: "See what arrives: fieldpost monitor {connection}",
    Reason.OVERRUN: "The wire cannot keep up: raise `every` or the speed of the line",
    Reason.OUT_OF_RANGE: (
        "Look at the sensor; if the value is right, widen `min`/`max` under `points:`"
    ),
    Reason.NOT_A_NUMBER: "The sensor may be disconnected inside the device, or `as:` is wrong",
}


def action(reason: str, device: str, connection: str) -> str | None:
    """The sentence for one reason, or None where nothing is to be done."""
    sentence = _ACTIONS.get(reason)
    return sentence.format(device=device, connection=connection) if sentence else None
