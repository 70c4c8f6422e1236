"""The daemon's socket, spoken to by real clients over a real Unix socket."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import orjson
import pytest

from agent.client import BlockingClient, Client
from agent.daemon import conversation
from agent.daemon.conversation import Result
from agent.daemon.socket import (
    CONNECTIONS_MAX,
    REQUEST_BYTES_MAX,
    STATUS_CONNECTIONS_MAX,
    Peer,
    Role,
    Roles,
    SocketServer,
    StreamVerb,
    Verb,
)
from agent.errors import (
    BusyError,
    DeviceNotFoundError,
    FieldpostError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
    ValidationError,
)
from agent.plan import Json

OWN = Roles(own=os.geteuid())
AS_STATUS = Roles(own=os.geteuid() + 1, status=os.geteuid())
CLOSED_WITHIN_S = 10.0


class Verbs:
    """Some verbs, and what was asked of them."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.audited: list[tuple[int, str, Json, Result]] = []
        self.table: dict[str, Verb | StreamVerb] = {
            "echo": Verb(Role.VIEWER, self.echo),
            "fail": Verb(Role.VIEWER, self.fail),
            "stumble": Verb(Role.VIEWER, self.stumble),
            "admin": Verb(Role.ADMIN, self.echo, changes=True),
            "hashes": Verb(Role.ADMIN, self.echo, status=True),
            "count": StreamVerb(Role.VIEWER, self.count),
            "flood": StreamVerb(Role.VIEWER, self.flood),
        }

    async def echo(self, args: Json, peer: Peer) -> Json:
        return {"args": args, "uid": peer.uid, "pid": peer.pid}

    async def fail(self, args: Json, _peer: Peer) -> Json:
        if "field" in args:
            raise ValidationError(args["field"], "unknown", "This field is unknown.")
        message = "There is no device 'oven'."
        raise DeviceNotFoundError(message, action="See them: fieldpost status")

    async def stumble(self, args: Json, _peer: Peer) -> Json:
        return {"never": args["missing"]}

    async def count(self, args: Json, _peer: Peer) -> AsyncGenerator[Json, None]:
        try:
            for number in range(args["to"]):
                yield {"number": number}
                await asyncio.sleep(args.get("every", 0))
            if args.get("then") == "fail":
                message = "That was all."
                raise BusyError(message)
        finally:
            self.closed.set()

    async def flood(self, _args: Json, _peer: Peer) -> AsyncGenerator[Json, None]:
        try:
            while True:
                yield {"text": "x" * 10_000}
                await asyncio.sleep(0)
        finally:
            self.closed.set()

    def audit(self, peer: Peer, verb: str, args: Json, result: Result) -> None:
        self.audited.append((peer.uid, verb, args, result))


@asynccontextmanager
async def served(path: Path, verbs: Verbs, roles: Roles = OWN) -> AsyncIterator[Client]:
    server = SocketServer(path, verbs.table, roles, verbs.audit)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run(), name="server")
        await server.ready.wait()
        yield Client(path)
        task.cancel()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fieldpost.sock"


@pytest.fixture
def verbs() -> Verbs:
    return Verbs()


@pytest.fixture
async def client(path: Path, verbs: Verbs) -> AsyncIterator[Client]:
    async with served(path, verbs) as client:
        yield client


def mode(path: Path) -> int | None:
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else None


async def raw(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(str(path))


async def test_a_verb_is_answered_with_what_it_returned(client: Client) -> None:
    answer = await client.call("echo", {"word": "größe"})
    assert answer == {"args": {"word": "größe"}, "uid": os.geteuid(), "pid": os.getpid()}


async def test_what_it_advises_can_be_typed_as_it_stands(path: Path, verbs: Verbs) -> None:
    there = "fieldpost --config /srv/site.yaml"
    server = SocketServer(path, verbs.table, OWN, command=there)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run(), name="server")
        await server.ready.wait()
        with pytest.raises(DeviceNotFoundError) as caught:
            await Client(path).call("fail")
        task.cancel()
    assert caught.value.action == f"See them: {there} status"


async def test_the_socket_is_open_to_user_and_group_only(client: Client, path: Path) -> None:
    await client.call("echo")
    assert mode(path) == 0o660


async def test_the_socket_is_gone_when_the_daemon_is(path: Path, verbs: Verbs) -> None:
    async with served(path, verbs):
        assert mode(path) is not None
    assert mode(path) is None


async def test_a_path_longer_than_the_kernel_allows_works(tmp_path: Path, verbs: Verbs) -> None:
    folder = tmp_path / ("very-" * 20) / ("long-" * 20)
    folder.mkdir(parents=True)
    async with served(folder / "fieldpost.sock", verbs) as client:
        assert (await client.call("echo", {"n": 1}))["args"] == {"n": 1}


async def test_what_a_killed_daemon_left_is_replaced(path: Path, verbs: Verbs) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with served(path, verbs) as client:
        assert await client.call("echo")


async def test_a_second_daemon_is_refused(client: Client, path: Path, verbs: Verbs) -> None:
    with pytest.raises(BusyError, match="another fieldpost"):
        await SocketServer(path, verbs.table, OWN).run()
    assert await client.call("echo")


async def test_an_error_arrives_as_its_own_kind(client: Client) -> None:
    with pytest.raises(DeviceNotFoundError, match="no device 'oven'") as caught:
        await client.call("fail")
    assert caught.value.action == "See them: fieldpost status"
    with pytest.raises(ValidationError, match="This field is unknown") as refused:
        await client.call("fail", {"field": "device"})
    assert (refused.value.field, refused.value.reason) == ("device", "unknown")
    with pytest.raises(NotFoundError, match="no verb 'nonsense'"):
        await client.call("nonsense")


async def test_a_verb_that_stumbles_does_not_end_the_daemon(client: Client) -> None:
    with pytest.raises(FieldpostError, match="went wrong inside") as caught:
        await client.call("stumble")
    assert caught.value.code == "INTERNAL_ERROR"
    assert await client.call("echo")


async def test_many_requests_go_over_one_connection(client: Client, path: Path) -> None:
    await client.call("echo")
    reader, writer = await raw(path)
    writer.write(b'{"id": "a", "verb": "echo"}\n{"id": 2, "verb": "fail", "args": {}}\n')
    first = orjson.loads(await reader.readline())
    second = orjson.loads(await reader.readline())
    assert (first["id"], first["ok"]) == ("a", True)
    assert (second["id"], second["error"]["code"]) == (2, "DEVICE_NOT_FOUND")
    writer.close()


@pytest.mark.parametrize(
    "line", [b"nonsense", b"[]", b'{"verb": 7}', b'{"verb": "echo", "args": []}']
)
async def test_what_is_no_request_is_refused_in_words(
    client: Client, path: Path, line: bytes
) -> None:
    await client.call("echo")
    reader, writer = await raw(path)
    writer.write(line + b"\n")
    assert orjson.loads(await reader.readline())["error"]["code"] == "VALIDATION_ERROR"
    writer.write(b'{"id": 1, "verb": "echo"}\n')
    assert orjson.loads(await reader.readline())["ok"]
    writer.close()


async def test_a_configuration_fits_into_a_request_and_more_does_not(
    client: Client, path: Path
) -> None:
    text = "x" * 256_000
    assert (await client.call("echo", {"text": text}))["args"]["text"] == text
    reader, writer = await raw(path)
    writer.write(b"x" * (REQUEST_BYTES_MAX + 10) + b"\n")
    assert "too long" in orjson.loads(await reader.readline())["error"]["message"]
    assert await reader.read() == b""
    writer.close()


@pytest.mark.slow
async def test_half_a_request_is_closed_after_five_seconds(client: Client, path: Path) -> None:
    await client.call("echo")
    reader, writer = await raw(path)
    writer.write(b'{"id": 1,')
    before = asyncio.get_running_loop().time()
    assert "too long" in orjson.loads(await reader.readline())["error"]["message"]
    assert await reader.read() == b""
    taken = asyncio.get_running_loop().time() - before
    assert conversation.LINE_WITHIN_S - 0.1 < taken < conversation.LINE_WITHIN_S + CLOSED_WITHIN_S
    writer.close()


async def test_the_status_process_may_only_look(path: Path, verbs: Verbs) -> None:
    async with served(path, verbs, AS_STATUS) as client:
        assert await client.call("echo")
        assert await client.call("hashes")
        with pytest.raises(ForbiddenError, match="Only an administrator"):
            await client.call("admin")


async def test_what_changes_something_is_audited_refused_or_not(path: Path, verbs: Verbs) -> None:
    async with served(path, verbs) as client:
        await client.call("echo", {"not": "audited"})
        await client.call("admin", {"name": "kitchen"})
    async with served(path, verbs, AS_STATUS) as client:
        with pytest.raises(ForbiddenError):
            await client.call("admin", {"name": "kitchen"})
    uid = os.geteuid()
    assert verbs.audited == [
        (uid, "admin", {"name": "kitchen"}, Result()),
        (uid, "admin", {"name": "kitchen"},
         Result("FORBIDDEN", "Only an administrator may do this.")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("uid", "role", "status"),
    [
        (0, Role.ADMIN, False),
        (990, Role.ADMIN, False),
        (991, Role.VIEWER, True),
        (1000, Role.OPERATOR, False),
    ],
)
def test_the_uid_decides_the_role(uid: int, role: Role, status: bool) -> None:  # noqa: FBT001 - a parametrized fact
    assert Roles(own=990, status=991).peer(7, uid) == Peer(7, uid, role, status=status)


async def test_the_seventeenth_client_is_told_that_it_is_full(client: Client, path: Path) -> None:
    await client.call("echo")
    others = [await raw(path) for _ in range(CONNECTIONS_MAX)]
    with pytest.raises(BusyError, match="Too many programs"):
        await client.call("echo")
    others.pop()[1].close()
    await asyncio.sleep(0.05)
    assert await client.call("echo")
    for _, writer in others:
        writer.close()


async def test_the_status_process_has_four_places(path: Path, verbs: Verbs) -> None:
    async with served(path, verbs, AS_STATUS) as client:
        others = [await raw(path) for _ in range(STATUS_CONNECTIONS_MAX)]
        with pytest.raises(BusyError):
            await client.call("echo")
        for _, writer in others:
            writer.close()


async def test_a_stream_ends_by_itself_and_the_connection_lives_on(
    client: Client, path: Path
) -> None:
    assert [item["number"] async for item in client.stream("count", {"to": 3})] == [0, 1, 2]
    reader, writer = await raw(path)
    writer.write(b'{"id": 5, "verb": "count", "args": {"to": 1}}\n')
    assert orjson.loads(await reader.readline())["data"] == {"number": 0}
    assert orjson.loads(await reader.readline()) == {"id": 5, "ok": True, "end": True}
    writer.close()


async def test_a_stream_that_fails_says_so(client: Client) -> None:
    items = client.stream("count", {"to": 2, "then": "fail"})
    got = [await anext(items), await anext(items)]
    with pytest.raises(BusyError, match="That was all"):
        await anext(items)
    assert [item["number"] for item in got] == [0, 1]
    with pytest.raises(FieldpostError, match="went wrong inside"):
        _ = [item async for item in client.stream("count")]


async def test_a_client_that_leaves_ends_its_stream(client: Client, verbs: Verbs) -> None:
    async with aclosing(client.stream("count", {"to": 1000, "every": 0.05})) as items:
        await anext(items)
    async with asyncio.timeout(CLOSED_WITHIN_S):
        await verbs.closed.wait()


async def test_a_client_that_does_not_read_is_closed(
    client: Client, path: Path, verbs: Verbs
) -> None:
    await client.call("echo")
    _, writer = await raw(path)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # every transport of a socket has it
    writer.write(b'{"id": 1, "verb": "flood"}\n')
    async with asyncio.timeout(CLOSED_WITHIN_S):
        await verbs.closed.wait()
    assert await client.call("echo")
    writer.close()


async def test_nobody_at_the_socket_is_said_with_the_way_out(path: Path) -> None:
    with pytest.raises(UnavailableError, match="not running") as caught:
        await Client(path).call("echo")
    assert caught.value.action
    with pytest.raises(UnavailableError, match="not running"):
        BlockingClient(path).call("echo")


async def test_a_daemon_that_says_nothing_is_unavailable(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen()
        with pytest.raises(UnavailableError, match="does not answer"):
            await Client(path, within_s=0.1).call("echo")
        with pytest.raises(UnavailableError, match="does not answer"):
            BlockingClient(path, within_s=0.1).call("echo")
