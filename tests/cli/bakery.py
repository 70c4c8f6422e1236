"""What the daemon of a bakery says at one moment: eight devices, three clouds."""

import os
from collections.abc import Mapping
from datetime import datetime, timedelta

from agent.plan import Json

NOW = "2026-11-23T14:46:57.000Z"
STEP = timedelta(seconds=150)


def snapshot() -> Json:
    return {"status": status(), "devices": {d["id"]: d for d in devices()}}


def status() -> Json:
    return {
        "gateway": {
            "id": "ES-0231", "name": "Bakery North", "timezone": "Europe/Madrid",
            "version": "1.4.0", "model": "Raspberry Pi 4 Model B Rev 1.5", "time": NOW,
            "started_at": "2026-11-17T11:40:02.000Z", "uptime_s": 529615, "boot_uptime_s": 529702,
        },
        "health": {
            "status": "warn", "score": 0.89, "components": {},
            "problems": [
                {"code": "FP-B07", "severity": "warn", "subject": "vibration",
                 "since": "2026-11-23T08:02:11.000Z",
                 "message": "vibration: heard, but it refuses connections.",
                 "action": "Another program or phone may be connected to this sensor"},
                {"code": "FP-S04", "severity": "warn", "subject": "inverter",
                 "since": "2026-11-23T14:46:29.000Z",
                 "message": "inverter: no answer from 192.168.1.40:502.",
                 "action": None},
            ],
        },
        "devices": {"total": 8, "ok": 6, "late": 1, "lost": 0, "never": 1, "bad-data": 0,
                    "starting": 0, "off": 0},
        "connections": {
            "rs485": {"kind": "modbus-rtu", "place": "/dev/serial/by-id/usb-FTDI", "state": "ok",
                      "message": None, "action": None},
        },
        "destinations": {
            "platform": destination(21.0), "scada": destination(4.0), "archive": destination(186.0),
        },
        "store": {"epoch": "6f0d", "quota_bytes": 2_000_000_000, "used_bytes": 1_310_720,
                  "room_s": 2_678_400, "may_lose_s": 1.0, "accepted_readings_total": 31_882_140,
                  "lost_readings_total": 0, "agent_written_bytes": 960_000_000, "starts_total": 7},
        "machine": {
            "power": {"status": "pass", "low_now": False, "low_24h": 0},
            "temperature": {"status": "pass", "celsius": 51.1},
            "throttling": None,
            "memory": {"status": "pass", "available_bytes": 372_244_480,
                       "total_bytes": 446_693_376, "agent_rss_bytes": 53_477_376},
            "card": {"status": "pass", "free_bytes": 24_696_061_952,
                     "total_bytes": 30_156_980_224, "read_only": False},
            "clock": {"status": "pass", "synchronized": True, "offset_s": None, "steps_24h": 0,
                      "rtc": False},
            "load_1min": 0.11 * (os.cpu_count() or 1),
        },
        "configuration": {"version": 41, "applied_at": "2026-11-21T09:12:04.000Z",
                          "applied_by": "pi", "edited_not_applied": False, "rejected": None,
                          "trial": None},
    }  # fmt: skip


def destination(age_s: float | None, state: str = "ok", waiting: int = 0) -> Json:
    return {
        "kind": "http", "state": state, "message": None, "action": None,
        "last_ack_at": None if age_s is None else NOW, "last_ack_age_s": age_s,
        "waiting_readings": waiting, "oldest_at": None, "drain_s": 0, "next_try_s": None,
        "rejected_1h": 0, "delivered_total": 10, "rejected_total": 0, "lost_total": 0,
        "stored_partly_total": 0, "certificate_expires_at": None,
    }  # fmt: skip


def devices() -> list[Json]:
    meter = {"voltage": "V", "current": "A", "power": "W", "frequency": "Hz", "energy_in": "kWh"}
    ruuvi = {"temperature": "Cel", "humidity": "%", "battery": "V"}
    return [
        device("main-meter", 2.1, meter, {"voltage": 231.4, "current": 18.63, "power": 4310.2,
                                          "frequency": 50.01, "energy_in": 18422.74}),
        device("oven-meter", 1.2, meter, {"voltage": 230.9, "power": 2104.3, "energy_in": 3190.2}),
        device("inverter", 38.0, {"power": "W"}, {"power": 1890.0}, state="late",
               message="inverter: no answer from 192.168.1.40:502."),
        device("weather", 1.0, {"temperature": "Cel", "wind_speed": "m/s"},
               {"temperature": 11.2, "wind_speed": 4.1}),
        device("cold-room", 8.4, ruuvi, {"temperature": 4.135, "humidity": 71.2, "battery": 2.977}),
        device("freezer", 3.0, {"temperature": "Cel"}, {"temperature": -18.43}),
        device("shop-floor", 2.0, {**ruuvi, "battery": "%"},
               {"temperature": 21.3, "humidity": 26.4, "battery": 100}),
        device("vibration", None, {"rms": "mm/s"}, {}, state="never",
               message="vibration: heard, but it refuses connections."),
    ]  # fmt: skip


def device(
    name: str,
    age_s: float | None,
    units: Mapping[str, str | None],
    values: Json,
    **other: str,
) -> Json:
    return {
        "id": name, "name": name, "type": "sensor", "status": "active", "state": "ok",
        "last_seen": None if age_s is None else NOW, "age_s": age_s, "interval_s": 10.0,
        "profile": "eastron-sdm120", "connection": "rs485", "address": "2",
        "message": None, "action": None, "health": {"score": 1.0, "components": {}},
        "points": {p: {"unit": u, "interval_s": 10.0, "writable": False} for p, u in units.items()},
        "telemetry_summary": {"last_value": values, "message_count": 518_421},
        "counters": {"attempts_1h": 3960, "failed_1h": 0, "damaged_1h": 0,
                     "answer_ms_median": None},
        **other,
    }  # fmt: skip


def history(name: str, point: str | None, values: list[float | None]) -> Json:
    """One sample for each step of half an hour, the newest last; None is a gap."""
    end = datetime.fromisoformat(NOW) - STEP / 2
    rows = [
        {"timestamp": (end - STEP * back).isoformat(), "data": {point: value}}
        for back, value in zip(reversed(range(len(values))), values, strict=True)
        if value is not None
    ]
    return {"device": name, "samples": rows, "complete_since": "2026-11-23T14:00:00.000Z"}


def reading(point: str = "power", value: float | None = 2104.3, **other: object) -> Json:
    return {
        "point": point, "value": value, "unit": "W", "quality": "good",
        "time": "2026-11-23T14:46:57.050Z", "ms": 18.2, "source": "input 12 (30013)",
        "raw": "4503 84CD", "form": "float32 ABCD",
        "request": "02 04 00 0C 00 02 B1 FB", "answer": "02 04 04 45 03 84 CD 8F 1D",
        **other,
    }  # fmt: skip
