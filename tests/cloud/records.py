"""Records to send."""

from agent.clock import SystemClock
from agent.cloud import Batch, Record, TimeQuality
from agent.sample import Value

EPOCH = "9f0c" * 8


def record(seq: int, device: str = "oven-meter", epoch: str = EPOCH, **values: Value) -> Record:
    given = values or {"power": 2104.3 + seq, "heating": seq % 2 == 0, "state": "läuft", "n": -seq}
    return Record(epoch, seq, device, SystemClock().now().wall_ns, given, TimeQuality.EXACT)


def batch(count: int, first: int = 1, device: str = "oven-meter", epoch: str = EPOCH) -> Batch:
    return Batch([record(seq, device, epoch) for seq in range(first, first + count)])


def ids(sent: Batch) -> list[str]:
    return [f"{record.epoch}:{record.seq}" for record in sent.records]
