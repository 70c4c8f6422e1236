"""The snapshot as Prometheus metrics (status-page-and-api 10.5); base units, bounded labels."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from agent.clock import from_iso
from agent.plan import Json

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("ok", "late", "lost", "never", "bad-data", "starting", "off")
NS = 1e9


def text(snapshot: Json) -> bytes:
    """The exposition."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(snapshot))
    return generate_latest(registry)


class _Snapshot(Collector):
    """One snapshot as metric families."""

    def __init__(self, snapshot: Json) -> None:
        self._status = snapshot["status"]
        self._devices = snapshot["devices"]

    def collect(self) -> Iterator[Metric]:
        """All families."""
        status = self._status
        yield from _gateway(status)
        yield from _devices(self._devices)
        yield from _wires(status["connections"])
        yield from _flow(status["store"], status["destinations"])
        yield from _uplinks(status["destinations"])
        yield from _machine(status["machine"])


def _gateway(status: Json) -> Iterator[Metric]:
    gateway, configuration = status["gateway"], status["configuration"]
    build = InfoMetricFamily("fieldpost_build", "The program.")
    build.add_metric([], {"version": gateway["version"]})
    yield build
    yield _gauge("up", "The daemon answers.", 1)
    yield _gauge("start_time_seconds", "Start of the daemon.", _seconds(gateway["started_at"]))
    yield _gauge("health_score", "Health, 0 to 1.", status["health"]["score"])
    yield _gauge("config_version", "Number of the running configuration.", configuration["version"])
    rejected = configuration["rejected"] is not None
    yield _gauge("config_rejected", "The file is bad; the last good one runs.", rejected)


def _devices(devices: Json) -> Iterator[Metric]:
    yield _gauges(
        "device_up", "The device is heard.", "device",
        ((name, device["state"] == "ok") for name, device in devices.items()),
    )  # fmt: skip
    yield _gauges(
        "device_health_score", "Health of the device, 0 to 1.", "device",
        ((name, device["health"]["score"]) for name, device in devices.items()),
    )  # fmt: skip
    yield _gauges(
        "device_last_success_timestamp_seconds", "Newest good sample.", "device",
        ((name, _seconds(device["last_seen"])) for name, device in devices.items()),
    )  # fmt: skip
    states = GaugeMetricFamily(
        "fieldpost_device_state", "1 for the state it is in.", labels=("device", "state")
    )
    for name, device in devices.items():
        for word in STATES:
            states.add_metric((name, word), float(device["state"] == word))
    yield states
    yield _errors(devices)


def _errors(devices: Json) -> Metric:
    errors = CounterMetricFamily(
        "fieldpost_poll_errors", "Failed reads since the start.", labels=("device", "reason")
    )
    for name, device in devices.items():
        for reason, count in device["counters"].get("errors_total", {}).items():
            errors.add_metric((name, reason), count)
    return errors


def _wires(connections: Json) -> Iterator[Metric]:
    """Of those connections that measure themselves."""
    yield _gauges(
        "bus_busy_ratio", "Share of the last five minutes in use.", "connection",
        ((name, found.get("busy_ratio")) for name, found in connections.items()),
    )  # fmt: skip
    overruns = CounterMetricFamily(
        "fieldpost_poll_overruns", "Reads skipped on a busy wire.", labels=("connection",)
    )
    lengths = HistogramMetricFamily(
        "fieldpost_poll_duration_seconds", "Length of scheduled reads.", labels=("connection",)
    )
    for name, found in connections.items():
        if found.get("overruns_total") is not None:
            overruns.add_metric((name,), found["overruns_total"])
        if found.get("polls"):
            buckets = [*_buckets(found["polls"])]
            lengths.add_metric((name,), buckets, sum_value=found["polls"]["total_s"])
    yield overruns
    yield lengths


def _buckets(polls: Json) -> Iterator[tuple[str, float]]:
    """What Prometheus counts: all that were not longer than each edge."""
    edges = [f"{edge:g}" for edge in polls["edges_s"]]
    yield from zip([*edges, "+Inf"], accumulate(polls["counts"]), strict=True)


def _flow(store: Json, destinations: Json) -> Iterator[Metric]:
    accepted = store["accepted_readings_total"]
    yield _counter("readings_accepted", "Readings accepted by the store.", accepted)
    yield _counter("starts", "Starts of the daemon on this store.", store["starts_total"])
    yield _gauge("buffer_bytes", "What the store takes on the card.", store["used_bytes"])
    yield _gauge("buffer_quota_bytes", "What it may take.", store["quota_bytes"])
    counted = (
        ("readings_delivered", "Acknowledged readings.", "delivered_total"),
        ("readings_rejected", "Readings a destination refused.", "rejected_total"),
        ("readings_lost", "Readings given up, or not taken in.", "given_up_total"),
    )
    for name, help_text, key in counted:
        family = CounterMetricFamily(f"fieldpost_{name}", help_text, labels=("destination",))
        for destination, found in destinations.items():
            family.add_metric((destination,), found.get(key, 0))
        yield family


def _uplinks(destinations: Json) -> Iterator[Metric]:
    gauges = (
        ("buffer_readings", "Readings that wait.", lambda d: d["waiting_readings"]),
        ("buffer_oldest_timestamp_seconds", "Oldest of them.", lambda d: _seconds(d["oldest_at"])),
        ("uplink_up", "Data arrives there.", lambda d: d["state"] in ("ok", "slow", "rejecting")),
        (
            "uplink_last_ack_timestamp_seconds", "Newest acknowledgement.",
            lambda d: _seconds(d["last_ack_at"]),
        ),
        (
            "certificate_expiry_timestamp_seconds", "End of its certificate.",
            lambda d: _seconds(d.get("certificate_expires_at")),
        ),
    )  # fmt: skip
    for name, help_text, value in gauges:
        found = ((destination, value(d)) for destination, d in destinations.items())
        yield _gauges(name, help_text, "destination", found)
    requests = CounterMetricFamily(
        "fieldpost_uplink_requests", "Answers by kind.", labels=("destination", "reason")
    )
    for destination, found_of in destinations.items():
        for reason, count in found_of.get("requests_total", {}).items():
            requests.add_metric((destination, reason), count)
    yield requests


def _machine(machine: Json) -> Iterator[Metric]:
    def of(part: str, key: str) -> float | None:
        found = machine.get(part)
        return None if found is None else found.get(key)

    yield _gauge("power_low", "The supply is too low now.", of("power", "low_now"))
    yield _gauge("temperature_celsius", "Of the processor.", of("temperature", "celsius"))
    yield _gauge("card_free_bytes", "Free on the card.", of("card", "free_bytes"))
    yield _counter("card_written_bytes", "Written by everybody.", of("card", "written_bytes"))
    yield _gauge("memory_rss_bytes", "Resident set of the daemon.", of("memory", "agent_rss_bytes"))
    yield _gauge("clock_synchronized", "The clock is right.", of("clock", "synchronized"))


def _gauge(name: str, help_text: str, value: float | None) -> Metric:
    """One gauge; without a value it has no sample: "not measured" is not zero."""
    family = GaugeMetricFamily(f"fieldpost_{name}", help_text)
    if value is not None:
        family.add_metric([], float(value))
    return family


def _counter(name: str, help_text: str, value: float | None) -> Metric:
    family = CounterMetricFamily(f"fieldpost_{name}", help_text)
    if value is not None:
        family.add_metric([], float(value))
    return family


def _gauges(
    name: str, help_text: str, label: str, values: Iterable[tuple[str, float | None]]
) -> Metric:
    family = GaugeMetricFamily(f"fieldpost_{name}", help_text, labels=(label,))
    for of, value in values:
        if value is not None:
            family.add_metric((of,), float(value))
    return family


def _seconds(time: str | None) -> float | None:
    return from_iso(time) / NS if time else None
