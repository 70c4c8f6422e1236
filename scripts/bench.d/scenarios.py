"""What is asked of a trial: a steady run, an outage, what was lost."""

import json
import signal
import statistics
import time
from collections.abc import Callable

import kit
import meters
from trial import Trial

CAUGHT_UP_CHECK_S = 0.02


def steady(trial: Trial) -> None:
    """Cost per reading over a stretch of ordinary running."""
    time.sleep(trial.wanted.warm)
    x = trial.snapshot()
    memory = trial.watch(trial.wanted.secs)
    y = trial.snapshot()
    d = {k: y[k] - x[k] for k in x}
    n, seconds = trial.readings(x, y), d["t"]
    asked = seconds / trial.period * trial.wanted.devices

    def per(field: str, digits: int = 2) -> float | None:
        return round(d[field] / n, digits) if n else None

    kept = round(100 * d["s_polls"] / asked, 1) if asked >= 2 else None
    trial.result |= {
        "secs": round(seconds, 1),
        "readings_s": round(n / seconds, 1),
        "polls_asked_pct": kept,
        "requests_s": round(d["s_requests"] / seconds, 2),
        "cpu_pct": round(100 * d["cpu"] / seconds, 3),
        "cpu_ms_per_1000": round(1e6 * d["cpu"] / n, 3) if n else None,
        **{k: round(max(m[k] for m in memory), 1) for k in memory[0]},
        "threads": meters.threads(trial.pids()),
        "switches_s": round(d["switches"] / seconds, 1),
        "messages_s": round(d["messages"] / seconds, 2),
        "payload_B_per_reading": per("payload_bytes"),
        "wire_out_B_per_reading": per("wire_out"),
        "wire_B_per_reading": per("wire"),
        "disk_B_per_reading": per("disk", 1),
        "disk_B_s": round(d["disk"] / seconds),
        "written_B_per_reading": per("written", 1),
        "latency_s": round(d["latency_s"] / d["latency_n"], 3) if d["latency_n"] else None,
        "latency_max_s": round(y["latency_max_s"], 3),
    }
    if trial.wanted.rtu:
        violations = 100 * d["s_gap_violations"] / max(1, d["s_requests"])
        trial.result |= {
            "line_use_pct": round(d["s_line_busy_ns"] / 1e7 / seconds, 1),
            "gap_violations_pct": round(violations, 2),
            "crc_errors": d["s_crc_errors"],
        }


def outage(trial: Trial) -> None:
    """Away for a while: how long to the first message, how fast the backlog drains beside it."""
    usual = []
    for _ in range(100):
        usual.append(trial.outstanding())
        time.sleep(0.05)
    trial.world.shut_door()
    trial.watch(trial.wanted.outage)
    x, backlog = trial.snapshot(), trial.outstanding()
    trial.world.open_door()
    opened = time.monotonic()
    end = opened + trial.wanted.drain_timeout
    # marks, not messages: a broker may deliver again what it had before
    if not _wait(trial, end, lambda: trial.world.seen()["marks"] > x["marks"]):
        trial.result["drained"] = False
        return
    first = time.monotonic()
    drained = _wait(trial, end, lambda: trial.outstanding() <= max(usual))
    y = trial.snapshot()
    took, n = max(y["t"] - first, CAUGHT_UP_CHECK_S), trial.readings(x, y)
    trial.result |= {
        "outage_s": trial.wanted.outage,
        "outage_kind": trial.wanted.outage_kind,
        "backlog_readings": round((backlog - statistics.median(usual)) * trial.wanted.points),
        "drained": drained,
        "back_after_s": round(first - opened, 3),
        "drain_s": round(took, 3),
        "drain_readings_s": round(n / took),
        "drain_cpu_ms_per_1000": round(1e6 * (y["cpu"] - x["cpu"]) / n, 3) if n else None,
        "outage_rss_mb": round(meters.memory(trial.pids())["rss_mb"], 1),
    }


def losses(trial: Trial) -> None:
    """Holes between the first and the last poll that arrived, after late ones had their chance."""
    end = time.monotonic() + trial.wanted.settle
    marks = _marks(trial)
    while sum(m["holes"] for m in marks.values()) and time.monotonic() < end:
        time.sleep(0.2)
        marks = _marks(trial)
    seen = trial.world.seen()
    trial.result["unparsed"] = int(seen["unparsed"])
    if not marks:
        trial.result["lost_readings"] = None  # nothing in the payloads carries a mark
        return
    holes = sum(m["holes"] for m in marks.values())
    trial.result |= {
        "lost_readings": holes * trial.wanted.points,
        "silent_devices": trial.wanted.devices - len(marks),
        "duplicate_polls": int(seen["duplicates"]),
        "out_of_order_polls": int(seen["late_order"]),
    }


def measure(trial: Trial) -> None:
    """The whole trial; prints its row."""
    good = False
    try:
        trial.world.start()
        trial.write_config()
        trial.start_gateway()
        if trial.wanted.restart:
            trial.stop_gateway()
            both = ("cpu_to_first_s", "first_message_s")
            trial.result |= {f"cold_{k}": trial.result[k] for k in both}
            trial.start_gateway()
        steady(trial)
        if trial.wanted.outage:
            outage(trial)
        losses(trial)
        trial.stop_gateway()
        good = True
    finally:
        trial.close(good=good)
    kit.say(f"{trial.subject.name}: done")
    if trial.wanted.json:
        print(json.dumps(trial.result), flush=True)


def _wait(trial: Trial, end: float, done: Callable[[], bool]) -> bool:
    while not done():
        trial.alive()
        if time.monotonic() > end:
            return False
        time.sleep(CAUGHT_UP_CHECK_S)
    return True


def _marks(trial: Trial) -> dict[str, dict[str, int]]:
    """What the sink has seen of every slave's marks."""
    report = trial.folder / "sink.json"
    report.unlink(missing_ok=True)
    if trial.world.sink:
        trial.world.sink.send_signal(signal.SIGHUP)
    end = time.monotonic() + 5
    while not report.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return dict(json.loads(report.read_text())) if report.exists() else {}
