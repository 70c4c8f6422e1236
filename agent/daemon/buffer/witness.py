"""The witness: what the store should at least contain, written beside it.

128 bytes, two slots of 64, each with a CRC-32; the slot with the higher generation counts. It is a
lower bound, never the truth: it tells a lost WAL, an old copy and a cloned card from a good store.

A slot: generation, starts, flags (bit 0: clean; bit 1: what waits is told) as u32; next number,
readings accepted as u64; readings that wait, readings that may come before the next look as u32;
hardware id, 8 bytes; epoch, 16 bytes; CRC-32 of all that. Until 0.1 there was a time in place of
what waits, and bit 1 was 0.
"""

import hashlib
import os
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

SLOT = struct.Struct("<IIIQQII8s16s")
SLOT_BYTES = 64
CLEAN, TOLD = 1, 2
MOST = (1 << 32) - 1
UNKNOWN = bytes(8)
# the board's own serial number; a machine-id would be copied with the card
BOARD = (
    Path("/sys/firmware/devicetree/base/serial-number"),
    Path("/sys/class/dmi/id/board_serial"),
    Path("/sys/class/dmi/id/product_uuid"),
)


@dataclass(frozen=True, slots=True)
class Witness:
    """What was known when it was last written.

    Attributes:
        next: the next number; everything below was committed.
        readings: how many readings the store had accepted.
        held: how many of them waited for a destination at most; None: nobody noted that.
        soon: how many more may have come before the next one was due.
        hardware: of the board, hashed; zeros where it has no serial number.
    """

    epoch: str
    next: int
    readings: int
    starts: int
    clean: bool
    held: int | None = None
    soon: int = 0
    hardware: bytes = UNKNOWN
    generation: int = 0


class WitnessFile:
    """The file; every write is durable when it returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._generation = 0

    def read(self) -> Witness | None:
        """The newest sound slot, or None when there is none."""
        try:
            content = self._path.read_bytes()
        except OSError:
            return None
        slots = [content[at : at + SLOT_BYTES] for at in (0, SLOT_BYTES)]
        sound = [slot for slot in map(_unpacked, slots) if slot]
        newest = max(sound, key=lambda slot: slot.generation, default=None)
        self._generation = newest.generation if newest else 0
        return newest

    def write(self, witness: Witness) -> None:
        """Replace the older slot.

        Raises:
            OSError: the disk does not take it.
        """
        self._generation += 1
        slot = _packed(replace(witness, generation=self._generation))
        fresh = not self._path.exists()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.pwrite(descriptor, slot, self._generation % 2 * SLOT_BYTES)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if fresh:
            sync(self._path.parent)


def sync(place: Path) -> None:
    """Make a file, or the names in a folder, durable.

    Raises:
        OSError: the disk does not take it.
    """
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hardware_id() -> bytes:
    """Eight bytes that differ from board to board, zeros where nothing does."""
    for place in BOARD:
        with suppress(OSError):
            if serial := place.read_bytes().strip(b"\0\n "):
                return hashlib.sha256(serial).digest()[:8]
    return UNKNOWN


def _packed(witness: Witness) -> bytes:
    slot = SLOT.pack(
        witness.generation,
        witness.starts,
        CLEAN * witness.clean | TOLD * (witness.held is not None),
        witness.next,
        witness.readings,
        min(witness.held or 0, MOST),
        min(witness.soon, MOST),
        witness.hardware,
        bytes.fromhex(witness.epoch),
    )
    return slot + struct.pack("<I", zlib.crc32(slot))


def _unpacked(slot: bytes) -> Witness | None:
    body, crc = slot[: SLOT.size], slot[SLOT.size :]
    if len(slot) != SLOT_BYTES or struct.pack("<I", zlib.crc32(body)) != crc:
        return None
    generation, starts, flags, following, readings, held, soon, hardware, epoch = SLOT.unpack(body)
    told = bool(flags & TOLD)
    return Witness(
        epoch=epoch.hex(),
        next=following,
        readings=readings,
        starts=starts,
        clean=bool(flags & CLEAN),
        held=held if told else None,
        soon=soon if told else 0,
        hardware=hardware,
        generation=generation,
    )
