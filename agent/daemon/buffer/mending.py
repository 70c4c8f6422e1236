"""Mend what SQLite refuses whole because of one bit: a frame of the log, the first page, a header.

Mended are quarantined files only, by the salvage. Formats: SQLite database file format, sections
1.3 (database header), 1.6 (pages of a b-tree), 4.1 (WAL file) and 4.2 (checksum algorithm).
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoints, two salts, two sums
FRAME = struct.Struct(">6I")  # page, pages after a commit or 0, two salts, two sums
MAGIC = 0x377F0682  # the last bit says that sums are over big-endian words
VERSION = 3007000
PAGE_BYTES = 4096
FRAME_BYTES = FRAME.size + PAGE_BYTES
FLIPPED = 2  # bits of 64 that may differ between salts that were the same
WORD = 0xFFFFFFFF
LEAF_HEADER = 8  # bytes of a page that has no others below it
COPY = "damaged-wal"  # the log as it was found, beside the database

Sums = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Frame:
    """One page as a transaction wrote it.

    Attributes:
        start: what its checksum covers beside the body: the page, and the size of the database
            where it ends a transaction.
        sums: the running checksum that stands in it.
    """

    start: bytes
    body: bytes
    sums: Sums

    @property
    def commits(self) -> bool:
        """Whether a transaction ends with it."""
        return self.start[4:] != bytes(4)


class Log:
    """The frames of a WAL file that belong to its last generation, damaged ones among them."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        head = HEADER.unpack_from(content) if len(content) >= HEADER.size else (0,) * 8
        self._order = "big" if head[0] & 1 else "little"
        sound = head[0] | 1 == MAGIC | 1 and self._sum((0, 0), content[:24]) == head[6:]
        if not sound:  # then it was written here, and its first frame belongs to the generation
            self._order = sys.byteorder
        self._salts = content[16:24] if sound else self._salts_at(0)
        self._head_sums: Sums = (head[6], head[7])
        count = max(0, len(content) - HEADER.size) // FRAME_BYTES
        ours = [place for place in range(count) if self._salts_at(place) == self._salts]
        self.frames = [self._frame(place) for place in range(max(ours, default=-1) + 1)]

    def commits_after(self, count: int) -> int:
        """How many transactions end behind so many frames and one of ours that is damaged.

        None where another generation begins there: what is behind it was checkpointed long ago.
        """
        if not self._ours(count):
            return 0
        behind = range(count, len(self.frames))
        return sum(1 for place in behind if self.frames[place].commits and self._ours(place))

    def mended(self) -> bytes:
        """The same without the frames that are not as they were written."""
        start = struct.pack(">4I", MAGIC | (self._order == "big"), VERSION, PAGE_BYTES, 0)
        start += self._salts
        sums = self._sum((0, 0), start)
        parts = [start, struct.pack(">2I", *sums)]
        for frame in self._whole():
            sums = self._sum(sums, frame.start + frame.body)
            parts += [frame.start, self._salts, struct.pack(">2I", *sums), frame.body]
        return b"".join(parts)

    def _whole(self) -> Iterator[Frame]:
        """Each is judged by the sums that stand in the one before, so one bad one is one."""
        known = {self._head_sums, self._sum((0, 0), self._content[:24])}
        for frame in self.frames:
            found = {self._sum(sums, frame.start + frame.body) for sums in known}
            known = {frame.sums}
            if frame.sums in found:
                yield frame
            else:
                known |= found  # it may be the sums that are wrong

    def _ours(self, place: int) -> bool:
        """Whether it is of this generation: the salts of another differ in many bits."""
        other = int.from_bytes(self._salts_at(place)) ^ int.from_bytes(self._salts)
        return other.bit_count() <= FLIPPED

    def _frame(self, place: int) -> Frame:
        at = HEADER.size + place * FRAME_BYTES
        sums = struct.unpack_from(">2I", self._content, at + 16)
        body = self._content[at + FRAME.size : at + FRAME_BYTES]
        return Frame(self._content[at : at + 8], body, (sums[0], sums[1]))

    def _salts_at(self, place: int) -> bytes:
        at = HEADER.size + place * FRAME_BYTES + 8
        return self._content[at : at + 8]

    def _sum(self, sums: Sums, content: bytes) -> Sums:
        words = struct.unpack(
            f"{'>' if self._order == 'big' else '<'}{len(content) // 4}I", content
        )
        first, second = sums
        for one, other in zip(words[::2], words[1::2], strict=True):
            first = (first + one + second) & WORD
            second = (second + other + first) & WORD
        return first, second


def mend_log(folder: Path) -> None:
    """Put a log in the place of a damaged one that was kept, without its damaged frames."""
    kept = folder / COPY
    if kept.exists():
        (folder / "buffer.db-wal").write_bytes(Log(kept.read_bytes()).mended())


def mend_first_page(database: Path, sound: bytes) -> None:
    """Put the first page of a new store of the same format in the place of a damaged one.

    All roots are where they are in a new store: tables are never made or dropped later.
    """
    pages = database.stat().st_size // PAGE_BYTES
    page = bytearray(sound[:PAGE_BYTES])
    page[28:40] = struct.pack(">3I", pages, 0, 0)  # its size, and no list of free pages
    page[92:96] = page[24:28]  # the size is valid
    with database.open("rb+") as file:
        file.write(page)


def header_flips(database: Path, page: int, copy: Path) -> Iterator[Path]:
    """A page as it was before a bit of its header flipped, if one did.

    Args:
        database: where it is.
        page: its number, from 1.
        copy: where a database of the first page and this one is made, once for each bit.
    """
    with database.open("rb") as file:
        first = file.read(PAGE_BYTES)
        file.seek((page - 1) * PAGE_BYTES)
        found = file.read(PAGE_BYTES)
    for bit in range(8 * LEAF_HEADER):
        flipped = bytearray(found)
        flipped[bit // 8] ^= 1 << bit % 8
        with copy.open("wb") as file:
            file.write(first)
            file.seek((page - 1) * PAGE_BYTES)
            file.write(flipped)
            file.truncate(database.stat().st_size)
        yield copy
