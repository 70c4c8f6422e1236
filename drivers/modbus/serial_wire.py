"""A serial line whose silences are kept by a thread of its own.

Frames of an RTU line are told apart by silence alone: 3.5 characters, and 1.75 ms above 19200 baud
(Modbus over serial line V1.02, 2.5.1.1). The event loop's clock is a millisecond coarse and shared;
a thread that waits with a deadline keeps the interval and uses the line better. Every wait in it
ends at a deadline or when `close` says so; so the thread never outlives the line.
"""

import asyncio
import contextlib
import os
import queue
import select
import threading
import time
from pathlib import Path
from typing import Any, Final

from agent.driver import DriverError, gone
from drivers.modbus.frames import Damaged, Framing, Silent
from drivers.modbus.plan import SerialPort
from drivers.modbus.port import Port
from drivers.modbus.wire import Ask, Heard

FAST_BAUD: Final = 19200  # above it the silent interval is fixed
FAST_SILENCE_S: Final = 0.00175
SILENT_CHARACTERS: Final = 3.5
SHORTEST_DRAIN_S: Final = 0.1  # after a timeout; adapters keep bytes back for up to 16 ms
SETTLED_S: Final = 0.03  # silence after which a damaged frame is over: two latency timers of FTDI
BABBLE_S: Final = 2.0  # who talks longer than any frame takes at 1200 baud never ends by itself
AHEAD_S: Final = 0.0005  # wake this much before the last byte is due; a timer may be late
FIFO: Final = 16  # bytes an adapter hands over at once; not worth sleeping for less
SHORT: Final = 3  # bytes; so few are noise
MOST_AT_ONCE: Final = 4096
SLACK_NS: Final = "1000"  # how late a timer may be; 50 us is usual, and is 0.3 % of a 19200 line
CLOSE_S: Final = 1.0  # a thread that is stuck in the kernel for longer is left behind

Result = Heard | Silent | Damaged | DriverError
_Job = tuple[Ask, "asyncio.Future[Heard]"]


def silence_s(port: SerialPort) -> float:
    """The interval that separates two frames on this line."""
    if port.baud > FAST_BAUD:
        return FAST_SILENCE_S
    return SILENT_CHARACTERS * port.character_s


class SerialWire:
    """A `Wire` on a serial port.

    Args:
        place: the port and how its line is set.
        framing: RTU or ASCII.
    """

    def __init__(self, place: SerialPort, framing: Framing) -> None:
        self._place = place
        self._framing = framing
        self._served: _Service | None = None

    async def open(self) -> None:
        """Open the port, exclusively, and start the thread.

        Raises:
            DriverError: the port is absent, or belongs to another program.
        """
        self._served = _Service(_Talker(self._place, self._framing), self._place.port)
        self._served.start()
        await self._served.ready

    async def exchange(self, ask: Ask) -> Heard:
        """One request and its answer, with the line's silences around it."""
        if self._served is None:
            raise gone(self._place.port)
        return await self._served.submit(ask)

    async def close(self) -> None:
        """Stop the thread and give the port back."""
        served, self._served = self._served, None
        if served is not None:
            await served.stop()


class _Service(threading.Thread):
    """The thread of one line: opens, does jobs one after the other, closes."""

    def __init__(self, talker: "_Talker", port: str) -> None:
        super().__init__(name=f"modbus {port}", daemon=True)
        self._talker, self._port = talker, port
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()

    async def submit(self, ask: Ask) -> Heard:
        """Have one exchange done."""
        answer: asyncio.Future[Heard] = self._loop.create_future()
        if self._ended.done():
            raise gone(self._port)
        self._jobs.put((ask, answer))
        return await answer

    async def stop(self) -> None:
        """End the thread: every wait in it watches for `hurry`."""
        self._jobs.put(None)
        self._talker.hurry()
        await asyncio.wait([self._ended], timeout=CLOSE_S)

    def run(self) -> None:
        """The thread's whole life."""
        answer: asyncio.Future[Any] = self.ready
        _be_punctual()
        try:
            self._talker.open()
            self._tell(self.ready, None)
            while (job := self._jobs.get()) is not None:
                ask, answer = job
                self._tell(answer, self._done(ask))
        except DriverError as error:
            self._tell(answer, error)
        finally:
            self._talker.close()
            self._tell(answer, gone(self._port))  # only where a bug ended the thread
            self._tell(self._ended, None)

    def _done(self, ask: Ask) -> Result:
        try:
            return self._talker.exchange(ask)
        except (Silent, Damaged, DriverError) as error:
            return error

    def _tell(self, future: "asyncio.Future[Any]", result: object) -> None:
        """Hand a result to the loop; a loop that is gone needs none."""
        try:
            self._loop.call_soon_threadsafe(_settle, future, result)
        except RuntimeError:
            return


def _be_punctual() -> None:
    """Have this thread woken when it is time, not when it suits the processor's other timers."""
    with contextlib.suppress(OSError):  # it works without, a little slower
        Path(f"/proc/{threading.get_native_id()}/timerslack_ns").write_text(SLACK_NS, "ascii")


def _settle(future: "asyncio.Future[Any]", result: object) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


class _Talker:
    """What the thread does: blocking, with deadlines."""

    def __init__(self, place: SerialPort, framing: Framing) -> None:
        self._place, self._framing = place, framing
        self._port = Port(place)
        self._silence_s = silence_s(place)
        self._quiet_since = 0.0  # on the monotonic clock: the last byte seen on the line
        self._hurry = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closing = threading.Lock()
        self._poll = select.poll()

    def open(self) -> None:
        """Take the port."""
        self._port.open()
        self._poll.register(self._port.descriptor, select.POLLIN)
        self._poll.register(self._hurry, select.POLLIN)
        self._quiet_since = time.monotonic()

    def close(self) -> None:
        """Give the port back."""
        self._port.close()
        with self._closing:
            os.close(self._hurry)
            self._hurry = -1

    def hurry(self) -> None:
        """Called by the loop: end every wait now."""
        with self._closing:
            if self._hurry >= 0:
                os.eventfd_write(self._hurry, 1)

    def exchange(self, ask: Ask) -> Heard:
        """See `Wire.exchange`."""
        self._keep_silence(ask.gap_s)
        frame = self._framing.frame(ask.request, 0)
        self._port.write(frame)
        character_s = self._place.character_s
        sent = time.monotonic() + len(frame) * character_s
        whole_s, heard = self._framing.length(ask.request) * character_s, bytearray()
        self._doze(sent + whole_s - AHEAD_S - time.monotonic())
        try:
            answer = self._listen(ask, heard, sent + whole_s + ask.timeout_s)
            late = answer is None
            if answer is None:
                drain_s = max(ask.timeout_s, SHORTEST_DRAIN_S)
                answer = self._listen(ask, heard, time.monotonic() + drain_s)
        except Damaged:
            self._settle()
            raise
        if answer is None:
            raise _nothing(heard)
        took_s = self._quiet_since - sent
        return Heard(self._framing.pdu(answer), frame, answer, took_s, late)

    def _keep_silence(self, gap_s: float) -> None:
        """Wait until the line has been quiet long enough; whatever is said meanwhile is noise."""
        quiet_s, began = max(gap_s, self._silence_s), time.monotonic()
        while True:
            if self._port.discard():
                self._quiet_since = time.monotonic()
            left = self._quiet_since + quiet_s - time.monotonic()
            if left <= 0:
                return
            if self._quiet_since > began + BABBLE_S:
                what = "somebody talks without end"
                raise Damaged(what, b"")
            self._doze(left)

    def _listen(self, ask: Ask, heard: bytearray, deadline: float) -> bytes | None:
        """The whole answer, or None at the deadline."""
        find, request = self._framing.find, ask.request
        while (left := deadline - time.monotonic()) > 0:
            data = self._receive(left)
            heard += data
            answer = find(heard, request, 0) if data else None
            if answer is not None:
                return answer
            missing = self._framing.length(request) - len(heard)
            if missing > FIFO and heard.startswith(request.begins):
                # up to a FIFO of it has left the device already
                self._doze((missing - FIFO) * self._place.character_s - AHEAD_S)
        return None

    def _doze(self, seconds: float) -> None:
        """Sleep to the microsecond, which poll cannot: silences, and while an answer arrives.

        Nothing shorter than the whole answer is of use, so one wake-up does for all its pieces.
        """
        if seconds > 0 and select.select([self._hurry], [], [], seconds)[0]:
            raise Silent

    def _receive(self, within_s: float) -> bytes:
        ready = dict(self._poll.poll(max(1, round(within_s * 1000))))
        if self._hurry in ready:
            raise Silent
        if not ready:
            return b""
        data = self._port.read(MOST_AT_ONCE)
        self._quiet_since = time.monotonic()
        return data

    def _settle(self) -> None:
        """Let a damaged frame end before anything else is said."""
        until = time.monotonic() + BABBLE_S
        while self._receive(SETTLED_S) and time.monotonic() < until:
            pass


def _nothing(heard: bytearray) -> Silent | Damaged:
    if not heard:
        return Silent()
    what = "an answer to another question" if len(heard) > SHORT else "noise"
    return Damaged(what, bytes(heard))
