"""The surfaces against their formats: OpenAPI, health+json, Prometheus, the page's size."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.client import Role
from agent.status.app import plain
from agent.status.description import description
from agent.status.site import PAGES
from tests.status.conftest import Service
from tests.status.gatewaytwin import TOKENS

COMMITTED = Path(__file__).parent / "openapi.json"
PAGE_MAX = 30_000


def test_the_description_is_the_committed_one() -> None:
    """After a change: python -m tests.status.test_contract."""
    assert orjson.loads(COMMITTED.read_bytes()) == orjson.loads(orjson.dumps(_described()))


def _described() -> dict[str, Any]:
    return description(plain())


def test_the_description_has_our_errors_and_nobody_elses() -> None:
    described = _described()
    text = orjson.dumps(described).decode()
    operations = [op for path in described["paths"].values() for op in path.values()]

    assert "422" not in {code for op in operations for code in op["responses"]}
    assert all(op["security"] == [{"token": []}] for op in operations)
    assert all(op["description"] for op in operations)
    assert "HTTPValidationError" not in text
    for name in set(re.findall(r"#/components/schemas/(\w+)", text)):
        assert name in described["components"]["schemas"]


async def test_health_speaks_the_format_of_monitoring_systems(service: Service) -> None:
    answer = await service.get("/api/v1/health")
    body = answer.json()
    inverter = body["checks"]["inverter:lastReadAge"][0]

    assert answer.headers["content-type"] == "application/health+json"
    assert (answer.status_code, body["status"], body["serviceId"]) == (200, "warn", "ES-0231")
    assert inverter["status"] == "warn"
    assert inverter["output"] == "192.168.1.40 is there but refuses port 502"
    assert body["checks"]["gateway:score"][0]["status"] == "pass"
    assert "vibration: heard, but it refuses connections" in body["output"]
    for checks in body["checks"].values():
        for check in checks:
            assert check["status"] in ("pass", "warn", "fail")
            assert check["time"].endswith("Z")
            assert check["componentType"] in ("system", "component", "datastore")


async def test_metrics_are_read_by_prometheus_own_parser(service: Service) -> None:
    answer = await service.get("/metrics")
    families = {f.name: f for f in text_string_to_metric_families(answer.text)}
    states = families["fieldpost_device_state"].samples

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert {s.labels["state"] for s in states if s.labels["device"] == "inverter" and s.value} == {
        "late"
    }
    assert all(name.startswith("fieldpost_") for name in families)
    assert families["fieldpost_readings_accepted"].samples[0].value == 31_882_140
    assert {label for f in families.values() for s in f.samples for label in s.labels} <= {
        "device", "connection", "destination", "reason", "state", "version",
    }  # fmt: skip


async def test_failures_are_counted_by_reason_and_never_fall(service: Service) -> None:
    text = (await service.get("/metrics")).text
    errors = 'fieldpost_poll_errors_total{device="inverter",reason="refuses_connection"} '

    assert float(text.partition(errors)[2].split()[0]) >= 14
    assert 'fieldpost_uplink_requests_total{destination="scada",reason="acknowledged"}' in text


async def test_what_is_not_measured_is_absent_and_never_zero(service: Service) -> None:
    text = (await service.get("/metrics")).text

    assert "fieldpost_temperature_celsius 51.1" in text
    assert 'fieldpost_device_last_success_timestamp_seconds{device="vibration"}' not in text


async def test_no_token_and_no_hash_is_in_any_answer(service: Service) -> None:
    paths = ("/", "/page.js", "/metrics", "/api/v1/status", "/api/v1/tokens", "/api/v1/events")
    texts = [(await service.get(path, Role.ADMIN)).text for path in paths]

    for text in texts:
        assert not any(token in text for token in TOKENS.values())


def test_the_page_is_small_and_asks_nobody_else() -> None:
    files = [PAGES / name for name in ("index.html", "page.css", "page.js")]
    everything = "".join(file.read_text() for file in PAGES.iterdir())

    assert sum(file.stat().st_size for file in files) < PAGE_MAX
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", everything)
    assert not re.findall(r"\son\w+=|style=|<style|<script>|javascript:", everything)
    assert "cookie" not in everything.lower()


@pytest.mark.parametrize("name", ["page.js", "docs.js"])
def test_the_scripts_write_no_markup_from_data(name: str) -> None:
    script = (PAGES / name).read_text()

    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)


if __name__ == "__main__":
    COMMITTED.write_bytes(orjson.dumps(_described(), option=orjson.OPT_INDENT_2) + b"\n")
