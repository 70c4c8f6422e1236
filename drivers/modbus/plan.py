"""The compiled plan of one Modbus connection: what `settings` writes and the driver reads back.

Invariants: a block lies in one table and within the device's limits; every point of a block lies in
it whole; a layer's format covers the block from its first byte, with `x` for what nobody asked for.
Addresses are zero-based PDU addresses, times are seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Table(StrEnum):
    """The four address spaces of a Modbus device."""

    COIL = "coil"
    DISCRETE = "discrete"
    HOLDING = "holding"
    INPUT = "input"

    @property
    def of_bits(self) -> bool:
        """Whether its entries are single bits."""
        return self in {Table.COIL, Table.DISCRETE}


# function code of a read, and first digit of the number in a maker's manual (Modbus application
# protocol V1.1b3, sections 6.1 to 6.4; 4.4 for the numbers from one)
FUNCTION = {Table.COIL: 1, Table.DISCRETE: 2, Table.HOLDING: 3, Table.INPUT: 4}
DIGIT = {Table.COIL: 0, Table.DISCRETE: 1, Table.INPUT: 3, Table.HOLDING: 4}
FOUR_DIGITS = 9999  # a manual's number has five digits up to here, six above


def manual(table: Table, address: int) -> str:
    """The number a maker's manual prints for this address: `30013` for input 12."""
    width = 4 if address < FOUR_DIGITS else 5
    return f"{DIGIT[table]}{address + 1:0{width}}"


class Order(StrEnum):
    """How the bytes of a value stand on the wire; A is the most significant."""

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"


class Operation(StrEnum):
    """What a companion register does to a value."""

    EXPONENT = "exponent"
    MULTIPLY = "multiply"
    DIVIDE = "divide"


@dataclass(frozen=True, slots=True)
class Companion:
    """Another register that a value has to be combined with (SunSpec scale factors, CT ratios).

    Attributes:
        point: name under which it is read; hidden, because it begins with `~`.
    """

    point: str
    operation: Operation


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is left to do to a point once its bytes are a number or text.

    Attributes:
        kind: `number`, `text`, `bcd`, `decimal` (four digits a register), `bits`, `flag` and
            what else `conversion.STEPS` knows.
        low_bit, bits: for `bits` and `flag`, which of the raw number.
        absent: raw values that mean "no value", as `struct` reads them (text: as a number).
        nan: for floats, whether a NaN means "no value" too; otherwise it is a fault.
        labels: texts instead of numbers, by the number as text.
    """

    kind: str = "number"
    scale: float = 1.0
    offset: float = 0.0
    absent: Sequence[float] = ()
    nan: bool = False
    low_bit: int = 0
    bits: int = 0
    companion: Companion | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layer:
    """Points of a block that share one byte order and do not overlap.

    Attributes:
        format: for `struct`, without the byte-order sign; empty in tables of bits.
        bits: in tables of bits, where each point stands, counted from the start of the block.
    """

    order: Order
    format: str
    points: Sequence[str]
    bits: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """What one request reads. `count` is in registers, or bits in tables of bits."""

    table: Table
    start: int
    count: int
    layers: Sequence[Layer]

    @property
    def written(self) -> str:
        """As a profile writes a range: `holding 0-71`."""
        return f"{self.table} {self.start}-{self.start + self.count - 1}"


@dataclass(frozen=True, slots=True)
class Round:
    """The requests of one poll: what is read when just these intervals are due together."""

    every_s: Sequence[float]
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Model:
    """A SunSpec model whose place on the device is found at run time.

    Attributes:
        low, high: numbers of models with the same layout, the first of which is taken.
        at: holding register of its id, as the blocks of the plan assume it.
        optional: a device without it is read without its points.
    """

    low: int
    high: int
    at: int
    optional: bool = False

    def holds(self, at: int, others: "Sequence[Model]") -> bool:
        """Whether a register belongs to it rather than to one of the others behind it."""
        return self.at <= at and not any(self.at < other.at <= at for other in others)


@dataclass(frozen=True, slots=True)
class Variant:
    """The same points in other models: what is read where a device has these instead."""

    models: Sequence[Model]
    rounds: Sequence[Round]
    conversions: Mapping[str, Conversion]


@dataclass(frozen=True, slots=True)
class Unit:
    """One device on the line.

    Attributes:
        address: its unit id, 1 to 247.
        profile: for the sentences that speak of it.
        gap_s: silence before a request to it; the line's own is kept as well.
        points: in the order of the profile, for reads on demand.
        conversions: of the points that need one.
        units: UCUM codes by point, for reads on demand; ranges: `min` and `max` likewise.
        writable: points that may be written.
        models: those of SunSpec that have to be found before it can be read.
        instead: how it is read where it has other models than these.
    """

    device: str
    address: int
    profile: str
    timeout_s: float
    gap_s: float
    rounds: Sequence[Round]
    points: Sequence[str] = ()
    conversions: Mapping[str, Conversion] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    writable: Sequence[str] = ()
    models: Sequence[Model] = ()
    instead: Variant | None = None


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A serial line.

    Attributes:
        parity: `N`, `E` or `O`.
        written: as it stands in the file, `9600 8N1`.
        direction: the kernel switches the RS-485 transmitter (TIOCSRS485).
    """

    port: str
    baud: int
    data_bits: int
    parity: str
    stop_bits: int
    written: str
    direction: bool = False

    @property
    def character_s(self) -> float:
        """Time of one character on the wire, seconds."""
        bits = 1 + self.data_bits + (self.parity != "N") + self.stop_bits
        return bits / self.baud


@dataclass(frozen=True, slots=True)
class Host:
    """A device or converter on the network.

    Attributes:
        transport: `tcp`, `tls` or `udp`.
        authority: for TLS: secret or absolute path of the certificate authority; None takes those
            of the system.
        certificate, private_key: for TLS: secrets we show to the device.
    """

    host: str
    port: int
    transport: str = "tcp"
    authority: str | None = None
    certificate: str | None = None
    private_key: str | None = None

    @property
    def secured(self) -> bool:
        """Whether the connection is TLS."""
        return self.transport == "tls"


@dataclass(frozen=True, slots=True)
class Line:
    """One connection: a serial line, or a host with one or more units behind it.

    Attributes:
        framing: `rtu`, `tcp` or `ascii`.
        gap_s: silence between two requests; a serial line keeps at least 3.5 characters.
        timeout_s: for units that are not configured.
    """

    name: str
    framing: str
    gap_s: float
    units: Sequence[Unit]
    serial: SerialPort | None = None
    host: Host | None = None
    timeout_s: float = 0.3

    @property
    def place(self) -> str:
        """How a person finds it."""
        if self.serial is not None:
            return self.serial.port
        return f"{self.host.host}:{self.host.port}" if self.host else self.name
