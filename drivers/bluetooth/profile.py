"""A profile of a Bluetooth sensor (`kind: bluetooth`): it advertises, or it is asked."""

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from agent.prepare.kinds import ProfileSettings, Settings
from agent.prepare.points import PointSettings
from agent.prepare.types import Number, Switch, Whole, as_text, closest, refuse, text
from drivers.bluetooth.codec import FORMS, TEXT
from drivers.bluetooth.decoders import DECODERS

# assigned numbers are short for a UUID of this base (Core Specification, vol. 3, part B, 2.5.1)
BASE: Final = "0000{}-0000-1000-8000-00805f9b34fb"
DECODED: Final = ("number", "bool", "text")
_FULL: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHORT: Final = re.compile(r"[0-9a-f]{4}")


def known_decoder(value: Any) -> str:
    """One of the decoders we have."""
    written = text(value)
    if written not in DECODERS:
        near = closest(written, DECODERS)
        note = f"decoders: {', '.join(DECODERS)}"
        refuse(f"there is no decoder '{written}'", note=note, fix=near and f"did you mean {near}?")
    return written


def full_uuid(value: Any) -> str:
    """`2a6e` or the full form → the full form."""
    written = text(value).lower()
    if _SHORT.fullmatch(written):
        return BASE.format(written)
    if not _FULL.fullmatch(written):
        fix = "write 2a6e, or all of 0000fff1-0000-1000-8000-00805f9b34fb"
        refuse(f"'{written}' is not a UUID", fix=fix)
    return written


def known_form(value: Any) -> str:
    """One of the forms a characteristic can have: `uint16`, `float32`, `text`."""
    written = text(value)
    known = [*FORMS, TEXT, "number"]
    if written not in known:
        near = closest(written, known)
        fix = near and f"did you mean {near}?"
        refuse(f"'{written}' is not a form of value", note=f"forms: {', '.join(known)}", fix=fix)
    return written


class BluetoothPoint(PointSettings):
    """One value: a decoder's (`value`, `part`) or a characteristic's (`characteristic`, `as`)."""

    value: str | None = None
    part: str | None = None
    characteristic: Annotated[str, PlainValidator(full_uuid), as_text("")] | None = None
    form: Annotated[str, PlainValidator(known_form), as_text("")] = Field("number", alias="as")
    order: Literal["little", "big"] = "little"
    at: Whole = 0
    scale: Number = 1.0
    offset: Number = 0.0


class BluetoothTest(Settings):
    """A golden advertisement, and the values that must come out of it.

    `manufacturer` is written `0499 0512fc53…` (company and data in hex), `service` `fcd2 40015d…`.
    """

    manufacturer: str | None = None
    service: str | None = None
    key: str | None = None
    mac: str = "A4:C1:38:00:00:01"
    expect: dict[str, str]


class BluetoothProfile(ProfileSettings):
    """A profile file of `kind: bluetooth`."""

    decoder: Annotated[str, PlainValidator(known_decoder), as_text("")] | None = None
    name: str | None = None
    keep_connected: Switch = False
    points: dict[str, BluetoothPoint]
    test: BluetoothTest | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.points:
            refuse("the profile has no points", fix="add  points: {temperature: {unit: Cel}}")
        asked = [name for name, point in self.points.items() if point.characteristic]
        if self.decoder and asked:
            message = f"'{asked[0]}' has a characteristic, and the profile a decoder"
            refuse(message, fix="a sensor is either listened to or connected to: delete one")
        if not self.decoder and len(asked) < len(self.points):
            message = "the profile does not say how the sensor is understood"
            refuse(message, fix="write decoder:, or characteristic: at every point")
        for name, point in self.points.items():
            _check_form(name, point)
        return self


def _check_form(name: str, point: BluetoothPoint) -> None:
    if point.characteristic and point.form == "number":
        refuse(f"'{name}' does not say what form it has", fix="add  as: uint16")
    if not point.characteristic and point.form not in DECODED:
        message = f"'{name}': a decoder has no {point.form}"
        refuse(message, note=f"forms: {', '.join(DECODED)}", fix="delete `as:`")
