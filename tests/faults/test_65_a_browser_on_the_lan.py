"""Fault 65: somebody else's page in a browser on the LAN: DNS rebinding, CSRF, CORS."""

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from agent.client import Role
from agent.status.description import description
from agent.status.gate import OPEN
from tests.faults.browsers import Break, any_name, no_gate, serving, unchanged
from tests.status.conftest import Service, bearer
from tests.status.gatewaytwin import GatewayTwin

REBOUND = {"Host": "attacker.example"}  # its name resolves to this gateway now
FOREIGN = {"Origin": "http://attacker.example", "Referer": "http://attacker.example/"}
FORM = {"Content-Type": "application/x-www-form-urlencoded", **FOREIGN}
PREFLIGHT = {
    **FOREIGN,
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization",
}
OURS = {"content-security-policy", "x-content-type-options", "referrer-policy",
        "cross-origin-resource-policy", "cache-control"}  # fmt: skip


Built = Callable[[Break], AbstractAsyncContextManager[Service]]


@pytest.fixture
def paths(routes: FastAPI) -> list[str]:
    described = [path.replace("{device_id}", "freezer") for path in description(routes)["paths"]]
    return sorted({*described, *OPEN, "/metrics"})


def told(answers: Iterable[httpx.Response]) -> bool:
    """Whether a page that is not ours could read anything, or have it remembered."""
    return any(
        answer.is_success
        or any(name.startswith("access-control-") for name in answer.headers)
        or "set-cookie" in answer.headers
        for answer in answers
    )


@pytest.fixture
def built(twin: GatewayTwin, routes: FastAPI, tmp_path: Path) -> Built:
    """The service, whole or broken."""
    return lambda broken: serving(twin, routes, tmp_path, broken=broken)


@pytest.mark.parametrize("headers", [REBOUND, FOREIGN, REBOUND | FOREIGN], ids=str)
@pytest.mark.parametrize("broken", [unchanged, any_name])
async def test_a_page_of_another_site_reads_nothing_even_with_a_token(
    built: Built, paths: list[str], headers: dict[str, str], broken: Break
) -> None:
    async with built(broken) as service:
        answers = [await service.get(path, Role.ADMIN, headers) for path in paths]
    assert told(answers) is (broken is any_name)
    if broken is unchanged:
        assert {answer.status_code for answer in answers} == {421 if "Host" in headers else 403}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_a_form_of_another_site_changes_nothing(
    service: Service, paths: list[str], method: str
) -> None:
    service.twin.used.clear()
    for path in paths:
        send = service.client.request(method, path, headers=FORM | bearer(None), content=b"a=b")
        assert (await send).status_code in (403, 405)
    assert service.twin.used == []


async def test_no_page_is_told_that_it_may_ask(service: Service, paths: list[str]) -> None:
    asked = [service.client.options(path, headers=PREFLIGHT) for path in paths]
    assert not told([await one for one in asked])


@pytest.mark.parametrize("broken", [unchanged, no_gate])
async def test_every_answer_has_the_headers_that_keep_it_ours(
    built: Built, paths: list[str], broken: Break
) -> None:
    async with built(broken) as service:
        got = [await service.get(path, Role.ADMIN) for path in [*paths, "/nothing", "/api/v1/x"]]
    lacking = {str(answer.url) for answer in got if not set(answer.headers) >= OURS}
    assert (not lacking) is (broken is unchanged)
    assert not any("set-cookie" in answer.headers or "server" in answer.headers for answer in got)
