"""Fault 62: malformed HTTP, smuggling, huge headers, traversal, odd Unicode, wrong types.

The status service answers 4xx in its envelope and goes on; the daemon's socket survives whatever
the status service, or anybody in its group, may say.
"""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from agent.client import BlockingClient, Role
from agent.client.paths import reachable
from agent.errors import FieldpostError
from agent.status.description import description
from tests.daemon.plant import Site, ended
from tests.faults.browsers import in_a_path, serving
from tests.lab.mosquitto import free_port
from tests.status.conftest import Service, bearer, raw, request
from tests.status.gatewaytwin import DEVICES, TOKENS, GatewayTwin

ANY = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
TEXTS = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.sampled_from(
        ["../../etc/passwd", "%2e%2e/", "\u202egro", "\0", "-1", "1e9", "9" * 5000, "'; drop--",
         "2026-11-23T14:46:50Z", "0000-00-00", "2026-11-23T14:46:50+99:99", "{}", "null", "NaN"]
    ),
)  # fmt: skip
AS_VIEWER = {"Authorization": f"Bearer {TOKENS[Role.VIEWER]}"}


class Leaking:
    """Broken: a bug inside shows its traceback."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = PlainTextResponse("Traceback (most recent call last): ...", status_code=500)
        await answer(scope, receive, send)


def wrong(answer: httpx.Response, documented: set[str]) -> str:
    """What is wrong with an answer, "" when nothing is."""
    if str(answer.status_code) not in documented:
        return f"{answer.status_code} is not in the description"
    if "Traceback" in answer.text:
        return "a traceback"
    if answer.status_code != 200:
        error = answer.json()["error"]
        return "" if error["code"] and error["message"] else "no envelope"
    return ""


def operations(routes: FastAPI) -> st.SearchStrategy[tuple[str, dict[str, str], set[str]]]:
    """Every operation of our description with any text for each parameter."""
    paths = description(routes)["paths"]
    return st.one_of([_operation(path, methods["get"]) for path, methods in paths.items()])


@st.composite
def _operation(
    draw: st.DrawFn, path: str, about: dict[str, Any]
) -> tuple[str, dict[str, str], set[str]]:
    names = [p["name"] for p in about.get("parameters", ()) if p["in"] == "query"]
    query = draw(st.dictionaries(st.sampled_from([*names, "limt", "\0"]), TEXTS, max_size=4))
    known = st.sampled_from(sorted(DEVICES))
    path = path.replace("{device_id}", in_a_path(draw(st.one_of(known, TEXTS))))
    return path, query, {*about["responses"], "404"}


@pytest.mark.parametrize("build", ["sound", "leaking"])
@pytest.mark.timeout(60)
def test_whatever_stands_in_the_parameters_the_answer_is_one_of_the_description(
    twin: GatewayTwin, routes: FastAPI, tmp_path: Path, build: str
) -> None:
    broken = (lambda _: Leaking()) if build == "leaking" else (lambda app: app)
    found = set()
    with asyncio.Runner() as runner:
        serve = serving(twin, routes, tmp_path, broken=broken)
        service = runner.run(serve.__aenter__())

        @ANY
        @given(operations(routes))
        def ask(asked: tuple[str, dict[str, str], set[str]]) -> None:
            path, query, documented = asked
            get = service.client.get(path, params=_sendable(query), headers=bearer(Role.ADMIN))
            found.add(wrong(runner.run(get), documented))

        ask()
        runner.run(serve.__aexit__(None, None, None))
    assert (found == {""}) is (build == "sound")


def _sendable(query: dict[str, str]) -> dict[str, str]:
    return {k: v.encode("utf-8", "replace").decode() for k, v in query.items()}


HIDDEN = request(**AS_VIEWER)  # what a proxy in between would not have let through
CUT = len(HIDDEN)
SMUGGLED = (
    f"Content-Length: {CUT}",
    f"Content-Length: {CUT}\r\nContent-Length: 0",
    f"Content-Length: 0, {CUT}",
    f"Content-Length: +{CUT}",
    f"Content-Length : {CUT}",
    f"Content-Length:\r\n {CUT}",
    f"Content-Length: {CUT}\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding:\x0bchunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 3",
)  # fmt: skip


def sloppy(text: bytes) -> bytes:
    """Broken: every empty line ends a request, whatever its header says of a body."""
    heads = text.split(b"\r\n\r\n")
    return b"".join(b'{"success":true}' if b"Bearer" in head else b"{}" for head in heads)


def smuggling(header: str) -> bytes:
    """A request with another one in its body."""
    outer = f"POST /livez HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n"
    return outer.encode() + HIDDEN


def leaked(answer: bytes) -> bool:
    """Whether the inner one was answered."""
    return b'"success":true' in answer


@pytest.mark.parametrize("header", SMUGGLED)
async def test_a_request_hidden_in_the_body_of_another_is_not_answered(
    service: Service, header: str
) -> None:
    text = smuggling(header)
    assert leaked(sloppy(text))
    assert not leaked(await raw(service.port, text, within_s=0.2))
    assert (await service.get("/livez", None)).status_code == 200


PIECES = st.one_of(
    st.sampled_from(
        [b"GET", b" ", b"/", b"HTTP/1.1", b"HTTP/9.9", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0",
         b"Host: localhost", b":", b"Expect: 100-continue", b"Connection: upgrade, close", b"%00",
         b"Upgrade: h2c", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01", b"x" * 9000]
    ),
    st.binary(max_size=20),
)  # fmt: skip


@pytest.mark.timeout(60)
def test_bytes_that_are_no_request_get_a_refusal_or_nothing(
    twin: GatewayTwin, routes: FastAPI, tmp_path: Path
) -> None:
    with asyncio.Runner() as runner:
        serve = serving(twin, routes, tmp_path)
        service = runner.run(serve.__aenter__())

        @settings(ANY, max_examples=60)
        @given(st.lists(PIECES, max_size=12).map(b"".join))
        def say(text: bytes) -> None:
            head = text if text.startswith(b"GET / ") else b"GET / " + text
            answer = runner.run(raw(service.port, head, within_s=0.03))
            assert re.match(rb"HTTP/1.1 (200|4\d\d) ", answer) or not answer
            assert b"Traceback" not in answer

        say()
        assert runner.run(service.get("/livez", None)).status_code == 200
        runner.run(serve.__aexit__(None, None, None))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple[Site, list[dict[str, Any]]]]:
    """The real one; its meter and its broker are away. Afterwards: what it logged."""
    site = Site(tmp_path, free_port())
    running = site.run()
    log: list[dict[str, Any]] = []
    try:
        yield site, log
        assert running.poll() is None
    finally:
        _, lines = ended(running)
        log += lines
    assert [line for line in lines if line["event_type"] == "socket.stumbled"] == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
NAMES = ("destination", "device", "point", "what", "ids", "limit", "skip", "since", "resolution",
         "name", "id", "role", "expires", "facts", "value", "within_s", "kind", "connection",
         "unit", "register", "for_s", "who", "result", "function", "count", "settings")  # fmt: skip


@pytest.mark.timeout(60)
async def test_the_daemons_socket_survives_whatever_is_said_to_it(
    daemon: tuple[Site, list[dict[str, Any]]],
) -> None:
    site, _ = daemon
    await site.until(bool)
    verbs = ("history", "events", "read", "write", "discover", "lends", "ask", "token.used",
             "token.add", "token.revoke", "audit.note", "queue.rejected", "queue.replay",
             "queue.drop", "settings", "tokens", "\0")  # fmt: skip

    @settings(ANY, max_examples=100)
    @given(st.sampled_from(verbs), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6))
    def ask(verb: str, args: dict[str, Any]) -> None:
        with suppress(FieldpostError):  # a failure inside is in the log, which is looked at
            site.client.call(verb, json.loads(json.dumps(args).encode("utf-8", "replace")))

    ask()

    @settings(ANY, max_examples=40)
    @given(st.one_of(st.binary(max_size=200), VALUES.map(lambda v: json.dumps(v).encode())))
    def shout(text: bytes) -> None:
        _shouted(site.client, text)

    shout()
    assert site.client.call("ping")["pid"]


def _shouted(client: BlockingClient, text: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as wire, reachable(client._path) as address:  # noqa: SLF001 - past its client
        wire.connect(address)
        wire.sendall(text + b"\n")
        wire.shutdown(socket.SHUT_WR)
        while wire.recv(65536):
            pass
