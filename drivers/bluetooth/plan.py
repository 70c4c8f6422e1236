"""What `settings` compiles and the driver runs: one radio, and the sensors heard or asked by it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pick:
    """One point of a sensor that advertises.

    Attributes:
        source: the decoder's own name of the value: `temperature`, `humidity_2`, `button`.
        part: of a sensor that speaks for several (`primary`, `remote`); None is the sensor itself.
        form: `number`, `bool` (a switch: door open, motion) or `text` (an event: button pressed).
        scale, offset: value = number x scale + offset.
        unit: UCUM code or None.
        low, high: plausible range, for reads on demand.
    """

    point: str
    source: str
    part: str | None = None
    form: str = "number"
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Beacon:
    """One sensor that is only listened to.

    Attributes:
        mac: upper case, with colons.
        decoder: key of `decoders.DECODERS`.
        key: name of the secret with its bind key.
        name: what it calls itself, where its decoder needs that and a passive scan does not
            hear it.
    """

    device: str
    mac: str
    decoder: str
    picks: Sequence[Pick]
    key: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One point of a sensor that is connected to.

    Attributes:
        uuid: of the characteristic, full length.
        form: `uint16`, `float32`, `text`, …
        big: most significant byte first.
        at: first byte of the value, from 0.
    """

    point: str
    uuid: str
    form: str
    big: bool = False
    at: int = 0
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Sensor:
    """One sensor that is connected to.

    Attributes:
        every_s: seconds between two visits.
        keep_connected: the link stays up between visits.
    """

    device: str
    mac: str
    every_s: float
    asks: Sequence[Ask]
    keep_connected: bool = False


@dataclass(frozen=True, slots=True)
class RadioPlan:
    """One adapter.

    Attributes:
        passive: only listen; else sensors are asked for more, which drains their batteries.
    """

    adapter: str
    passive: bool
    beacons: Sequence[Beacon]
    sensors: Sequence[Sensor] = ()


@dataclass(frozen=True, slots=True)
class Timing:
    """What the driver waits for, seconds; tests wait less.

    Attributes:
        start_s: for a scan to begin; a driver without its hardware gives up within five seconds.
        check_s: between two looks at the adapter.
        silence_s: without any advertisement, until the scan is started again. BlueZ before 5.88
            may believe that it scans when the kernel does not.
        repeat_s: a sensor that says the same again has still said it; so often that counts.
        connect_s: for a link, its services and all reads of one visit.
        answer_s: a read on demand waits so long for the next advertisement, or a visit; who
            asks waits for ten seconds.
    """

    start_s: float = 4.0
    check_s: float = 2.0
    silence_s: float = 90.0
    repeat_s: float = 30.0
    connect_s: float = 20.0
    answer_s: float = 9.0
