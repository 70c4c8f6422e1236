"""Listens to one serial line and gives every device on it its own samples."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.driver import (
    DeviceFault,
    Driver,
    Json,
    Quality,
    Reading,
    Reason,
    Sample,
    Secret,
    Sink,
    Traffic,
    gone,
    identity,
)
from agent.driver.serial_port import SYSTEM
from agent.errors import DeviceNotFoundError, NotFoundError
from agent.plan import from_json
from drivers.serial_line.cycle import QUIET_NS, Cycle, Heard
from drivers.serial_line.dsmr import Telegrams
from drivers.serial_line.frames import Damage, Framer, Line
from drivers.serial_line.plan import Found, LinePlan, Pick, Speaker
from drivers.serial_line.port import Port
from drivers.serial_line.readers import framer_of, reader
from drivers.serial_line.tap import Tap

FAULT_EVERY_NS = 1_000_000_000  # a damaged line counts like a sample: about one a second
LOOK = "Look at the plug, the cable and `line:`, which says {line}."

# which adapter was behind a port when it was last open; the driver is made anew each time
_last_seen: dict[str, str] = {}


def open_driver(spec: Json, secrets: Mapping[str, Secret]) -> Driver:
    """The driver of one serial line, without I/O."""
    del secrets  # a serial line has none
    return LineDriver(from_json(LinePlan, spec))


@dataclass(frozen=True, slots=True)
class Patience:
    """What the driver waits for, seconds; tests wait less.

    Attributes:
        end_s: of silence, after which the end of a line does not come any more.
        next_s: `read` waits so long for the device to speak; who asks waits for ten.
    """

    end_s: float = 5.0
    next_s: float = 9.0


class _Listener:
    """One device of the line while it is being listened to."""

    def __init__(self, speaker: Speaker) -> None:
        self.device = speaker.device
        self.reader = reader(speaker)
        self.picks = speaker.picks
        self.cycle = Cycle(len(speaker.picks))
        self.fault_again_ns = 0
        self.waiting: set[asyncio.Future[Heard]] = set()


class LineDriver:
    """All devices that speak on one serial line.

    Args:
        plan: the port and who speaks on it.
        system: where the kernel tells which adapter is which.
        patience: what is waited for.
    """

    def __init__(
        self, plan: LinePlan, system: Path = SYSTEM, patience: Patience | None = None
    ) -> None:
        self._plan = plan
        self._system = system
        self._patience = patience or Patience()
        self._listeners = [_Listener(speaker) for speaker in plan.speakers]
        self._open = False
        self._tap = Tap()

    def traffic(self) -> AsyncGenerator[Traffic, None]:
        """Every line from now on, and whose it is."""
        return self._tap.traffic()

    async def run(self, sink: Sink) -> None:
        """Listen until cancelled.

        Raises:
            DriverError: the port is absent, lost, or belongs to another program.
        """
        try:
            async with Port(self._plan) as port:
                self._open = True
                self._recognise(sink)
                await self._listen(port, sink)
        finally:
            self._open = False
            self._tap.end()

    async def read(self, device: str, point: str | None) -> Sequence[Reading]:
        """What the device says next.

        Raises:
            DeviceFault: it said nothing in time.
            DriverError: the port is not open.
            NotFoundError: there is no such device or point on this line.
        """
        listener = self._find(device)
        wanted = [pick for pick in listener.picks if point in (None, pick.point)]
        if not wanted:
            message = f"'{device}' has no point '{point}'"
            raise NotFoundError(message)
        if not self._open:
            raise gone(self._plan.port)
        future: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        listener.waiting.add(future)
        began_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._patience.next_s):
                heard = await future
        except TimeoutError as error:
            message = f"nothing heard for {self._patience.next_s:.0f} s"
            raise DeviceFault(Reason.NOT_HEARD, message, action=self._look) from error
        finally:
            listener.waiting.discard(future)
        ms = (asyncio.get_running_loop().time() - began_s) * 1000
        return [_reading(pick, heard, ms) for pick in wanted]

    def _find(self, device: str) -> _Listener:
        for listener in self._listeners:
            if listener.device == device:
                return listener
        message = f"there is no device called '{device}' on this line"
        raise DeviceNotFoundError(message)

    async def _listen(self, port: Port, sink: Sink) -> None:
        framer = framer_of(self._plan)
        silent_s = 0.0
        while True:
            wait_s = self._wait_s(framer)
            data = await port.read(wait_s)
            silent_s = 0.0 if data else silent_s + (wait_s or 0.0)
            for piece in framer.feed(data):
                await self._take(piece, sink)
            if silent_s >= self._patience.end_s:
                for piece in framer.give_up():
                    await self._take(piece, sink)
            await self._finish(sink)

    def _wait_s(self, framer: Framer | Telegrams) -> float | None:
        """How long the line may be silent before something is due."""
        if any(listener.cycle.open for listener in self._listeners):
            return QUIET_NS / 1e9
        return self._patience.end_s if framer.unfinished else None

    async def _take(self, piece: Line | Damage, sink: Sink) -> None:
        if isinstance(piece, Damage):
            damage = DeviceFault(Reason.DAMAGED, f"damaged: {piece.value}")
            self._tap.heard(sink.now(), None, "", damage)
            self._blame(damage, sink)
            return
        claimed = [one for one in self._listeners if one.reader.claims(piece.text)]
        for listener in claimed:
            await self._hear(listener, piece, sink)
        if not claimed and not piece.first:
            self._inspect(piece.text, sink)

    async def _hear(self, listener: _Listener, line: Line, sink: Sink) -> None:
        found: dict[str, Found] = {}
        at = sink.now()
        try:
            for pick, one in listener.reader.decode(line.text):
                if isinstance(one, DeviceFault):
                    sink.fault(listener.device, pick.point, one)
                else:
                    found[pick.point] = one
        except DeviceFault as fault:
            self._tap.heard(at, listener.device, line.text, fault)
            if not line.first:  # its beginning may have been before we came
                self._fault(listener, fault, sink)
            return
        self._tap.heard(at, listener.device, line.text)
        if done := listener.cycle.add(found, at):
            await self._put(listener, done, sink)

    async def _finish(self, sink: Sink) -> None:
        now_ns = sink.now().mono_ns
        for listener in self._listeners:
            if listener.cycle.due(now_ns) and (done := listener.cycle.end()):
                await self._put(listener, done, sink)

    async def _put(self, listener: _Listener, heard: Heard, sink: Sink) -> None:
        for future in listener.waiting:
            if not future.done():
                future.set_result(heard)
        await sink.put(Sample(listener.device, heard.at, heard.values))

    def _inspect(self, text: str, sink: Sink) -> None:
        """A line that nobody claims: another sentence is fine, noise is somebody's fault."""
        self._tap.heard(sink.now(), None, text)
        for listener in self._listeners:
            try:
                listener.reader.inspect(text)
            except DeviceFault as fault:
                self._blame(fault, sink)

    def _blame(self, fault: DeviceFault, sink: Sink) -> None:
        """Whose the damage is can only be told where one device speaks."""
        if len(self._listeners) == 1:
            self._fault(self._listeners[0], fault, sink)

    def _fault(self, listener: _Listener, fault: DeviceFault, sink: Sink) -> None:
        now_ns = sink.now().mono_ns
        if now_ns < listener.fault_again_ns:
            return
        listener.fault_again_ns = now_ns + FAULT_EVERY_NS
        fault.action = fault.action or self._look
        sink.fault(listener.device, None, fault)

    def _recognise(self, sink: Sink) -> None:
        """Say so when the port's name now leads to another adapter than before."""
        found = identity(self._plan.port, self._system)
        before = _last_seen.get(self._plan.port, found)
        if found is not None:
            _last_seen[self._plan.port] = found
        if found == before:
            return
        message = "another adapter answers at this port than before"
        action = "Check which cable is where:  fieldpost scan serial"
        for listener in self._listeners:
            sink.fault(
                listener.device, None, DeviceFault(Reason.UNREADABLE, message, action=action)
            )

    @property
    def _look(self) -> str:
        return LOOK.format(line=self._plan.line)


def _reading(pick: Pick, heard: Heard, ms: float) -> Reading:
    value = heard.values.get(pick.point)
    return Reading(
        pick.point,
        value,
        pick.unit,
        _quality(pick, heard),
        heard.at,
        ms,
        source=f"{pick.sentence} {pick.source}".strip(),
        raw=heard.raw.get(pick.point, ""),
    )


def _quality(pick: Pick, heard: Heard) -> Quality:
    value = heard.values.get(pick.point)
    if value is None:
        return Quality.NO_VALUE
    if isinstance(value, str):
        return Quality.GOOD
    low = value if pick.low is None else pick.low
    high = value if pick.high is None else pick.high
    return Quality.GOOD if low <= value <= high else Quality.OUT_OF_RANGE
