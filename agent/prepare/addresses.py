"""Names and addresses of the file: what identifies a thing. Each takes text, explains a refusal."""

import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from agent.plan import Json
from agent.prepare.quantities import SWITCHES, between
from agent.prepare.refusal import closest, refuse, text

PREFIX: Final = "secret:"
SPEEDS: Final = (1200, 2400, 4800, 9600, 14400, 19200, 28800, 38400, 57600, 115200)
LONGEST_NAME: Final = 40
_WORDS_OF_YAML: Final = frozenset({*SWITCHES, "y", "n", "null"})
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_SECRET: Final = re.compile(r"(?!\.+$)[A-Za-z0-9._-]{1,128}", re.ASCII)
_LINE: Final = re.compile(r"(\d+)\s+([78])([NEO])([12])", re.ASCII)
_FILE: Final = re.compile(r"[\w./ -]*(?:\.zip|/[\w. -]*)", re.ASCII)
_PAIR: Final = re.compile(r"[0-9A-F]{2}", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?", re.ASCII)
_ADDRESS_6: Final = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class SerialLine:
    """Speed and framing of a serial line, as printed in meter manuals: `9600 8N1`.

    Attributes:
        parity: `N`, `E` or `O`.
    """

    baud: int = 9600
    data_bits: int = 8
    parity: str = "N"
    stop_bits: int = 1

    @property
    def bits(self) -> int:
        """Bits on the wire for one character, start bit included."""
        return 1 + self.data_bits + (self.parity != "N") + self.stop_bits

    @property
    def written(self) -> str:
        """As it stands in the file."""
        return f"{self.baud} {self.data_bits}{self.parity}{self.stop_bits}"

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(serial_line)

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, __: GetJsonSchemaHandler) -> Json:
        return {
            "type": "string",
            "pattern": r"^\d+\s+[78][NEOneo][12]$",
            "examples": ["9600 8N1", "19200 8E1"],
        }


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host name or address (IPv6 without brackets), and the port if one was written."""

    host: str
    port: int | None = None

    @property
    def written(self) -> str:
        """As it stands in the file."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(host_port)

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, __: GetJsonSchemaHandler) -> Json:
        return {
            "type": "string",
            "pattern": r"^\S+$",
            "examples": ["192.168.1.40", "meter.lan:1502"],
        }


class SecretRef(str):
    """The name of a secret that was written `secret:NAME`."""

    __slots__ = ()


class BundleRef(SecretRef):
    """The name of a secret that holds a credential bundle of the platform."""

    __slots__ = ()


def name(value: Any) -> str:
    """A name of the technician's own: lower-case letters, digits, `-`, up to 40 characters."""
    written = text(value)
    if written.lower() in _WORDS_OF_YAML:
        message = f"'{written}' cannot be a name: other tools read it as yes, no or nothing"
        refuse(message, fix="give it another name", code="name")
    if not _NAME.fullmatch(written):
        plain = re.sub(r"[^a-z0-9]+", "-", written.lower()).strip("-")[:LONGEST_NAME]
        message = f"'{written}' is not a name we can use"
        note = f"names have lower-case letters, digits and -, up to {LONGEST_NAME} characters"
        refuse(message, note=note, fix=f"write {plain}" if plain else None, code="name")
    return written


def secret_name(value: Any) -> SecretRef:
    """`secret:NAME` → NAME. The reporter adds the fix, because it knows the setting."""
    written = text(value)
    if not written.startswith(PREFIX):
        refuse("a secret must not stand in this file", code="secret_in_file")
    return SecretRef(_checked_secret(written))


def bundle_name(value: Any) -> BundleRef:
    """`secret:NAME` of a credential bundle → NAME."""
    written = text(value)
    if not written.startswith(PREFIX) and not _FILE.fullmatch(written):
        refuse("a secret must not stand in this file", code="secret_in_file")
    if not written.startswith(PREFIX):
        message = f"'{written}' is a file name; a bundle holds keys and is stored as a secret"
        fix = "{fieldpost} enroll FILE.zip  stores it and prints the line to write here"
        refuse(message, fix=fix, code="bundle")
    return BundleRef(_checked_secret(written))


def secret_or_path(value: Any) -> str:
    """`secret:NAME` → `SecretRef`, or an absolute path as it is."""
    written = text(value)
    if written.startswith(PREFIX):
        return SecretRef(_checked_secret(written))
    if not written.startswith("/"):
        fix = "write secret:NAME, or a path that begins with /"
        refuse(f"'{written}' is neither a secret nor a path", fix=fix, code="path")
    return written


def serial_line(value: Any) -> SerialLine:
    """`9600 8N1` → `SerialLine`."""
    written = text(value)
    match = _LINE.fullmatch(written.upper())
    if not match:
        fix = "write speed, data bits, parity, stop bits - for example 9600 8N1 or 19200 8E1"
        refuse(f"'{written}' is not a serial line setting", fix=fix, code="line")
    speed, data, parity, stop = match.groups()
    if int(speed[:9]) not in SPEEDS:
        near = closest(speed[:9], [str(s) for s in SPEEDS])
        usual = f"did you mean {near} {data}{parity}{stop}?"
        fix = usual if near else f"usual are {', '.join(str(s) for s in SPEEDS)}"
        refuse(f"{speed} is not a usual speed", fix=fix, code="line")
    return SerialLine(int(speed), int(data), parity, int(stop))


def mac(value: Any) -> str:
    """A Bluetooth address, `:` or `-`, any case → `A4:C1:38:A1:B2:C3`."""
    written = text(value)
    pairs = re.split("[:-]", written.upper())
    bad = [pair for pair in pairs if not _PAIR.fullmatch(pair)]
    if bad or len(pairs) != 6:  # noqa: PLR2004 -- an EUI-48 has six octets
        why = f"'{bad[0]}' is not a pair of 0-9 A-F" if bad else f"it has {len(pairs)} pairs, not 6"
        fix = "copy it from `fieldpost scan ble` or from the sensor label, like A4:C1:38:A1:B2:C3"
        refuse(f"'{written}' is not a Bluetooth address: {why}", fix=fix, code="mac")
    return ":".join(pairs)


def host_port(value: Any) -> HostPort:
    """`192.168.1.40`, `meter.lan:1502`, `fe80::1`, `[fe80::1]:502`."""
    written = text(value)
    match = re.fullmatch(r"(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:]*))(?::(?P<port>\d+))?", written)
    host = written if match is None else match["six"] or match["host"] or ""
    if not (_ADDRESS_6 if match is None or match["six"] else _HOST).fullmatch(host):
        fix = "write a name or an address, like meter.lan or 192.168.1.40"
        refuse(f"'{written}' is not a host name or address", fix=fix, code="host")
    if match is None or match["port"] is None:
        return HostPort(host)
    return HostPort(host, between(1, 65535, "a port")(match["port"]))


def _checked_secret(written: str) -> str:
    found = written.removeprefix(PREFIX)
    if not _SECRET.fullmatch(found):
        message = f"'{found}' is not the name of a secret"
        fix = "write secret:NAME; a name has letters, digits, '.', '_' and '-'"
        refuse(message, fix=fix, code="secret_name")
    return found
