"""Types a setting can have: each takes the text of the file, and explains itself when it cannot.

Every scalar reaches the models as text (`config-and-cli`, section 1). A type either returns the
typed value or calls `refuse(...)`, whose sentence and fix are printed as they are. A type of your
own is `Annotated[T, PlainValidator(function), as_text(pattern, *examples)]`, with a function that
takes what `text(value)` gives and calls `refuse(...)`.
"""

from typing import Annotated, Final

from pydantic import PlainValidator, WithJsonSchema

from agent.prepare import addresses, quantities
from agent.prepare.addresses import BundleRef, HostPort, SecretRef, SerialLine, host_port
from agent.prepare.quantities import Speed, between
from agent.prepare.refusal import closest, refuse, text

__all__ = [
    "SIZE",
    "BundleName",
    "BundleRef",
    "Bytes",
    "Deadband",
    "HostPort",
    "Interval",
    "Mac",
    "Margin",
    "Name",
    "Number",
    "Pace",
    "Rate",
    "Seconds",
    "SecretName",
    "SecretOrPath",
    "SecretRef",
    "SerialLine",
    "Switch",
    "Whole",
    "as_text",
    "between",
    "closest",
    "host_port",
    "refuse",
    "text",
    "whole_between",
]


def as_text(pattern: str, *examples: str) -> WithJsonSchema:
    """What the JSON Schema says of a type that is written as text."""
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


def whole_between(low: int, high: int, what: str) -> tuple[PlainValidator, WithJsonSchema]:
    """For `Annotated[int, *whole_between(1, 247, "a Modbus address")]`."""
    schema = WithJsonSchema({"type": ["integer", "string"], "minimum": low, "maximum": high})
    return PlainValidator(between(low, high, what)), schema


_TIME: Final = as_text(r"^\d+(\.\d+)?\s*(ms|s|min|h|d)$", "10s", "300ms", "5min")
SIZE: Final = as_text(r"^\d+(\.\d+)?\s*(kB|MB|GB|KiB|MiB|GiB)$", "200MB", "2GB")
_SWITCH: Final = WithJsonSchema({"enum": ["yes", "no", True, False, "on", "off"]})
_SECRET: Final = as_text(r"^secret:[A-Za-z0-9._-]+$", "secret:archive-token")
_PAIRS: Final = as_text(r"^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$", "A4:C1:38:A1:B2:C3")

# seconds, 0 allowed; `Interval`: longer than nothing
Seconds = Annotated[float, PlainValidator(quantities.seconds), _TIME]
Interval = Annotated[float, PlainValidator(quantities.interval), _TIME]
# bytes
Bytes = Annotated[int, PlainValidator(quantities.size), SIZE]
Switch = Annotated[bool, PlainValidator(quantities.switch), _SWITCH]
Whole = Annotated[
    int, PlainValidator(quantities.whole), WithJsonSchema({"type": ["integer", "string"]})
]
Number = Annotated[
    float, PlainValidator(quantities.number), WithJsonSchema({"type": ["number", "string"]})
]
# not below zero, in the unit of what it belongs to
Margin = Annotated[
    float, PlainValidator(quantities.margin), WithJsonSchema({"type": ["number", "string"]})
]
# how far a value may move before it is sent, in its unit or in percent of itself
Deadband = Annotated[
    quantities.Band,
    PlainValidator(quantities.band),
    WithJsonSchema({"type": ["number", "string"], "examples": ["0.5", "2%"]}),
]
# per second, in the unit of what it belongs to
Rate = Annotated[
    float,
    PlainValidator(quantities.rate),
    as_text(r"^\d+(\.\d+)?\s*/\s*(ms|s|min|h|d)$", "5/s", "0.5/min"),
]
# readings or bytes per second
Pace = Annotated[
    Speed,
    PlainValidator(quantities.speed),
    as_text(r"^\d+(\.\d+)?\s*(kB|MB|GB|KiB|MiB|GiB)?\s*/\s*(ms|s|min|h|d)$", "20kB/s", "100/s"),
]
# a key that the technician chose
Name = Annotated[
    str, PlainValidator(addresses.name), as_text(r"^[a-z0-9][a-z0-9-]{0,39}$", "oven-meter")
]
# written `secret:NAME`, the value is a `SecretRef` NAME; `prepare` checks that it exists
SecretName = Annotated[SecretRef, PlainValidator(addresses.secret_name), _SECRET]
BundleName = Annotated[BundleRef, PlainValidator(addresses.bundle_name), _SECRET]
# `SecretRef`, or an absolute path as plain `str`
SecretOrPath = Annotated[
    str, PlainValidator(addresses.secret_or_path), as_text(r"^(secret:[A-Za-z0-9._-]+|/.*)$")
]
# upper case, with colons
Mac = Annotated[str, PlainValidator(addresses.mac), _PAIRS]
