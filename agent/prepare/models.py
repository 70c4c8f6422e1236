"""Models of the whole file: site, status, health, and the sections whose entries have a kind."""

import re
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from agent.prepare.kinds import Settings
from agent.prepare.quantities import seconds, size
from agent.prepare.types import (
    SIZE,
    Bytes,
    Name,
    SecretName,
    as_text,
    closest,
    host_port,
    refuse,
    text,
)

VERSION: Final = 1  # of the file's format
LOSS_WINDOW_S: Final = 5.0
SMALLEST_BUFFER: Final = 1_000_000  # bytes; a store of less could not be opened
SMALLEST_LATE: Final = 1


def read_version(value: Any) -> int:
    """The format's version; there is only one."""
    written = text(value)
    if written != str(VERSION):
        fix = "update fieldpost, or use a file written for it"
        message = f"this file says version {written}; this fieldpost understands version {VERSION}"
        refuse(message, fix=fix, code="version")
    return VERSION


def read_words(value: Any) -> str:
    """A text that says something."""
    written = text(value)
    if not written:
        refuse("this text is empty", fix="write a word or two", code="empty")
    return written


def read_gateway_id(value: Any) -> str:
    """3-50 letters, digits, `-`, `_`: it becomes part of topics and of tokens."""
    written = text(value)
    if not re.fullmatch(r"[A-Za-z0-9_-]{3,50}", written, re.ASCII):
        note = "an id has 3 to 50 letters, digits, - and _"
        fix = "write the one on the label, like ES-0231"
        refuse(f"'{written}' is not a gateway id", note=note, fix=fix, code="id")
    return written


def read_timezone(value: Any) -> str:
    """An IANA name. Listing all of them takes 50 ms, so that is done for a proposal only."""
    written = text(value)
    try:
        ZoneInfo(written)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = {zone.lower(): zone for zone in available_timezones()}
        near = closest(written, known)
        fix = f"did you mean {known[near]}?" if near else "write a name like Europe/Madrid"
        refuse(f"we know no time zone '{written}'", fix=fix, code="timezone")
    return written


def read_buffer(value: Any) -> int:
    """`site.buffer`: bytes."""
    found = size(value)
    if found < SMALLEST_BUFFER:
        message = f"{text(value)} is too small: the buffer needs 1MB or more"
        refuse(message, fix="write 2GB", code="range")
    return found


def read_loss_window(value: Any) -> float:
    """`site.may_lose`: 0 s to 5 s."""
    found = seconds(value)
    if found > LOSS_WINDOW_S:
        message = f"{text(value)} is out of range: may_lose goes from 0s to 5s"
        refuse(message, fix="write 1s, or 5s for the least wear of the card", code="range")
    return found


def read_listen(value: Any) -> str:
    """`host:port`, or `none` for no TCP at all."""
    written = text(value)
    if written == "none":
        return written
    found = host_port(written)
    if found.port is None:
        fix = f"write {written}:8080, or none"
        refuse(f"'{written}' has no port", fix=fix, code="port")
    return found.written


def read_names(value: Any) -> tuple[str, ...]:
    """Host names and addresses, separated by commas."""
    found = tuple(part.strip() for part in text(value).split(","))
    for part in found:
        host_port(part)
    return found


def read_late_after(value: Any) -> int:
    """`3 readings`."""
    match = re.fullmatch(r"(\d{1,4})(?:\s+(readings?))?", text(value), re.ASCII)
    if not match or int(match[1]) < SMALLEST_LATE:
        message = f"'{text(value)}' is not a number of readings"
        refuse(message, fix="write 3 readings", code="readings")
    if not match[2]:
        refuse(f"{match[1]} what? write readings", fix=f"write {match[1]} readings", code="unit")
    return int(match[1])


Words = Annotated[str, PlainValidator(read_words), as_text(r"\S")]


GatewayId = Annotated[
    str, PlainValidator(read_gateway_id), as_text("^[A-Za-z0-9_-]{3,50}$", "ES-0231")
]


class Site(Settings):
    """`site:` of the file."""

    name: Words
    id: GatewayId | None = None
    timezone: Annotated[str, PlainValidator(read_timezone), as_text(r"^\S+$", "Europe/Madrid")] = (
        "UTC"
    )
    buffer: Annotated[int, PlainValidator(read_buffer), SIZE] = 2_000_000_000
    may_lose: Annotated[
        float, PlainValidator(read_loss_window), as_text(r"^\d+(\.\d+)?\s*(ms|s)$", "1s")
    ] = 1.0
    when_full: Literal["thin", "drop-oldest", "refuse-new"] = "thin"


class Status(Settings):
    """`status:` of the file."""

    listen: Annotated[
        str, PlainValidator(read_listen), as_text(r"^(none|\S+:\d+)$", "127.0.0.1:8080", "none")
    ] = "127.0.0.1:8080"
    names: Annotated[
        tuple[str, ...], PlainValidator(read_names), as_text(r"\S", "gateway.lan, 192.168.1.20")
    ] = ()
    certificate: SecretName | None = None
    private_key: SecretName | None = None
    platform_key: SecretName | None = None
    platform_issuer: Words = "tesaiot-platform"


class Health(Settings):
    """`health:` of the file."""

    late_after: Annotated[
        int, PlainValidator(read_late_after), as_text(r"^\d+ readings?$", "3 readings")
    ] = 3
    disk_free_min: Bytes = 200_000_000


def _section(value: Any) -> Any:
    return {} if value is None else value


OrNothing = BeforeValidator(_section)  # a section whose lines are all commented out
Entries = Annotated[dict[Name, Any], OrNothing]


class Gateway(Settings):
    """The whole file. Entries of the three middle sections are read by their kind's own models."""

    version: Annotated[int, PlainValidator(read_version), WithJsonSchema({"enum": [1, "1"]})] = (
        VERSION
    )
    site: Site
    connections: Entries = Field(default_factory=dict)
    devices: Entries = Field(default_factory=dict)
    cloud: Entries = Field(default_factory=dict)
    status: Annotated[Status, OrNothing] = Field(default_factory=Status)
    health: Annotated[Health, OrNothing] = Field(default_factory=Health)
