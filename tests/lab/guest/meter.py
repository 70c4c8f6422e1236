"""A Modbus RTU meter on the other side of a guest's port: it counts the answers it gave.

Two registers hold the number, which never repeats. It has its own thread, and what was answered is
known here even if the guest dies at the same moment.
"""

import contextlib
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Final, Self

from pymodbus.framer import FramerRTU

REQUEST_BYTES: Final = 8  # of functions 3 and 4
LOOK_S: Final = 0.2


class CountingMeter:
    """Answers every question for registers at one port.

    Args:
        wire: the socket.
        name: what its requests are told apart by.
    """

    def __init__(self, wire: Path) -> None:
        self._wire = wire
        self._lock = threading.Lock()
        self._answers: list[float] = []  # when each was given, on the monotonic clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"meter {wire.name}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def answered(self) -> int:
        """How many answers were given; also the newest number."""
        with self._lock:
            return len(self._answers)

    def within(self, seconds: float, until: float) -> int:
        """How many were given in so many seconds before that moment."""
        with self._lock:
            return sum(until - seconds <= at <= until for at in self._answers)

    def _run(self) -> None:
        while not self._ended.is_set():
            with socket.socket(socket.AF_UNIX) as line, contextlib.suppress(OSError):
                line.settimeout(LOOK_S)
                line.connect(str(self._wire))
                self._serve(line)
            self._ended.wait(LOOK_S)  # the guest is switched off

    def _serve(self, line: socket.socket) -> None:
        heard = b""
        while not self._ended.is_set():
            try:
                piece = line.recv(256)
            except TimeoutError:
                heard = b""  # a silence ends whatever it was
                continue
            if not piece:
                return
            heard += piece
            while len(heard) >= REQUEST_BYTES:
                frame, heard = heard[:REQUEST_BYTES], heard[REQUEST_BYTES:]
                line.sendall(self._answer(frame))

    def _answer(self, frame: bytes) -> bytes:
        unit, code, _, count = struct.unpack(">BBHH", frame[:6])
        with self._lock:
            self._answers.append(time.monotonic())
            number = len(self._answers)
        data = struct.pack(">I", number).ljust(2 * count, b"\0")[: 2 * count]
        body = bytes((unit, code, 2 * count)) + data
        return body + FramerRTU.compute_CRC(body).to_bytes(2)
