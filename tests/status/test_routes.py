"""Every route, with every role: who sees what, and in which shape."""

import re

import pytest
from fastapi.routing import APIRoute

from agent.client import Role
from agent.status import api, site
from agent.status.gate import OPEN
from tests.status.conftest import Service

ROUTES = {  # path: the lowest role that sees it
    "/api/v1/status": Role.VIEWER,
    "/api/v1/health": Role.VIEWER,
    "/api/v1/devices": Role.VIEWER,
    "/api/v1/devices/oven-meter": Role.VIEWER,
    "/api/v1/devices/oven-meter/telemetry": Role.VIEWER,
    "/api/v1/destinations": Role.VIEWER,
    "/api/openapi.json": Role.VIEWER,
    "/metrics": Role.VIEWER,
    "/api/v1/events": Role.OPERATOR,
    "/api/v1/problems": Role.OPERATOR,
    "/api/v1/queue": Role.OPERATOR,
    "/api/v1/queue/rejected": Role.OPERATOR,
    "/api/v1/tokens": Role.ADMIN,
    "/api/v1/audit": Role.ADMIN,
}
SECURITY = {
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-resource-policy",
    "cache-control",
    "x-request-id",
}


def test_the_table_has_every_route_there_is() -> None:
    paths = {re.sub(r"{\w+}", "oven-meter", r.path) for r in _routes()}

    assert paths == set(ROUTES) | OPEN


def _routes() -> list[APIRoute]:
    return [
        route for route in (*api.router.routes, *site.router.routes) if isinstance(route, APIRoute)
    ]


@pytest.mark.parametrize("path", sorted(ROUTES))
async def test_each_role_sees_what_it_may(service: Service, path: str) -> None:
    for role in (None, *Role):
        answer = await service.get(path, role)
        lowest = ROUTES[path]
        wanted = 401 if role is None else 200 if role >= lowest else 403
        assert answer.status_code == wanted
        assert set(answer.headers) >= SECURITY
        if wanted != 200:
            assert answer.json()["success"] is False


@pytest.mark.parametrize("path", sorted(OPEN))
async def test_page_and_probes_need_no_token_and_tell_no_version(
    service: Service, path: str
) -> None:
    answer = await service.get(path, None)

    assert answer.status_code == 200
    assert set(answer.headers) >= SECURITY
    assert "server" not in answer.headers
    assert "0.1.0" not in answer.text


async def test_an_unknown_path_is_401_for_strangers_and_404_for_others(service: Service) -> None:
    stranger = await service.get("/api/v1/secrets", None)
    known = await service.get("/api/v1/secrets")

    assert stranger.json()["error"]["code"] == "UNAUTHORIZED"
    assert (known.status_code, known.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_a_slash_too_many_is_not_redirected(service: Service) -> None:
    answer = await service.get("/api/v1/status/")

    assert answer.status_code == 404
    assert "location" not in answer.headers


async def test_status_has_everything_the_page_needs(service: Service) -> None:
    answer = await service.get("/api/v1/status", headers={"X-Request-ID": "mine-1"})
    body = answer.json()
    data = body["data"]

    assert body["success"] is True
    assert body["meta"]["version"] == "1.0"
    assert body["meta"]["request_id"] == answer.headers["x-request-id"] == "mine-1"
    assert data["gateway"]["id"] == "ES-0231"
    assert data["health"]["status"] == "warn"
    assert data["devices"]["total"] == len(data["cards"]) == 8
    assert {p["code"] for p in data["health"]["problems"]} == {
        "FP-S11", "FP-B07", "FP-H01", "FP-C02",
    }  # fmt: skip
    oven = next(card for card in data["cards"] if card["id"] == "oven-meter")
    assert oven["state"] == "ok"
    assert oven["values"][0]["unit"] == "kW"


async def test_an_etag_covers_what_happened_and_not_how_long_ago(service: Service) -> None:
    first = await service.get("/api/v1/status")
    service.twin.clock.go(0.001)
    again = await service.get("/api/v1/status", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


async def test_all_clients_share_one_snapshot_a_second(service: Service) -> None:
    before = service.twin.asked.get("snapshot", 0)
    for _ in range(20):
        await service.get("/api/v1/status")

    assert service.twin.asked["snapshot"] - before <= 2


async def test_lists_are_paged_and_filtered(service: Service) -> None:
    part = (await service.get("/api/v1/devices?skip=1&limit=2")).json()
    late = (await service.get("/api/v1/devices?state=late")).json()

    assert [d["id"] for d in part["data"]] == ["oven-meter", "inverter"]
    assert {k: part["meta"][k] for k in ("skip", "limit", "total")} == {
        "skip": 1, "limit": 2, "total": 8,
    }  # fmt: skip
    assert [d["id"] for d in late["data"]] == ["inverter"]
    assert "points" not in late["data"][0]
    assert "components" not in late["data"][0]["health"]


async def test_a_device_has_points_values_and_counters(service: Service) -> None:
    data = (await service.get("/api/v1/devices/oven-meter")).json()["data"]

    assert data["points"]["power"] == {"unit": "kW", "interval_s": 5.0, "writable": False}
    assert set(data["telemetry_summary"]["last_value"]) == {"voltage", "power", "energy"}
    assert data["health"]["components"]["uptime"]["value"] == 1.0
    assert data["counters"]["failed_1h"] == 0


async def test_a_misspelt_device_is_not_found_and_the_right_one_is_offered(
    service: Service,
) -> None:
    answer = await service.get("/api/v1/devices/oven-metre")
    error = answer.json()["error"]

    assert (answer.status_code, error["code"]) == (404, "DEVICE_NOT_FOUND")
    assert "Did you mean 'oven-meter'?" in error["message"]
    telemetry = await service.get("/api/v1/devices/oven-metre/telemetry")
    assert telemetry.status_code == 404


async def test_telemetry_can_be_paged_from_where_it_ended(service: Service) -> None:
    path = "/api/v1/devices/oven-meter/telemetry"
    newest = (await service.get(f"{path}?limit=3")).json()
    since = newest["data"][0]["timestamp"]
    after = (await service.get(f"{path}?since={since}&limit=1&point=power")).json()

    assert newest["meta"]["count"] == 3
    assert newest["meta"]["next_since"] == newest["data"][-1]["timestamp"]
    assert [row["timestamp"] for row in after["data"]] == [newest["data"][1]["timestamp"]]
    assert set(after["data"][0]["data"]) == {"power"}


async def test_steps_of_five_minutes_have_minimum_mean_and_maximum(service: Service) -> None:
    path = "/api/v1/devices/oven-meter/telemetry?resolution=5min"
    rows = (await service.get(path)).json()["data"]

    assert len(rows) >= 12
    assert set(rows[0]["data"]["power"]) == {"min", "mean", "max", "n"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("devices?limt=5", "limt"),
        ("devices?limit=0", "limit"),
        ("devices?limit=1001", "limit"),
        ("devices?skip=-1", "skip"),
        ("devices?limit=many", "limit"),
        ("devices?state=broken", "state"),
        ("devices/oven-meter/telemetry?since=yesterday", "since"),
        ("devices/oven-meter/telemetry?resolution=1h", "resolution"),
        ("status?token=fp_x", "token"),
    ],
)
async def test_a_wrong_parameter_is_named(service: Service, query: str, field: str) -> None:
    answer = await service.get(f"/api/v1/{query}")
    error = answer.json()["error"]

    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert error["details"]["field"] == field
    assert error["details"]["reason"]


async def test_events_come_after_a_time(service: Service) -> None:
    everything = (await service.get("/api/v1/events", Role.OPERATOR)).json()["data"]
    since = everything[-2]["time"]
    after = (await service.get(f"/api/v1/events?since={since}", Role.OPERATOR)).json()["data"]

    assert after
    assert all(event["time"] > since for event in after)


async def test_the_queue_has_backlog_and_ledger(service: Service) -> None:
    held = (await service.get("/api/v1/queue", Role.OPERATOR)).json()["data"]["destinations"]

    assert held["archive"]["waiting"]["readings"] == 412
    assert held["archive"]["lost"][0] | {"samples": 0} == {
        "reason": "thinned", "samples": 0, "readings": 120, "exact": True,
        "from": "2026-11-20T00:00:00.000Z", "to": "2026-11-21T00:00:00.000Z",
    }  # fmt: skip


async def test_what_was_refused_is_listed_with_the_reason(service: Service) -> None:
    path = "/api/v1/queue/rejected?destination=archive&skip=5&limit=1"
    answer = (await service.get(path, Role.OPERATOR)).json()

    assert service.twin.rejected_asked == {"destination": "archive", "skip": 5, "limit": 1}
    assert answer["data"][0]["reason"] == "value too large"
    assert answer["meta"]["total"] == 12


async def test_tokens_are_listed_without_their_hashes(service: Service) -> None:
    answer = await service.get("/api/v1/tokens", Role.ADMIN)

    assert {t["name"] for t in answer.json()["data"]} >= {"the-viewer", "the-admin"}
    assert "sha256" not in answer.text


async def test_what_is_large_is_compressed_when_asked_for(service: Service) -> None:
    large = await service.get("/api/v1/status", headers={"Accept-Encoding": "gzip"})
    small = await service.get("/api/v1/tokens", headers={"Accept-Encoding": "gzip"})
    plainly = await service.get("/api/v1/status", headers={"Accept-Encoding": "identity"})

    assert large.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in small.headers
    assert "content-encoding" not in plainly.headers


async def test_probes_say_one_word_and_more_to_those_who_may(service: Service) -> None:
    word = await service.get("/livez?verbose", None)
    more = await service.get("/readyz?verbose")

    assert word.text == "ok\n"
    assert more.text == "[+]loop ok\n[+]store ok\nok\n"
