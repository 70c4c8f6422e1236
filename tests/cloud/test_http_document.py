"""The HTTP contract: the README's server takes what is posted, and its receipt counts."""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent.cloud.http.destination import Plan, open_cloud
from agent.plan import Json, to_json
from tests.cloud.conftest import GATEWAY
from tests.cloud.records import EPOCH, batch

README = Path(__file__).parents[2] / "agent" / "cloud" / "http" / "README.md"


def code(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


class Server(HTTPServer):
    """Answers with what the README's function returns."""

    kept: dict[str, Json]
    received: Callable[..., Json]


class Handler(BaseHTTPRequestHandler):
    server: Server  # type: ignore[mutable-override]  # http.server tells it no better

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receipt = self.server.received(
            body, self.headers.get("Content-Encoding", ""), self.server.kept
        )
        said = json.dumps(receipt).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Nothing: the test's output is not the place."""


@pytest.fixture
def server() -> Iterator[Server]:
    room: dict[str, Any] = {}
    exec(code("python"), room)  # noqa: S102 -- our own documentation, under test
    with Server(("127.0.0.1", 0), Handler) as served, ThreadPoolExecutor(1) as pool:
        served.kept, served.received = {}, room["received"]
        pool.submit(served.serve_forever, 0.05)
        try:
            yield served
        finally:
            served.shutdown()


@pytest.mark.parametrize("compress", [True, False])
async def test_the_server_of_the_readme_keeps_each_record_once(
    server: Server, *, compress: bool
) -> None:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    cloud = open_cloud(GATEWAY, to_json(Plan(url, compress=compress)), {})
    sent = batch(5)
    try:
        for _ in range(2):  # as after an answer that was lost
            receipt = await cloud.send(sent)
            assert sorted(receipt.accepted) == [*range(5)]
    finally:
        await cloud.aclose()
    assert [*server.kept] == [f"{GATEWAY}:{EPOCH}:{seq}" for seq in range(1, 6)]
    assert [kept["values"] for kept in server.kept.values()] == [r.values for r in sent.records]


def test_the_example_of_the_readme_is_a_document_that_its_server_takes() -> None:
    room: dict[str, Any] = {}
    exec(code("python"), room)  # noqa: S102 -- our own documentation, under test
    kept: dict[str, Json] = {}
    receipt = room["received"](code("json").encode(), "", kept)
    assert receipt == {"epoch": "9f0c…", "first": 17, "last": 19, "count": 2}
    assert [*kept] == ["ES-0231:9f0c…:17", "ES-0231:9f0c…:19"]
