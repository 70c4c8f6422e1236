"""What the gate refuses before anything of ours sees it."""

import hashlib

import pytest

from agent.client import Role
from tests.status.conftest import Service, bearer, raw, request
from tests.status.gatewaytwin import EXPIRED, TOKENS

AS_VIEWER = {"Authorization": f"Bearer {TOKENS[Role.VIEWER]}"}


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8080",
     "gateway.bakery.lan", "Gateway.Bakery.LAN:8443"],
)  # fmt: skip
async def test_names_of_the_gateway_are_accepted(service: Service, host: str) -> None:
    answer = await service.get("/api/v1/status", headers={"Host": host})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "localhost.", "127.0.0.1.", "127.1", "[::2]",
     "localhost:80:80", "localhost:http", "[::1", "user@localhost", "", "0.0.0.1"],
)  # fmt: skip
async def test_other_names_are_misdirected_even_with_a_token(service: Service, host: str) -> None:
    answer = await service.get("/api/v1/status", headers={"Host": host})

    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "MISDIRECTED")


async def test_a_missing_or_repeated_host_is_refused(service: Service) -> None:
    missing = await raw(service.port, b"GET / HTTP/1.0\r\n\r\n")
    twice = await raw(service.port, b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n")

    assert b" 421 " in missing
    assert b" 400 " in twice.splitlines()[0]


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "file://localhost", "https://localhost.evil"]
)
async def test_pages_of_other_sites_are_refused(service: Service, origin: str) -> None:
    answer = await service.get("/api/v1/status", headers={"Origin": origin})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert not any(name.startswith("access-control") for name in answer.headers)


async def test_our_own_page_is_not(service: Service) -> None:
    origin = {"Origin": "http://localhost:8080"}

    assert (await service.get("/api/v1/status", headers=origin)).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/api/v1/status"])
async def test_nothing_can_be_changed(service: Service, method: str, path: str) -> None:
    answer = await service.client.request(method, path, headers=bearer(Role.ADMIN))

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"


async def test_head_is_get_without_a_body(service: Service) -> None:
    answer = await service.client.head("/api/v1/status", headers=bearer(Role.VIEWER))

    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 1000


async def test_a_body_is_not_read(service: Service) -> None:
    long = await raw(service.port, request(**AS_VIEWER, **{"Content-Length": "1000000"}))
    chunked = await raw(service.port, request(**AS_VIEWER, **{"Transfer-Encoding": "chunked"}))

    assert b" 400 " in long.splitlines()[0]
    assert b" 400 " in chunked.splitlines()[0]


@pytest.mark.parametrize(
    "header",
    ["Basic dXNlcjpwYXNz", "Bearer", "Bearer nonsense", f"Bearer {EXPIRED}",
     f"Bearer {TOKENS[Role.ADMIN][:-1]}x", "Bearer fp_nobody22_" + "x" * 43,
     f"Bearer {TOKENS[Role.VIEWER]}x", "Bearer " + "y" * 5000, "Bearer a.b.c",
     "Bearer " + hashlib.sha256(TOKENS[Role.ADMIN].encode()).hexdigest()],
)  # fmt: skip
async def test_tokens_that_are_not_good_get_one_and_the_same_answer(
    service: Service, header: str
) -> None:
    answer = await service.get("/api/v1/status", None, {"Authorization": header})
    without = await service.get("/api/v1/status", None)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["error"] == without.json()["error"]


async def test_who_was_kept_out_is_written_down_a_few_times_a_minute(service: Service) -> None:
    service.twin.noted.clear()
    for number in range(30):
        header = {"Authorization": f"Bearer fp_nobody{number:02}_{'x' * 43}"}
        await service.get("/api/v1/status", None, header)
    lines = (await service.get("/api/v1/audit", Role.ADMIN)).json()["data"]

    assert len(lines) == 10
    assert lines[0] == {
        "who": "http 127.0.0.1", "what": "token.refused", "facts": {"token": "nobody00"},
        "result": "UNAUTHORIZED",
    }  # fmt: skip


async def test_a_token_in_the_address_or_in_a_cookie_is_no_token(service: Service) -> None:
    token = TOKENS[Role.ADMIN]
    address = await service.get(f"/api/v1/status?token={token}", None)
    cookie = await service.get("/api/v1/status", None, {"Cookie": f"token={token}"})

    assert (address.status_code, cookie.status_code) == (401, 401)


async def test_the_daemon_is_told_once_that_a_token_is_in_use(service: Service) -> None:
    service.twin.used.clear()
    for _ in range(3):
        await service.get("/api/v1/status", Role.OPERATOR)

    assert service.twin.used == [TOKENS[Role.OPERATOR][3:11]]


async def test_requests_are_counted_and_the_count_is_told(service: Service) -> None:
    told = [(await service.get("/api/v1/problems", Role.ADMIN)).headers for _ in range(2)]

    assert [int(h["x-ratelimit-remaining"]) for h in told] == [99, 98]
    assert told[0]["x-ratelimit-limit"] == "100"
    assert 0 < int(told[0]["x-ratelimit-reset"]) <= 60


async def test_after_a_hundred_requests_a_minute_a_token_has_to_wait(service: Service) -> None:
    codes = [(await service.get("/api/v1/tokens")).status_code for _ in range(101)]
    last = await service.get("/api/v1/status")
    telemetry = await service.get("/api/v1/devices/oven-meter/telemetry?limit=1")
    other = await service.get("/api/v1/status", Role.OPERATOR)

    assert set(codes[:100]) == {403}
    assert (codes[100], last.status_code) == (429, 429)
    assert int(last.headers["retry-after"]) > 0
    assert last.json()["error"]["code"] == "RATE_LIMITED"
    assert (telemetry.status_code, other.status_code) == (200, 200)


async def test_strangers_have_ten_requests_a_minute_and_the_page(service: Service) -> None:
    codes = [(await service.get("/api/v1/status", None)).status_code for _ in range(11)]

    assert codes == [401] * 10 + [429]
    assert (await service.get("/", None)).status_code == 200
    assert (await service.get("/livez", None)).status_code == 200


async def test_guessing_one_token_gets_slower_and_does_not_lock_out_others(
    service: Service,
) -> None:
    guess = {"Authorization": f"Bearer {TOKENS[Role.ADMIN][:-2]}zz"}
    codes = [(await service.get("/api/v1/status", None, guess)).status_code for _ in range(8)]

    assert codes[:6] == [401] * 6
    assert codes[6:] == [429] * 2
    assert (await service.get("/api/v1/status")).status_code == 200


async def test_rubbish_does_not_lock_out_who_has_another_kind_of_token(service: Service) -> None:
    codes = []
    for text in ["rubbish"] * 8 + ["a.b.c"]:
        header = {"Authorization": f"Bearer {text}"}
        codes.append((await service.get("/api/v1/status", None, header)).status_code)

    assert codes == [401] * 6 + [429] * 2 + [401]


async def test_ten_thousand_guesses_close_the_door_for_new_ones_only(service: Service) -> None:
    assert (await service.get("/api/v1/status")).status_code == 200
    codes = set()
    for number in range(120):  # the sixtieth closes the door, however many follow
        guess = {"Authorization": f"Bearer fp_{number:08}_{'x' * 43}"}
        codes.add((await service.get("/api/v1/status", None, guess)).status_code)
    stranger = await service.get("/api/v1/status", Role.ADMIN)

    assert codes == {401, 429}
    assert stranger.status_code == 429
    assert (await service.get("/api/v1/status")).status_code == 200


async def test_a_request_id_with_line_ends_or_too_long_is_replaced(service: Service) -> None:
    long = await service.get("/", None, {"X-Request-ID": "x" * 65})
    empty = await service.get("/", None, {"X-Request-ID": ""})

    assert long.headers["x-request-id"].startswith("req_")
    assert empty.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "path",
    ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/page.css/../../site.py", "/pages/x",
     "/static/../../secrets", "//evil.example/", "/%00", "/\u202e", "/page.css%00.html"],
)  # fmt: skip
async def test_odd_paths_lead_nowhere(service: Service, path: str) -> None:
    answer = await raw(
        service.port,
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode(),
    )
    status = int(answer.split()[1])

    assert 400 <= status < 500
    assert b"root:" not in answer
    assert b"Traceback" not in answer
