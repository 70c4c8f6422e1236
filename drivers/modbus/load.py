"""How busy a connection will be, which device costs what, and what to change; `prepare` alone.

A serial line's own time is physics, and a plan that needs more than all of it is refused. How long
the devices think before they answer is what the daemon has measured, else an assumption; a plan
that only this makes too slow is told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from agent.prepare.kinds import Problem, Severity, Spot
from drivers.modbus import airtime
from drivers.modbus.plan import Block, Line, Unit
from drivers.modbus.serial_wire import silence_s

THINKS_S: Final = 0.05  # a meter on a serial line, until it has been measured
ROUND_TRIP_S: Final = 0.004  # of a request on a local network, with what it costs us; likewise
FULL, BUSY = 1.0, 0.8
LEAST: Final = 0.005  # of the time, that is told as a number
SPEEDS: Final = (9600, 19200, 38400, 57600, 115200)


@dataclass(frozen=True, slots=True)
class Part:
    """One device's part of a connection's time.

    Attributes:
        share: seconds of every second, with its thinking; `talking`: of its bytes and gaps alone.
        every_s: its shortest interval.
        thinks_s: before it begins to answer.
        measured: that it was measured, not assumed.
    """

    device: str
    share: float
    talking: float
    every_s: float
    thinks_s: float
    measured: bool

    @property
    def told(self) -> str:
        """`main-meter 20 % (answers after 18 ms, measured)`."""
        how = "measured" if self.measured else "assumed"
        after = f"answers after {self.thinks_s * 1000:.0f} ms, {how}"
        return f"{self.device} {_percent(self.share)} ({after})"


def assumed_s(line: Line) -> float:
    """How long devices think that nobody has measured."""
    return ROUND_TRIP_S if line.serial is None else THINKS_S


def parts_of(line: Line, thinks_s: Mapping[str, float]) -> Sequence[Part]:
    """What each device costs, the dearest first.

    Args:
        line: the plan.
        thinks_s: of the devices that have been measured.
    """
    parts = [_part(line, unit, thinks_s.get(unit.device)) for unit in line.units]
    return sorted(parts, key=lambda part: -part.share)


def fact(line: Line, parts: Sequence[Part]) -> str:
    """What `check` says of a connection that is well."""
    at = f" at {line.serial.baud} baud" if line.serial else ""
    busy = _percent(sum(part.share for part in parts))
    return f"{line.name}: busy {busy} of the time{at}: {', '.join(part.told for part in parts)}"


def problems(line: Line, parts: Sequence[Part]) -> Iterator[Problem]:
    """Whether the connection can carry what it is asked (`config-and-cli`, 5.3)."""
    talking, busy = sum(p.talking for p in parts), sum(p.share for p in parts)
    if talking <= FULL and busy <= BUSY:
        return
    what = "wire" if line.serial else "connection"
    message = f"this {what} is busy {_percent(busy)} of the time"
    if busy > FULL:
        message = (
            f"this {what} is too slow for what it is asked: it needs {busy:.2f} s of every second"
        )
    at = f" at {line.serial.baud} baud" if line.serial else ""
    yield Problem(
        ("connections", line.name),
        message,
        fix=_relief(line, parts, busy),
        note=f"{', '.join(part.told for part in parts)} of the time{at}",
        severity=Severity.ERROR if talking > FULL else Severity.WARNING,
        spot=Spot.KEY,
        code="bus_time",
    )


def _part(line: Line, unit: Unit, measured_s: float | None) -> Part:
    thinks_s = assumed_s(line) if measured_s is None else measured_s
    quiet_s = max(line.gap_s, unit.gap_s, silence_s(line.serial) if line.serial else 0.0)

    def price(pause_s: float) -> float:
        def of(block: Block) -> float:
            return airtime.request_s(block, line.serial) + quiet_s + pause_s

        prices = {n: sum(map(of, each.blocks)) for n, each in enumerate(unit.rounds)}
        return airtime.share(unit.rounds, prices)

    every_s = min((e for each in unit.rounds for e in each.every_s), default=1.0)
    return Part(unit.device, price(thinks_s), price(0.0), every_s, thinks_s, measured_s is not None)


def _relief(line: Line, parts: Sequence[Part], total: float) -> str:
    """Read the dearest device less often, all where it alone is not enough, or speed up."""
    worst = parts[0]
    left = BUSY - (total - worst.share)
    every_s = worst.every_s
    if left > 0:
        enough_s = every_s * worst.share / left
        fix = f"read {worst.device} every {airtime.written(airtime.nice(enough_s))}"
    else:
        fix = f"read each device {ceil(total / BUSY)} times less often"
    faster = _faster(line, parts)
    return f"{fix}, or set the meters and `line:` to {faster}" if faster else fix


def _faster(line: Line, parts: Sequence[Part]) -> str:
    """The lowest speed that is enough; empty where none is: thinking and gaps stay as they are."""
    if line.serial is None:
        return ""
    thinks_s = {part.device: part.thinks_s for part in parts}
    for baud in (speed for speed in SPEEDS if speed > line.serial.baud):
        there = replace(line, serial=replace(line.serial, baud=baud))
        if sum(part.share for part in parts_of(there, thinks_s)) <= BUSY:
            return f"{baud} {line.serial.written.split()[1]}"
    return ""


def _percent(share: float) -> str:
    if 0 < share < LEAST:
        return "under 1 %"
    return f"{share * 100:.0f} %"
