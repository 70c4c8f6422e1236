"""Faults 32, 33 and 40: a dead or bad slave among twenty; noise, late answers; a slow line.

A quarter of an hour on virtual time: real schedule, real framing, and copper that knows what
it carried. The same faults on real ptys, with slaves nobody here wrote, are in `tests/peers`.
"""

import asyncio
import random
from collections.abc import Iterator
from itertools import pairwise

from agent import plan
from agent.clock import SystemClock
from agent.driver import DeviceFault, Instant, Reason, Sample
from drivers.modbus.agenda import Agenda
from drivers.modbus.breaker import Breaker
from drivers.modbus.bus import Bus
from drivers.modbus.frames import Damaged, RtuFraming, Silent
from drivers.modbus.plan import Line
from drivers.modbus.polling import Polling
from drivers.modbus.requests import Request
from drivers.modbus.station import Station
from drivers.modbus.wire import Ask, Heard
from tests.drivers.modbus import plant
from tests.simulation.loop import VirtualLoop

UNITS = range(1, 21)
EVERY_S = 1.0
RUN_S = 900.0
SILENCE_CHARACTERS = 3.5
SHARE = 0.06  # of the line's time, for a silent unit; the product allows 0.05
FAULTS_MAX = 25  # a probe a minute, and those before the pauses have grown
KEPT = 0.95  # of their polls, for those who are well
BURST_S = 0.05  # noise of a babbling unit
BEHIND_S = 0.01  # how much too late a slow unit answers


class Copper:
    """A `Wire` that knows who answers, how fast, and what noise there is.

    Attributes:
        dead, late: units that never answer, and that answer into the next exchange.
        slow: units that answer just behind the timeout.
        foreign: units that answer in another's name.
        babbles_s: how often a unit that nobody has asked says something.
        flips: chance that a bit of an answer is flipped.
    """

    def __init__(self, baud: int, framing: RtuFraming) -> None:
        self.character_s = 10 / baud
        self.framing = framing
        self.dead: set[int] = set()
        self.late: set[int] = set()
        self.slow: set[int] = set()
        self.foreign: set[int] = set()
        self.babbles_s = 0.0
        self.flips = 0.0
        self.opened = self.closed = 0
        self.in_vain_s = 0.0
        self._behind = b""
        self._dice = random.Random(33)  # noqa: S311 - noise that repeats

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.closed += 1

    async def exchange(self, ask: Ask) -> Heard:
        asked = self.framing.frame(ask.request, 0)
        await asyncio.sleep(self._noisy_s())
        await asyncio.sleep((len(asked) + SILENCE_CHARACTERS) * self.character_s)
        if ask.request.unit in self.dead | self.late:
            await self._in_vain(ask)
        slow = ask.request.unit in self.slow
        if slow:
            await asyncio.sleep(ask.timeout_s + BEHIND_S)
        if ask.request.unit in self.foreign:
            await asyncio.sleep(2 * ask.timeout_s)
            what = "an answer to another question"
            raise Damaged(what, b"")
        heard, self._behind = bytearray(self._behind + self._said(ask.request)), b""
        took_s = len(heard) * self.character_s
        await asyncio.sleep(took_s)
        if self._noisy_s():
            heard[-1] ^= 0xFF
        answer = self.framing.find(heard, ask.request, 0)
        if answer is None:
            what = "noise"
            raise Damaged(what, bytes(heard))
        return Heard(self.framing.pdu(answer), asked, answer, took_s, slow)

    def _noisy_s(self) -> float:
        """For how much longer somebody talks unasked."""
        since_s = asyncio.get_running_loop().time() % self.babbles_s if self.babbles_s else BURST_S
        return max(0.0, BURST_S - since_s)

    async def _in_vain(self, ask: Ask) -> None:
        waits_s = 2 * ask.timeout_s
        self.in_vain_s += waits_s
        await asyncio.sleep(waits_s)
        if ask.request.unit in self.late:
            self._behind = self._said(ask.request)
        raise Silent

    def _said(self, request: Request) -> bytes:
        start, count = request.pdu[1] << 8 | request.pdu[2], request.pdu[3] << 8 | request.pdu[4]
        values = [truth(request.unit, start + place) for place in range(count)]
        data = b"".join(value.to_bytes(2) for value in values)
        frame = bytearray(plant.rtu_frame(bytes([request.unit, 3, len(data)]) + data))
        if self._dice.random() < self.flips:
            frame[self._dice.randrange(len(frame))] ^= 1 << self._dice.randrange(8)
        return bytes(frame)


def truth(unit: int, register: int) -> int:
    """What a register of a unit holds."""
    return 1000 * unit + register


class Keeping:
    """A sink that notes when."""

    def __init__(self) -> None:
        self.at_s: dict[str, list[float]] = {f"m{unit}": [0.0] for unit in UNITS}
        self.wrong: list[str] = []
        self.faults: list[tuple[str, Reason]] = []
        self._clock = SystemClock()

    def now(self) -> Instant:
        return self._clock.now()

    async def put(self, sample: Sample) -> None:
        self.at_s[sample.device].append(asyncio.get_running_loop().time())
        unit = int(sample.device[1:])
        if dict(sample.values) != {"a": truth(unit, 0), "b": truth(unit, 3)}:
            self.wrong.append(f"I2: {sample.device} said {sample.values}")

    def fault(self, device: str, point: str | None, error: DeviceFault) -> None:
        del point
        self.faults.append((device, error.reason))


class NeverOpens(Breaker):
    """A silent unit is read as often as the others."""

    def silent(self, now_s: float, wait_s: float) -> bool:
        del now_s, wait_s
        return True


class Credulous(RtuFraming):
    """Whatever comes is the answer."""

    def find(self, heard: bytes | bytearray, request: Request, number: int) -> bytes | None:
        del number
        return bytes(heard[: request.length])


class CatchesUp(Polling):
    """What was missed is read afterwards, and nobody is told."""

    async def _due(self, agenda: Agenda, now_s: float) -> None:
        due = agenda.take(int(now_s * 1000))
        for _ in range(1 + due.skipped):
            await self._poll(self._stations[due.unit], due.every_ms)


class Impartial(Polling):
    """Who keeps the line waiting gets his turn as everybody does, as long as he says anything."""

    def _cost(self, station: Station, began_s: float, *, spare: bool) -> None:
        super()._cost(station, began_s, spare=spare)
        station.dear_s = 0.0

    def _in_vain(self, station: Station, began_s: float) -> bool:
        del station, began_s
        return False


POLLINGS = {"polling": CatchesUp, "turns": Impartial}


class Watched:
    """A line for a while, and what was heard on it.

    Args:
        bad: the part that is bad in this build, if any: "breaker", "framing", "polling", "turns".
    """

    def __init__(self, baud: int = 9600, bad: str = "", timeout: str = "200ms") -> None:
        like = plant.profile("a: holding 0 uint16; b: holding 3 uint16")
        devices = [plant.device(f"m{unit}", unit, like, every="1s") for unit in UNITS]
        line = {"line": f"{baud} 8N1", "timeout": timeout}
        self.line = plan.from_json(Line, plant.on_line("/dev/null", devices, **line).spec)
        self.copper = Copper(baud, Credulous() if bad == "framing" else RtuFraming())
        self.sink = Keeping()
        self.bad = bad

    def run(self, seconds: float = RUN_S) -> Keeping:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(self._run(seconds))
        return self.sink

    async def _run(self, seconds: float) -> None:
        stations = [Station(unit) for unit in self.line.units]
        for station in stations:
            station.breaker = NeverOpens() if self.bad == "breaker" else station.breaker
        polling = POLLINGS.get(self.bad, Polling)
        async with Bus(self.line, self.copper) as bus:
            try:
                async with asyncio.timeout(seconds):
                    await polling(self.line, stations, bus, self.sink).run()
            except TimeoutError:
                if self.copper.closed:
                    self.sink.wrong.append("I8: the port was closed for one silent unit")


def longest_gap_s(sink: Keeping, but: str) -> float:
    """The longest time in which a living unit was not read, the first minute left out."""
    gaps = [
        later - earlier
        for device, at_s in sink.at_s.items()
        if device != but
        for earlier, later in pairwise([*at_s, RUN_S])
        if earlier > 60.0
    ]
    return max(gaps, default=RUN_S)


def with_a_dead_one(bad: str = "") -> list[str]:
    line = Watched(bad=bad)
    line.copper.dead = {7}
    sink = line.run()
    told = [reason for device, reason in sink.faults if device == "m7"]
    if (gap_s := longest_gap_s(sink, "m7")) > 2 * EVERY_S:
        sink.wrong.append(f"I8: a unit waited {gap_s:.1f} s")
    if line.copper.in_vain_s > SHARE * RUN_S:
        sink.wrong.append(f"I8: {line.copper.in_vain_s:.0f} s in vain")
    if not 1 <= len(told) <= FAULTS_MAX or {*told} != {Reason.NO_ANSWER}:
        sink.wrong.append(f"I9: told {len(told)} times: { ({*told}) }")
    return sink.wrong


def test_a_dead_slave_costs_nineteen_others_nothing() -> None:
    assert with_a_dead_one() == []


def test_a_schedule_that_gives_it_its_turn_is_caught() -> None:
    assert with_a_dead_one("breaker") != []


def those_who_keep(sink: Keeping, but: int) -> Iterator[str]:
    for unit in UNITS:
        share = (len(sink.at_s[f"m{unit}"]) - 1) / (RUN_S / EVERY_S)
        if unit != but and share < KEPT:
            yield f"I8: m{unit} kept {share:.0%} of its polls"


def with_a_slow_one(bad: str = "") -> list[str]:
    """It answers all the time, and each of its answers costs more than the others leave."""
    line = Watched(bad=bad, timeout="700ms")
    line.copper.slow = {7}
    sink = line.run()
    if len(sink.at_s["m7"]) < RUN_S / 60:
        sink.wrong.append("I7: it was hardly read")
    if not any(told == ("m7", Reason.OVERRUN) for told in sink.faults):
        sink.wrong.append("I9: nobody was told")
    return [*sink.wrong, *those_who_keep(sink, but=7)]


def test_a_slave_that_answers_behind_its_timeout_costs_nineteen_others_nothing() -> None:
    assert with_a_slow_one() == []


def test_a_schedule_that_waits_for_it_each_time_is_caught() -> None:
    assert with_a_slow_one("turns") != []


def test_a_slow_slave_keeps_its_interval_where_the_line_has_time() -> None:
    line = Watched()
    line.copper.slow = {7}
    assert [*those_who_keep(line.run(), but=0)] == []


def with_one_that_says_another_name(bad: str = "") -> list[str]:
    line = Watched(bad=bad)
    line.copper.foreign = {7}
    sink = line.run()
    told = [reason for device, reason in sink.faults if device == "m7"]
    if not 1 <= len(told) <= FAULTS_MAX or {*told} != {Reason.DAMAGED}:
        sink.wrong.append(f"I9: told {len(told)} times: { ({*told}) }")
    return [*sink.wrong, *those_who_keep(sink, but=7)]


def test_a_slave_that_answers_in_another_name_costs_nineteen_others_nothing() -> None:
    assert with_one_that_says_another_name() == []


def test_a_schedule_that_asks_it_three_times_a_turn_is_caught() -> None:
    assert with_one_that_says_another_name("turns") != []


def test_a_slave_that_talks_unasked_costs_nobody_a_poll() -> None:
    line = Watched()
    line.copper.babbles_s = 0.7
    sink = line.run()
    assert [*sink.wrong, *those_who_keep(sink, but=0)] == []


def with_noise(bad: str = "") -> list[str]:
    line = Watched(bad=bad)
    line.copper.flips, line.copper.late = 0.05, {3}
    sink = line.run(RUN_S)
    if any(len(at_s) < RUN_S / 3 for device, at_s in sink.at_s.items() if device != "m3"):
        sink.wrong.append(f"I7: {min(map(len, sink.at_s.values()))} samples")
    return sink.wrong


def test_noise_and_answers_of_the_one_before_are_never_values() -> None:
    assert with_noise() == []


def test_who_believes_whatever_comes_is_caught() -> None:
    assert with_noise("framing") != []


def on_a_slow_line(bad: str = "") -> list[str]:
    sink = Watched(1200, bad).run()
    counts = [len(at_s) for at_s in sink.at_s.values()]
    if not any(reason is Reason.OVERRUN for _, reason in sink.faults):
        sink.wrong.append("I9: nobody was told")
    if max(counts) > 1.25 * min(counts) or longest_gap_s(sink, "") > 10 * EVERY_S:
        sink.wrong.append(f"I8: between {min(counts)} and {max(counts)} samples")
    return sink.wrong


def test_a_line_slower_than_its_plan_skips_evenly_and_says_so() -> None:
    assert on_a_slow_line() == []


def test_a_schedule_that_catches_up_in_silence_is_caught() -> None:
    assert on_a_slow_line("polling") != []
