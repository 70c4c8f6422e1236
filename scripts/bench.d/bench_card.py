"""What a reading costs the card: bytes and flushes at the block device, file system included.

    scripts/bench card [--readings 200000] [--rates 10,100,1000] [--json]

One commit a second, in compressed time, into a fresh ext4 on a loop device in RAM: ten values a
sample (slow temperatures, noisy analogues, status bits, counters, raw floats), everything taken and
answered within ten seconds. /proc/PID/io would miss the file system's journal. Needs root.

Goals: at 100 readings a second at most 128 bytes a reading and one flush a second beside
checkpoints. The life is that of an assumed card that takes 10 TB of writes by its host.
"""

import argparse
import asyncio
import json
import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from agent.cloud import Limits, Receipt  # noqa: E402 - found through the path above
from agent.daemon.buffer import Buffer, Lane  # noqa: E402
from agent.plan import Site  # noqa: E402
from agent.sample import Instant, Sample, Value  # noqa: E402
from tests.lab.loopfs import LoopFs  # noqa: E402

SITE = Site("bench", "bench", "UTC", 1_000_000_000, 5.0)  # the window is never waited for
VALUES = 10
DEVICES = 5
START_NS = 1_795_000_000_000_000_000
CARD_BYTES = 10e12
DAY_S = 86_400
YEAR_DAYS = 365.25
ANSWERED_EVERY = 10  # commits
RARE = 0.02  # how often a status bit is set


class Seconds:
    """A clock on which a second passes when the bench says so."""

    def __init__(self) -> None:
        self.mono_ns = 10**9

    def now(self) -> Instant:
        """This moment."""
        return Instant("bench", self.mono_ns, START_NS + self.mono_ns, trusted=True)

    def monotonic_s(self) -> float:
        """Seconds since the start."""
        return self.mono_ns / 1e9


def walked(value: float, dice: random.Random) -> tuple[Value, ...]:
    """What a signal may say next, by its kind."""
    noisy = value + dice.gauss(0, 0.3)
    return (
        round(value + dice.choice((-0.1, 0, 0, 0, 0, 0.1)), 1),
        round(noisy, 2),
        dice.random() < RARE,
        int(value) + dice.randint(0, 3),
        float(struct.unpack("f", struct.pack("f", noisy))[0]),
    )


def samples(clock: Seconds) -> Iterator[Sample]:
    """Samples for ever, the same ones every time."""
    dice = random.Random(7)  # noqa: S311
    state: list[list[Value]] = [
        [dice.uniform(10, 80) for _ in range(VALUES)] for _ in range(DEVICES)
    ]
    while True:
        for device in range(DEVICES):
            now = clock.now()
            late_ns = device * 90_000_000 + dice.randrange(8_000_000)
            at = Instant(now.boot, now.mono_ns + late_ns, now.wall_ns + late_ns, trusted=True)
            state[device] = [
                walked(float(value), dice)[place % 5] for place, value in enumerate(state[device])
            ]
            values = {f"point_{place}": value for place, value in enumerate(state[device])}
            yield Sample(f"device_{device}", at, values)


async def written(folder: Path, readings: int, rate: int) -> None:
    """So many readings, a commit a second, drained every ten."""
    clock = Seconds()
    buffer = Buffer(folder, SITE, clock, ["cloud"])
    await buffer.open()
    source, box = samples(clock), buffer.outbox("cloud")
    for commit in range(readings // rate):
        for _ in range(max(1, rate // VALUES)):
            await buffer.put(next(source))
        await buffer.flush()
        clock.mono_ns += 10**9
        if commit % ANSWERED_EVERY == 0:
            while batch := await box.take(Limits(), Lane.ANY):
                await box.settle(batch, Receipt(range(len(batch.records))))
    await buffer.close()


def measured(readings: int, rate: int) -> dict[str, float]:
    """What the device saw."""
    with LoopFs("256M") as fs:
        before = fs.traffic()
        asyncio.run(written(fs.path / "store", readings, rate))
        seen = fs.traffic().since(before)
    seconds = readings / rate
    day = seen.written / seconds * DAY_S
    return {
        "readings_s": rate,
        "device_B_per_reading": round(seen.written / readings, 1),
        "flushes_s": round(seen.flushes / seconds, 3),
        "GB_day": round(day / 1e9, 2),
        "years_of_a_10_TB_card": round(CARD_BYTES / day / YEAR_DAYS, 1),
    }


def main() -> int:
    """Measure every rate."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--readings", type=int, default=200_000)
    parser.add_argument("--rates", default="10,100,1000")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    for rate in map(int, wanted.rates.split(",")):
        readings = min(
            wanted.readings, rate * 2000
        )  # a slow rate writes as often in fewer readings
        figures = measured(readings, rate)
        text = "  ".join(f"{name} {value}" for name, value in figures.items())
        sys.stdout.write(f"{json.dumps(figures) if wanted.json else text}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
