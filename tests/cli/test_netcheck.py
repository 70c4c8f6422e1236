"""`fieldpost netcheck`: the way to a cloud, on real sockets of this machine."""

import datetime as dt
import http.server
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.cli.way import steps
from agent.cloud import Place
from agent.cloud.tls import context
from agent.demo.sandbox.authority import Authority, Period
from tests.cli import bakery
from tests.cli.conftest import Fieldpost
from tests.cli.twin import Twin

FILE = """\
version: 1
site: {{name: Bakery North}}
cloud:
  here: {{kind: http, url: 'http://127.0.0.1:{port}/v1'}}
"""
OLD = "Mon, 23 Nov 2020 14:46:57 GMT"


class Quiet(http.server.BaseHTTPRequestHandler):
    """Answers HEAD, with the right time or with another one."""

    date = ""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.date or super().date_time_string(timestamp)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(tls: ssl.SSLContext | None = None, date: str = "") -> Iterator[int]:
    """A web server's port."""
    handler = type("Dated", (Quiet,), {"date": date})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a failed handshake is wanted
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def identity(authority: Authority, name: str, ends: dt.datetime | None = None) -> ssl.SSLContext:
    """What a server shows."""
    pair = authority.server([name], Period(ends=ends)) if ends else authority.server([name])
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(pair.certificate + pair.private_key)
        file.flush()
        made.load_cert_chain(file.name)
    return made


def way(port: int, tls: ssl.SSLContext | None = None) -> dict[str, tuple[str, str]]:
    return {s.name: (s.state, s.fact) for s in steps(Place("127.0.0.1", port, tls, web=True))}


def test_a_way_that_works(authority: Authority) -> None:
    with serving(identity(authority, "127.0.0.1")) as port:
        found = way(port, context([authority.pem]))
    assert {state for state, _ in found.values()} == {"ok"}
    assert list(found) == ["address", "connection", "way out", "certificate", "clock"]
    assert found["certificate"][1].startswith("TLSv1.3 in ")
    assert found["clock"][1].startswith(("0 s ", "1 s "))


def test_a_certificate_that_ends_soon_is_a_warning(authority: Authority) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=9, hours=1)  # noqa: TID251 - a test may look
    with serving(identity(authority, "127.0.0.1", soon)) as port:
        state, fact = way(port, context([authority.pem]))["certificate"]
    assert (state, fact.endswith("certificate ends in 9 days")) == ("warn", True)


def test_a_certificate_of_another_host_is_a_failure_and_nothing_follows(
    authority: Authority,
) -> None:
    with serving(identity(authority, "other.example")) as port:
        found = way(port, context([authority.pem]))
    assert found["certificate"][0] == "fail"
    assert "clock" not in found


def test_an_unknown_authority_is_a_failure(authority: Authority) -> None:
    with serving(identity(authority, "127.0.0.1")) as port:
        assert way(port, context())["certificate"][0] == "fail"


def test_a_clock_that_is_off_is_a_warning() -> None:
    with serving(date=OLD) as port:
        found = way(port)
    assert (found["clock"][0], "ahead of the server" in found["clock"][1]) == ("warn", True)
    assert found["certificate"] == ("ok", "not encrypted: this machine only")


def test_a_closed_port_and_a_name_that_does_not_exist() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        found = way(closed.getsockname()[1])
    assert [name for name in found if found[name][0] == "fail"] == ["connection"]
    nowhere = list(steps(Place("nowhere.invalid", 443, context(), web=True)))
    assert [(step.name, step.state) for step in nowhere] == [("address", "fail")]


def test_the_proxy_is_named_without_what_opens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:word@proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    found = list(steps(Place("api.example.com", 443, context(), web=True)))
    assert [step.name for step in found] == ["way out"]
    assert "through the proxy proxy.example:3128;" in found[0].fact


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "gateway.yaml"


def test_the_screen(twin: Twin, fieldpost: Fieldpost, config: Path) -> None:
    told = bakery.snapshot()
    told["status"]["destinations"] = {"here": bakery.destination(21.0)}
    twin.answers["snapshot"] = told
    with serving() as port:
        config.write_text(FILE.format(port=port))
        said = fieldpost("--config", str(config), "netcheck")
    lines = said.out.splitlines()
    assert said.code == 0
    assert lines[3] == "* certificate  not encrypted: this machine only"
    assert lines[5] == "* credentials  accepted, readings were acknowledged 21 s ago"
    assert lines[6] == "Everything on the way works."


@pytest.mark.usefixtures("twin")
def test_what_is_refused_is_a_failure(twin: Twin, fieldpost: Fieldpost, config: Path) -> None:
    refused = bakery.destination(21.0, "refused") | {"message": "the key is not accepted (401)"}
    told = bakery.snapshot()
    told["status"]["destinations"] = {"here": refused}
    twin.answers["snapshot"] = told
    with serving() as port:
        config.write_text(FILE.format(port=port))
        said = fieldpost("--config", str(config), "netcheck", "here", "--json")
    assert said.code == 1
    assert said.json["destinations"]["here"][-1]["fact"] == "the key is not accepted (401)"


def test_an_unknown_destination(fieldpost: Fieldpost, config: Path) -> None:
    config.write_text(FILE.format(port=1))
    said = fieldpost("--config", str(config), "netcheck", "there")
    assert (said.code, "Destinations here: here" in said.err) == (2, True)
