"""An RS-485 line made of ptys: every byte a node writes is heard by all others; it can be made bad.

    python -m tests.lab.serial.rs485bus --dir DIR master s1 s2 [--baud 9600] [--echo]

    with Rs485Bus("master", "s1=1", "s2=2", baud=9600) as bus:  # a child process, steered by a test
        bus.port("master"); bus.do("flip 0.01")

DIR/master, DIR/s1 … are links to ptys. Commands on stdin, each answered `ok`:

    flip P        one bit of a byte flips with probability P
    drop P, dup P bytes are lost, doubled
    gap MS        a pause in the middle of each burst (beyond t3.5 a slave sees two frames)
    late NODE MS  what this node says is heard so much later
    alias NODE UNIT  what this node says comes in another unit's name, its checksum right
    babble NODE MS noise every MS; 0 ends it
    junk N        N random bytes now, a transient
    mute NODE, unmute NODE
    unplug NODE   hang-up and EIO, the link goes
    plug NODE     back, as a new pty
    stats         bytes said per node, before the ok
    quit

NAME=UNIT makes a node that hears only master frames whose first byte is UNIT or 0. libmodbus slaves
need it: they do not frame by silence, so on a truly shared line they stay deaf after an absent or
garbled neighbour while a master keeps polling.

`--baud` paces the line (ten bit times a byte; 0 = no pacing). Writers that talk over one another
collide: their bytes are XORed. `--echo` lets a node hear itself. `--seed` repeats the noise. Not
modelled, because a pty has none: baud rate, parity, framing errors, modem lines.
"""

import argparse
import contextlib
import heapq
import os
import pty
import random
import select
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

BITS = 10  # of a character, 8N1
BABBLE = 12  # bytes of one burst of noise


class Line:
    """The copper, and the nodes on it."""

    def __init__(
        self, names: Sequence[str], folder: Path, *, baud: int, echo: bool, seed: int
    ) -> None:
        self.folder, self.baud, self.echo = folder, baud, echo
        self.dice = random.Random(seed)  # noqa: S311 -- noise, not secrets
        pairs = [name.partition("=") for name in names]
        self.units = {name: int(unit) for name, _, unit in pairs if unit}
        self.faults = {"flip": 0.0, "drop": 0.0, "dup": 0.0, "gap": 0.0}
        self.masters: dict[str, int] = {}
        self.slaves: dict[str, int] = {}
        self.said: dict[str, int] = {}
        self.muted: set[str] = set()
        self.late_s: dict[str, float] = {}
        self.aliases: dict[str, int] = {}
        self.babble_s: dict[str, float] = {}
        self.waiting: list[tuple[float, str, bytes]] = []
        folder.mkdir(parents=True, exist_ok=True)
        for name, _, _ in pairs:
            self.plug(name)

    def plug(self, node: str) -> None:
        master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        # the slave end stays open here: a pty that nobody has open reports a hang-up
        self.masters[node], self.slaves[node] = master, slave
        self.said.setdefault(node, 0)
        link, new = self.folder / node, self.folder / f"{node}.new"
        new.unlink(missing_ok=True)
        new.symlink_to(os.ttyname(slave))
        new.rename(link)

    def unplug(self, node: str) -> None:
        (self.folder / node).unlink(missing_ok=True)
        if node in self.masters:
            os.close(self.slaves.pop(node))
            os.close(self.masters.pop(node))

    def late(self, node: str, milliseconds: str) -> None:
        self.late_s[node] = float(milliseconds) / 1000

    def alias(self, node: str, unit: str) -> None:
        self.aliases[node] = int(unit)

    def babble(self, node: str, milliseconds: str) -> None:
        every_s = float(milliseconds) / 1000
        self.babble_s.pop(node, None)
        if every_s:
            self.babble_s[node] = every_s
            heapq.heappush(self.waiting, (time.monotonic() + every_s, node, b""))

    def spoiled(self, data: bytes) -> bytes:
        """What arrives of `data`."""
        arrived = bytearray()
        for sent in data:
            if self.dice.random() < self.faults["drop"]:
                continue
            flipped = self.dice.random() < self.faults["flip"]
            byte = sent ^ 1 << self.dice.randrange(8) if flipped else sent
            arrived.append(byte)
            if self.dice.random() < self.faults["dup"]:
                arrived.append(byte)
        return bytes(arrived)

    def carry(self, speaker: str, said: bytes) -> None:
        """Bring a burst to everybody who hears it, at the line's speed."""
        data = self.spoiled(said)
        if speaker in self.muted or not data:
            return
        if self.baud:
            _pause(len(data) * BITS / self.baud)
        half = len(data) // 2 if self.faults["gap"] and len(data) > 3 else len(data)
        self.deliver(speaker, data[:half], data[0])
        if half < len(data):
            _pause(self.faults["gap"] / 1000)
            self.deliver(speaker, data[half:], data[0])

    def deliver(self, speaker: str, part: bytes, unit: int) -> None:
        for node, descriptor in self.masters.items():
            mine = self.units.get(node, unit) in {unit, 0} or unit == 0
            if self.echo if node == speaker else mine:
                with contextlib.suppress(BlockingIOError):  # who never reads loses bytes, as a UART
                    os.write(descriptor, part)

    def listen(self, ready: Sequence[int]) -> None:
        """One round: carry what was said, mixed up where several spoke at once."""
        talk: dict[str, bytes] = {}
        for node, descriptor in self.masters.items():
            if descriptor in ready:
                with contextlib.suppress(OSError):
                    talk[node] = os.read(descriptor, 4096)
        for node, data in talk.items():
            self.said[node] += len(data)
            if node in self.aliases:
                talk[node] = _signed(bytes([self.aliases[node]]) + data[1:-2])
        if len(talk) == 1:
            node, data = talk.popitem()
            if self.late_s.get(node):
                heapq.heappush(self.waiting, (time.monotonic() + self.late_s[node], node, data))
            else:
                self.carry(node, data)
        elif talk:
            self.carry("", _mixed([*talk.values()]))

    def say_what_waits(self) -> float:
        """Late answers and babble whose time has come; seconds until the next."""
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, node, data = heapq.heappop(self.waiting)
            every_s = self.babble_s.get(node)
            if not data and every_s:
                heapq.heappush(self.waiting, (time.monotonic() + every_s, node, b""))
                data = self.dice.randbytes(BABBLE)
            self.carry(node, data)
        return max(0.0, self.waiting[0][0] - time.monotonic()) if self.waiting else 1.0

    def obey(self, words: Sequence[str]) -> None:
        verb, rest = words[0], words[1:]
        if verb in self.faults:
            self.faults[verb] = float(rest[0])
        elif verb == "junk":
            self.carry("", self.dice.randbytes(int(rest[0])))
        elif verb == "stats":
            _say(str(self.said))
        elif verb in {"late", "alias", "babble"}:
            getattr(self, verb)(*rest)
        else:
            verbs = {"mute": self.muted.add, "unmute": self.muted.discard}
            {**verbs, "plug": self.plug, "unplug": self.unplug}[verb](rest[0])
        _say("ok")


def serve(line: Line) -> None:
    """Until `quit`. The end of stdin leaves the line as it is."""
    rest, stdin, wait_s = b"", [0], 1.0
    os.set_blocking(0, False)
    _say("ready")
    while True:
        ready = select.select([*line.masters.values(), *stdin], [], [], wait_s)[0]
        if 0 in ready:
            chunk = os.read(0, 4096)
            stdin = stdin if chunk else []
            *commands, rest = (rest + chunk).split(b"\n")
            for words in filter(None, (c.decode().split() for c in commands)):
                if words == ["quit"]:
                    return
                line.obey(words)
        line.listen(ready)
        wait_s = min(1.0, line.say_what_waits())


class Rs485Bus:
    """The line as a child process; a context manager."""

    def __init__(self, *nodes: str, baud: int = 0, echo: bool = False, seed: int = 1) -> None:
        self._room = tempfile.TemporaryDirectory(prefix="rs485-")
        options = ["--dir", self._room.name, "--baud", str(baud), "--seed", str(seed)]
        self._child = subprocess.Popen(
            [sys.executable, __file__, *options, *(["--echo"] if echo else []), *nodes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def port(self, node: str) -> str:
        return f"{self._room.name}/{node}"

    def do(self, command: str) -> str:
        """One command; what it said before its `ok`."""
        assert self._child.stdin
        self._child.stdin.write(f"{command}\n")
        self._child.stdin.flush()
        said = []
        while (answer := self._answer()) != "ok":
            assert answer, f"the line ended at {command!r}"
            said.append(answer)
        return "\n".join(said)

    def close(self) -> None:
        self._child.terminate()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            if stream:
                stream.close()
        self._room.cleanup()

    def _answer(self) -> str:
        assert self._child.stdout
        return self._child.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _mixed(bursts: Sequence[bytes]) -> bytes:
    """A collision: everybody's bits on the same wire."""
    mixed = bytearray(max(map(len, bursts)))
    for data in bursts:
        for place, byte in enumerate(data):
            mixed[place] ^= byte
    return bytes(mixed)


def _signed(body: bytes) -> bytes:
    """A frame with its checksum (serial line V1.02, 6.2.2)."""
    crc = 0xFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return body + crc.to_bytes(2, "little")


def _pause(seconds: float) -> None:
    select.select([], [], [], seconds)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("nodes", nargs="+", metavar="NODE[=UNIT]")
    parser.add_argument("--dir", required=True, type=Path)
    parser.add_argument("--baud", type=int, default=0)
    parser.add_argument("--echo", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    serve(Line(asked.nodes, asked.dir, baud=asked.baud, echo=asked.echo, seed=asked.seed))


if __name__ == "__main__":
    main()
