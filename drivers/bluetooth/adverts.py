"""What one sensor advertises becomes values, or a fault that says why not. No I/O, no clock."""

import math
import struct
from collections.abc import Iterator
from typing import Any, Final

from agent.driver import DeviceFault, Reason
from agent.sample import Value
from agent.secret import Secret, SecretError
from drivers.bluetooth.codec import scaled
from drivers.bluetooth.decoders import make
from drivers.bluetooth.plan import Beacon, Pick
from drivers.bluetooth.shapes import ServiceInfo

SIGNAL: Final = "signal_strength"
KEY_BYTES: Final = 16  # BTHome and all others encrypt with AES-128
# what a decoder raises on packets that nobody tested it with; anybody may send such a packet
BROKEN: Final = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError, struct.error)


class Listener:
    """Understands the advertisements of one sensor.

    Args:
        beacon: which sensor and which of its values.
        secret: its bind key, None when it has none or it could not be read.
    """

    def __init__(self, beacon: Beacon, secret: Secret | None) -> None:
        self.beacon = beacon
        self._secret = secret
        self._decoder: Any = None

    @property
    def key(self) -> bytes | None:
        """Its bind key; None when there is none, or what is stored is no key."""
        return _key(self._secret)

    def prepare(self) -> None:
        """Import the decoder; a few tenths of a second for the first of its kind."""
        self._decoder = make(self.beacon.decoder, self.key)

    def listen(self, info: ServiceInfo) -> Iterator[tuple[Pick, Value | DeviceFault]]:
        """The points that this advertisement brings; none when it repeats an earlier one.

        Raises:
            DeviceFault: NO_KEY, UNREADABLE.
        """
        heard = self._decode(info)
        for pick in self.beacon.picks:
            value = heard.value(pick)
            if value is not None:
                yield pick, _checked(value, pick)

    def _decode(self, info: ServiceInfo) -> "_Heard":
        try:
            update = self._decoder.update(info)
        except BROKEN as error:
            message = "heard, but what it said is damaged"
            raise DeviceFault(Reason.UNREADABLE, message) from error
        heard = _Heard(update)
        # the library keeps every value for ever and would report it again with each packet
        update.entity_values.clear()
        update.binary_entity_values.clear()
        if heard.empty:
            self._explain(update)
        return heard

    def _explain(self, update: Any) -> None:
        """Nothing came out of it: say why, unless it is a repetition."""
        scheme = getattr(self._decoder, "encryption_scheme", None)
        if scheme is not None and scheme.value != "none" and not self._decoder.bindkey_verified:
            raise self._no_key()
        if not any(info.model for info in update.devices.values()):
            message = f"heard, but it does not speak {self.beacon.decoder}"
            raise DeviceFault(Reason.UNREADABLE, message, action="What is it?  fieldpost scan ble")

    def _no_key(self) -> DeviceFault:
        name = self.beacon.key
        if name is None:
            name = f"{self.beacon.device}-key"
            action = f"fieldpost secret set {name}   then write  key: secret:{name}"
            return DeviceFault(Reason.NO_KEY, "heard, but encrypted", action=action)
        action = f"Store its key: fieldpost secret set {name}"
        if self._secret is None:
            return DeviceFault(Reason.NO_KEY, "heard, but encrypted", action=action)
        return DeviceFault(Reason.NO_KEY, "heard, but its key does not fit", action=action)


class _Heard:
    """Everything that was in one packet: measurements, switches, events."""

    def __init__(self, update: Any) -> None:
        self._measured = {k: v.native_value for k, v in update.entity_values.items()}
        self._switched = {k: v.native_value for k, v in update.binary_entity_values.items()}
        self._events = {k: v.event_type for k, v in update.events.items()}

    @property
    def empty(self) -> bool:
        """Whether there was nothing but the strength of the signal, which is not its own."""
        measured = {str(key.key) for key in self._measured} - {SIGNAL}
        return not (measured or self._switched or self._events)

    def value(self, pick: Pick) -> Value | None:
        """What belongs to a point; a door and its battery may well have the same name."""
        found = {"bool": self._switched, "text": self._events | self._measured}
        for key, value in found.get(pick.form, self._measured).items():
            if (str(key.key), key.device_id) == (pick.source, pick.part):
                return value if isinstance(value, bool | int | float | str) else str(value)
        return None


def _key(secret: Secret | None) -> bytes | None:
    """The bytes of a bind key; None when there is none, or what is stored is no key."""
    if secret is None:
        return None
    try:
        key = bytes.fromhex(secret.reveal().strip())
    except (ValueError, SecretError):
        return None
    return key if len(key) == KEY_BYTES else None


def _checked(value: Value, pick: Pick) -> Value | DeviceFault:
    if pick.form == "text":
        return str(value)
    if isinstance(value, str):
        return DeviceFault(Reason.UNREADABLE, f"it reports '{value}' in place of a number")
    if not math.isfinite(value):
        return DeviceFault(Reason.NOT_A_NUMBER, "it reports something that is no number")
    return scaled(value, pick.scale, pick.offset)
