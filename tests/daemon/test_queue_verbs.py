"""The verbs about the queue, asked over the real socket of a gateway with a real store."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import orjson
import pytest
from typing_extensions import override

from agent import plan
from agent.client import Client, Role
from agent.cloud import Batch, Limits, Receipt
from agent.daemon.buffer import Lane
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.store import Store
from agent.daemon.conversation import Peer
from agent.daemon.gateway import Gateway
from agent.daemon.plans import Applied
from agent.daemon.queue_verbs import QueueVerbs
from agent.daemon.socket import Roles, SocketServer
from agent.errors import (
    FieldpostError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
    ValidationError,
)
from agent.plan import Json
from agent.sample import Sample
from tests.daemon.buffer.parts import SITE, HandClock, made

MANY = 20_000
STICK_S = 0.3  # how long a reader looks away, while far more is held than socket and loop take
HELD_BY_SOCKET = 2_000_000  # bytes: what kernel and transport may hold of a stream nobody reads


class Plant:
    """A gateway with two clouds that nobody carries to."""

    def __init__(self, folder: Path, site: plan.Site = SITE, build: Build | None = None) -> None:
        clouds = {
            name: plan.Destination(name, "http", "agent.cloud.http:open_cloud", 10.0, None, {})
            for name in ("platform", "archive")
        }
        origin = plan.Origin("0", {})
        running = plan.Plan(1, origin, replace(site, may_lose_s=0.01), {}, {}, clouds)
        self.clock = HandClock()
        self.gateway = Gateway(
            Applied(1, 0, running), folder, folder, self.clock, build or Build(made)
        )
        self.path = folder / "s"
        self.client = Client(self.path)
        self.audited: list[tuple[str, str]] = []

    async def accept(self, *values: object) -> None:
        for value in values:
            sample = Sample("meter", self.clock.now(), {"power": value})  # type: ignore[dict-item]  # any Value
            await self.gateway.buffer.put(sample)
            self.clock.tick(1)
        await self.gateway.buffer.flush()

    async def refuse(self, name: str, *reasons: str) -> None:
        """The oldest are refused, one for each reason."""
        box = self.gateway.buffer.outbox(name)
        batch = await box.take(Limits(records=len(reasons)), Lane.ANY)
        assert isinstance(batch, Batch)
        await box.settle(batch, Receipt((), dict(enumerate(reasons))))

    def server(self, roles: Roles) -> SocketServer:
        return SocketServer(
            self.path,
            QueueVerbs(self.gateway).verbs(),
            roles,
            lambda _peer, verb, _args, result: self.audited.append((verb, result.code)),
        )


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    plant = Plant(tmp_path)
    await plant.gateway.open()
    async with asyncio.TaskGroup() as group:
        server = plant.server(Roles(own=os.geteuid()))
        task = group.create_task(server.run(), name="socket")
        await server.ready.wait()
        yield plant
        task.cancel()
    await plant.gateway.buffer.close()


async def exported(plant: Plant, **args: str) -> list[Json]:
    return [
        one async for some in plant.client.stream("queue.export", args) for one in some["samples"]
    ]


async def test_the_queue_shows_what_waits_was_refused_and_was_lost(plant: Plant) -> None:
    await plant.accept(1, 2, 3)
    await plant.refuse("platform", "too hot")
    await plant.client.call("queue.drop", {"destination": "archive", "what": "waiting"})
    await plant.client.call("queue.rejected")
    found = (await plant.client.call("queue"))["destinations"]
    assert found["platform"]["waiting"]["readings"] == 2
    assert found["platform"]["waiting"]["oldest_at"] == "2026-11-18T11:06:41.000Z"
    assert found["platform"]["rejected"]["samples"] == 1
    assert found["platform"]["lost"] == []
    (lost,) = found["archive"]["lost"]
    assert (lost["reason"], lost["readings"], lost["exact"]) == ("dropped_by_operator", 3, True)
    assert lost["from"] < lost["to"]
    assert {"state", "last_ack_at", "rate_per_s", "configured"} <= set(found["archive"])


async def test_what_was_refused_a_moment_ago_is_counted_for_people_and_costs_a_page_no_commit(
    plant: Plant,
) -> None:
    await plant.accept(1, 2)
    await plant.refuse("platform", "no such device")
    commits = plant.gateway.buffer.facts().commits
    page = Peer(1, 1, Role.VIEWER, status=True)
    queue = QueueVerbs(plant.gateway).queue
    assert (await queue({}, page))["destinations"]["platform"]["rejected"] is None
    assert plant.gateway.buffer.facts().commits == commits
    found = await plant.client.call("queue")
    assert found["destinations"]["platform"]["rejected"]["samples"] == 1
    assert found["destinations"]["platform"]["waiting"]["samples"] == 1


async def test_a_store_that_is_full_and_takes_nothing_new_is_a_failure(tmp_path: Path) -> None:
    plant = Plant(tmp_path, replace(SITE, buffer_bytes=1_000_000, when_full="refuse-new"))
    gateway = plant.gateway
    await gateway.open()
    for _ in range(80):
        gateway.health.look(gateway.surroundings())
        await plant.accept(*(os.urandom(2000).hex() for _ in range(5)))
        await gateway.buffer.look_after()
    gateway.health.look(gateway.surroundings())
    status = gateway.snapshot()["status"]
    problems = status["health"]["problems"]
    await gateway.buffer.close()
    assert status["health"]["status"] == "fail"
    said = [problem["message"] for problem in problems if problem["code"] == "FP-U06"]
    assert len(said) == 2
    assert all("readings had to be given up in the last hour" in sentence for sentence in said)
    advice = {problem["action"] for problem in problems if problem["code"] == "FP-U06"}
    assert all(said.startswith("fieldpost queue  says why") for said in advice)  # or by hand


async def test_what_a_cloud_refused_that_nobody_knows_is_a_mistake(plant: Plant) -> None:
    with pytest.raises(NotFoundError, match="no destination 'nope'"):
        await plant.client.call("queue.rejected", {"destination": "nope"})
    assert (await plant.client.call("queue.rejected", {"destination": "archive"}))["total"] == 0


async def test_refused_samples_are_listed_newest_first_and_in_parts(plant: Plant) -> None:
    await plant.accept(1, 2, 3)
    await plant.refuse("platform", "hot", "hotter", "hottest")
    found = await plant.client.call("queue.rejected", {"limit": 2, "skip": 1})
    assert found["total"] == 3
    assert [row["reason"] for row in found["rejected"]] == ["hotter", "hot"]
    epoch = plant.gateway.buffer.facts().epoch
    assert found["rejected"][1]["msg_id"] == f"barn-1:{epoch}:1"
    assert (await plant.client.call("queue.rejected", {"destination": "archive"}))["total"] == 0


async def test_replay_and_drop_are_audited(plant: Plant) -> None:
    await plant.accept(1, 2)
    await plant.refuse("platform", "hot", "hotter")
    one = await plant.client.call("queue.replay", {"destination": "platform", "ids": ["2"]})
    assert one["samples"] == 1
    gone = await plant.client.call("queue.drop", {"destination": "platform", "what": "all"})
    assert gone == {"waiting_readings": 0, "rejected_readings": 2, "forgotten": False}
    with pytest.raises(NotFoundError, match="There is no destination 'nowhere'"):
        await plant.client.call("queue.drop", {"destination": "nowhere"})
    assert plant.audited == [
        ("queue.replay", "ok"), ("queue.drop", "ok"), ("queue.drop", "NOT_FOUND"),
    ]  # fmt: skip


async def test_only_an_administrator_gives_anything_up(plant: Plant, tmp_path: Path) -> None:
    plant.path = tmp_path / "t"
    async with asyncio.TaskGroup() as group:
        server = plant.server(Roles(own=os.geteuid() + 1, status=os.geteuid()))
        task = group.create_task(server.run(), name="socket")
        await server.ready.wait()
        client = Client(plant.path)
        with pytest.raises(ForbiddenError):
            await client.call("queue.drop", {"destination": "platform"})
        with pytest.raises(ForbiddenError):
            await client.call("queue.replay", {"destination": "platform"})
        assert (await client.call("queue.rejected"))["total"] == 0
        task.cancel()


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("queue.rejected", {"limit": 1001}),
        ("queue.rejected", {"skip": "many"}),
        ("queue.replay", {"destination": "platform", "ids": ["seventeen"]}),
        ("queue.replay", {"destination": 5}),
    ],
)
async def test_a_wrong_argument_is_named(plant: Plant, verb: str, args: Json) -> None:
    with pytest.raises(ValidationError):
        await plant.client.call(verb, args)


async def test_an_export_has_everything_once_and_moves_nothing(plant: Plant) -> None:
    await plant.accept(*range(250))
    await plant.refuse("archive", "no")
    found = await exported(plant, destination="archive")
    assert [one["values"]["power"] for one in found] == [*range(1, 250)]
    assert len(await exported(plant)) == 250
    (refused,) = await exported(plant, what="rejected")
    assert (refused["destination"], refused["reason"], refused["msg_id"][-2:]) == (
        "archive",
        "no",
        ":1",
    )
    since = await exported(plant, destination="archive", since=found[-10]["time"])
    assert since == found[-10:]
    assert plant.gateway.buffer.outbox("archive").waiting().samples == 249


async def test_values_that_json_cannot_hold_are_texts(plant: Plant) -> None:
    await plant.accept(2**70, "\ud800", 0.5)
    values = [one["values"]["power"] for one in await exported(plant)]
    assert values == [str(2**70), "\\ud800", 0.5]


async def test_an_export_of_nobody_is_refused(plant: Plant) -> None:
    with pytest.raises(NotFoundError):
        await exported(plant, destination="nowhere")
    with pytest.raises(FieldpostError, match="write a time"):
        await exported(plant, since="yesterday")


@pytest.mark.timeout(30)
async def test_a_slow_stick_gets_everything_and_costs_no_memory(plant: Plant) -> None:
    await plant.accept(*range(MANY))
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as wire:
        wire.setblocking(False)  # noqa: FBT003 - the socket's own word
        await loop.sock_connect(wire, str(plant.path))
        await loop.sock_sendall(wire, b'{"id":1,"verb":"queue.export","args":{}}\n')
        first = await loop.sock_recv(wire, 1000)
        await asyncio.sleep(STICK_S)  # the stick is busy
        sizes = [task.get_name() for task in asyncio.all_tasks()]
        assert "socket stream" in sizes
        received = bytearray(first)
        while not received.endswith(b'"end":true}\n'):
            received += await loop.sock_recv(wire, 1 << 16)
    assert len(received) > HELD_BY_SOCKET
    lines = [orjson.loads(line) for line in received.splitlines()]
    assert sum(len(line["data"]["samples"]) for line in lines[:-1]) == MANY


class SilentCard(Store):
    """Takes what is given, and says nothing of what it holds."""

    @override
    def consult(self, question: object) -> NoReturn:
        message = "The disk does not answer."
        raise UnavailableError(message)


async def test_what_waits_is_shown_although_the_card_does_not_answer(tmp_path: Path) -> None:
    plant = Plant(tmp_path, build=Build(made, store=SilentCard))
    await plant.gateway.open()
    await plant.accept(1, 2, 3)
    shown = await QueueVerbs(plant.gateway).queue({}, Peer(0, 0, Role.OPERATOR))
    await plant.gateway.buffer.close()
    assert shown["unread"] == "The disk does not answer."
    assert {name: one["waiting"]["readings"] for name, one in shown["destinations"].items()} == {
        "platform": 3, "archive": 3,
    }  # fmt: skip
