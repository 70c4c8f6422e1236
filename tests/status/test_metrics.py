"""What a connection measured of itself, from its driver to Prometheus and `doctor`."""

import dataclasses

from prometheus_client.parser import text_string_to_metric_families

from agent.cli.doctor import _well
from agent.driver import Figures
from agent.driver.figures import EDGES_S
from agent.plan import Json
from agent.status.metrics import text
from tests.daemon.health.bakery import QUIET, Bakery, device

POLLS = tuple(range(len(EDGES_S) + 1))
MEASURED = Figures(0.1234, overruns=3, answers_s={"meter": 0.0182}, polls=POLLS, polls_s=12.5)


def snapshot(**figures: Figures) -> Json:
    bakery = Bakery(device("meter"), device("sensor", "radio", None))
    bakery.speaks("meter")
    return bakery.health.snapshot(dataclasses.replace(QUIET, figures=figures))


def series(content: bytes) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(content.decode())
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for family in families
        for sample in family.samples
        if sample.labels.get("connection") == "rs485"
    }


def test_a_device_shows_how_long_it_usually_takes_to_answer() -> None:
    found = snapshot(rs485=MEASURED)
    assert found["devices"]["meter"]["counters"]["answer_ms_median"] == 18.2
    assert found["devices"]["sensor"]["counters"]["answer_ms_median"] is None


def test_prometheus_gets_the_use_of_a_wire_its_overruns_and_the_lengths_of_its_reads() -> None:
    found = series(text(snapshot(rs485=MEASURED)))
    assert found["fieldpost_bus_busy_ratio", ""] == 0.1234
    assert found["fieldpost_poll_overruns_total", ""] == 3
    assert found["fieldpost_poll_duration_seconds_bucket", "0.01"] == 1
    assert found["fieldpost_poll_duration_seconds_bucket", "+Inf"] == sum(POLLS)
    assert found["fieldpost_poll_duration_seconds_count", ""] == sum(POLLS)
    assert found["fieldpost_poll_duration_seconds_sum", ""] == 12.5


def test_what_is_not_measured_is_not_zero() -> None:
    assert series(text(snapshot())) == {}
    assert snapshot()["status"]["connections"]["rs485"]["busy_ratio"] is None


def test_doctor_says_how_busy_a_wire_is() -> None:
    said = [finding.text for finding in _well(snapshot(rs485=MEASURED))]
    assert "rs485: modbus-rtu at rs485, busy 12 %" in said
