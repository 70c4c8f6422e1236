"""Records as the platform stores them: flat, plain names, numbers it can hold (`tesaiot`, 3.3).

One bad value would hide a whole sample from the platform's charts, so it is left out before it
leaves; NaN and infinity never get into a record.
"""

import re
from collections.abc import Mapping

from agent.clock import iso
from agent.cloud import Record, TimeQuality
from agent.plan import Json
from agent.sample import Value

NAME_MAX = 100  # longer, and the whole sample is missing from the time series
INTEGER_MAX = 2**63 - 1  # beyond, and the record is refused
RESERVED = "metadata_"  # such metrics are left out of the time series
AGENT = "fieldpost"


def metric_name(device: str | None, point: str) -> str:
    """The platform's name for a point: `<device>_<point>`, or the point's own.

    Args:
        device: None when the device exists on the platform on its own.
        point: as in the plan.
    """
    whole = point if device is None else f"{device}_{point}"
    plain = re.sub(r"[^a-z0-9_]+", "_", whole.lower())
    safe = f"value_{plain}" if plain.startswith(RESERVED) else plain
    return safe[:NAME_MAX]


def encoded(record: Record, device_id: str, *, own: bool) -> Json | None:
    """One entry of a batch; None when nothing in it can be stored.

    Args:
        record: what to send.
        device_id: whose telemetry it is, on the platform.
        own: the device exists there on its own, so names need no prefix.
    """
    data = _data(record.values, None if own else record.device)
    if not data:
        return None
    metadata: Json = {"agent": AGENT, "epoch": record.epoch, "seq": record.seq}
    if record.time is not TimeQuality.EXACT:
        metadata["time"] = record.time.value
    return {
        "device_id": device_id, "timestamp": iso(record.time_ns), "data": data,
        "metadata": metadata,
    }  # fmt: skip


def _data(values: Mapping[str, Value], device: str | None) -> Json:
    return {
        metric_name(device, point): value.replace("\0", "") if isinstance(value, str) else value
        for point, value in values.items()
        if not isinstance(value, int) or abs(value) <= INTEGER_MAX
    }
