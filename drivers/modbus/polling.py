"""The schedule of one line: reads what is due, gives silent units what is left over."""

import asyncio
import math
from collections.abc import Iterable, Sequence

from agent.driver import DeviceFault, Sample, Sink, Value
from drivers.modbus import faults
from drivers.modbus.agenda import Agenda
from drivers.modbus.breaker import Budget
from drivers.modbus.bus import Bus
from drivers.modbus.frames import Damaged, Refused, Silent, payload
from drivers.modbus.layout import Field, fields_of
from drivers.modbus.models import locate
from drivers.modbus.plan import Line
from drivers.modbus.station import Ready, Station
from drivers.modbus.tally import share


class Polling:
    """Reads all stations of a line for as long as it runs.

    Args:
        line: the plan.
        stations: one for each unit of it.
        bus: an open one.
        sink: where samples and faults go.
    """

    def __init__(self, line: Line, stations: Sequence[Station], bus: Bus, sink: Sink) -> None:
        self._line, self._stations, self._bus, self._sink = line, stations, bus, sink
        self._budget = Budget()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            DriverError: the line was lost.
        """
        intervals = [station.intervals_ms for station in self._stations]
        agenda = Agenda(intervals, math.ceil(self._loop.time() * 1000))
        while True:
            now_s = self._loop.time()
            due_ms = agenda.next_ms()
            due_s = math.inf if due_ms is None else due_ms / 1000
            silent = self._silent_one(now_s, due_s)
            if silent is not None:
                await self._again(silent, spare=due_s - now_s > self._wait_s(silent))
            elif due_s <= now_s:
                await self._due(agenda, now_s)
            else:
                await self._rest(now_s, due_s)

    async def _rest(self, now_s: float, due_s: float) -> None:
        """Sleep until the next thing is due, or a silent unit may be asked."""
        asking = [s.breaker.ready_s for s in self._stations if s.pending]
        if asking and min(asking) <= now_s:
            asking = [max(now_s + 0.1, self._budget.enough_at(now_s))]
        until_s = min([due_s, *asking])
        await asyncio.sleep(min(until_s, now_s + 3600.0) - now_s)

    async def _due(self, agenda: Agenda, now_s: float) -> None:
        due = agenda.take(math.floor(now_s * 1000))
        station = self._stations[due.unit]
        if station.pending or station.dear_s:
            self._postpone(station, due.every_ms)
            return
        if due.skipped:
            self._bus.measured.skipped += due.skipped
            self._sink.fault(station.unit.device, None, faults.overrun(self._line, due.skipped))
        await self._poll(station, due.every_ms)
        self._bus.measured.polled(self._loop.time() - now_s)

    def _silent_one(self, now_s: float, due_s: float) -> Station | None:
        """A silent unit that may be asked now: nobody is kept waiting, or the budget allows it."""
        ready = [s for s in self._stations if s.pending and s.breaker.ready_s <= now_s]
        if not ready:
            return None
        station = min(ready, key=lambda s: s.breaker.ready_s)
        spare_s = due_s - now_s
        alone = len(self._stations) == 1
        if alone or spare_s > self._wait_s(station) or self._budget.allows(now_s):
            return station
        return None

    async def _again(self, station: Station, *, spare: bool) -> None:
        """Ask a unit that was silent: for one register, until it answers."""
        if station.breaker.open:
            if not await self._probe(station, spare=spare):
                return
            station.located = not station.planned.models  # another firmware may have moved them
        every, station.pending = station.pending, frozenset()
        await self._poll(station, every, spare=spare)

    def _postpone(self, station: Station, every_ms: frozenset[int]) -> None:
        """Read it when the line has time; what it missed meanwhile is told of one that answers."""
        if station.pending & every_ms and not station.breaker.tries:
            self._bus.measured.skipped += 1
            self._sink.fault(station.unit.device, None, faults.slow(station.unit))
        station.pending |= every_ms

    async def _probe(self, station: Station, *, spare: bool) -> bool:
        began_s = self._loop.time()
        try:
            heard = await self._bus.ask(station.unit, station.probe())
            payload(heard.pdu)
        except Silent:
            self._unanswered(station, began_s, spare=spare)
            return False
        except Refused as error:
            if error.code in faults.BEHIND_CONVERTER:
                self._unanswered(station, began_s, spare=spare)
                return False
        except Damaged as error:
            station.tally.add(self._loop.time(), damaged=True)
            if self._in_vain(station, began_s):
                fault = self._damaged(station, error)
                self._unanswered(station, began_s, spare=spare, fault=fault)
                return False
        return True

    async def _poll(
        self, station: Station, every_ms: frozenset[int], *, spare: bool = False
    ) -> None:
        """One scheduled read: one sample of what was good, a fault for what was not."""
        began_s, station.dear_s = self._loop.time(), 0.0
        values: dict[str, Value] = {}
        try:
            await self._find(station)
            for ready in list(station.round(every_ms)):
                await self._read(station, ready, values)
        except Silent:
            if values:
                await self._put(station, values)
            station.pending = every_ms
            self._unanswered(station, began_s, spare=spare)
            return
        except DeviceFault as error:
            if self._in_vain(station, began_s):
                station.pending = every_ms
                self._unanswered(station, began_s, spare=spare, fault=error)
            else:
                self._sink.fault(station.unit.device, None, error)
            return
        station.breaker.answered()
        station.heard = True
        if station.dear_s:
            self._cost(station, began_s, spare=spare)
        await self._put(station, values)

    async def _find(self, station: Station) -> None:
        """Where its models are; a look at a flag but for the first time.

        Raises:
            Silent: no answer.
            DeviceFault: it has no such models, or its answers do not arrive whole.
        """
        try:
            await locate(self._bus, station)
        except Damaged as error:
            station.tally.add(self._loop.time(), damaged=True)
            raise self._damaged(station, error) from error

    async def _read(self, station: Station, ready: Ready, values: dict[str, Value]) -> None:
        """One block into `values`.

        Raises:
            Silent: no answer.
            DeviceFault: no answer that can be used.
        """
        try:
            heard = await self._bus.ask(station.unit, ready.request)
            data = payload(heard.pdu)
        except Damaged as error:
            station.tally.add(self._loop.time(), damaged=True)
            raise self._damaged(station, error) from error
        except Refused as error:
            station.tally.add(self._loop.time(), damaged=False)
            await self._refused(station, ready, error, values)
            return
        station.tally.add(self._loop.time(), damaged=False)
        if heard.late:
            station.dear_s = station.unit.timeout_s
        decoded = ready.codec.decode(data)
        values.update(decoded.values)
        self._unreadable(station, decoded.unreadable)

    async def _refused(
        self, station: Station, ready: Ready, error: Refused, values: dict[str, Value]
    ) -> None:
        """Cut the block and read its pieces now; a single point that is refused is a fault."""
        first = min(fields_of(ready.block), key=_address)
        if error.code in faults.BEHIND_CONVERTER:
            raise Silent from error
        if error.code in faults.BUSY:
            raise faults.refused(station.unit, error, first) from error
        parts = station.split(ready) if error.code in faults.NOT_THERE else ()
        smaller = all(part.block.count < ready.block.count for part in parts)
        # models stand elsewhere than their plan says
        if parts and smaller and not station.unit.models:
            self._bus.measured.refused(station.unit.device, ready.block.written)
        for part in parts:
            await self._read(station, part, values)
        if parts:
            return
        for field in fields_of(ready.block):
            self._sink.fault(
                station.unit.device, field.point, faults.refused(station.unit, error, field)
            )

    async def _put(self, station: Station, values: dict[str, Value]) -> None:
        at = self._sink.now()
        self._unreadable(station, station.finish(values))
        await self._sink.put(Sample(station.unit.device, at, values))

    def _unreadable(self, station: Station, points: Iterable[str]) -> None:
        for point in points:
            self._sink.fault(station.unit.device, point, faults.not_a_number([point]))

    def _unanswered(
        self, station: Station, began_s: float, *, spare: bool, fault: DeviceFault | None = None
    ) -> None:
        """It is silent; or what it says is of no use and costs as much, which `fault` says."""
        self._cost(station, began_s, spare=spare)
        opened = station.breaker.silent(self._loop.time(), station.dear_s)
        if fault is not None:
            self._sink.fault(station.unit.device, None, fault)
        elif opened:
            self._sink.fault(station.unit.device, None, self._no_answer(station))

    def _cost(self, station: Station, began_s: float, *, spare: bool) -> None:
        """What was waited for in vain goes on the budget, unless nobody else wanted the line."""
        now_s = self._loop.time()
        station.dear_s = now_s - began_s
        if not spare:
            self._budget.spend(now_s, station.dear_s)

    def _in_vain(self, station: Station, began_s: float) -> bool:
        """Whether this has cost as much as silence."""
        return self._loop.time() - began_s >= 2 * station.unit.timeout_s

    def _no_answer(self, station: Station) -> DeviceFault:
        if len(self._stations) > 1 and all(s.breaker.open for s in self._stations):
            return faults.nobody(self._line)
        others = any(s.heard and not s.breaker.tries for s in self._stations if s is not station)
        return faults.no_answer(self._line, station.unit, others_answer=others)

    def _damaged(self, station: Station, error: Damaged) -> DeviceFault:
        now_s = self._loop.time()
        others = [s.tally.counts(now_s) for s in self._stations if s is not station]
        total = sum(c[0] for c in others), sum(c[1] for c in others)
        return faults.damaged(error, share(station.tally.counts(now_s)), share(total))

    def _wait_s(self, station: Station) -> float:
        """What asking in vain costs: the timeout, and as long again of silence, if not more."""
        return max(2 * station.unit.timeout_s, station.dear_s)


def _address(field: Field) -> int:
    return field.at
