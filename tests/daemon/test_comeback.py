"""When the network is back, nobody sits out a pause of minutes; and nobody storms."""

import asyncio
import random
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from agent.client.role import Role
from agent.cloud import Unauthorized, Unreachable
from agent.daemon.conversation import Peer, Verb
from agent.daemon.queue_verbs import QueueVerbs
from agent.daemon.uplink.comeback import FLEET_S, Comeback, after_outage_s, routes_now
from agent.daemon.uplink.retry import Retry
from agent.errors import FieldpostError
from tests.daemon.test_queue_verbs import Plant
from tests.lab.hurry import hurried

OUTAGE_S = 1800.0
SHORT_S = 110.0
SOON_S = 5.0
SPREAD_S = after_outage_s(OUTAGE_S)  # so long a fleet takes after it


def told(*_: object) -> None:
    pass


class Far:
    """A destination that is away until a moment, and notes when it was asked."""

    def __init__(self, until_s: float, error: FieldpostError | None = None) -> None:
        self.until_s = until_s
        self.error = error or Unreachable("nobody answers")
        self.asked_s: list[float] = []

    async def ask(self) -> None:
        now_s = asyncio.get_running_loop().time()
        self.asked_s.append(now_s)
        if now_s < self.until_s:
            raise self.error

    def first_after(self, moment_s: float) -> float:
        return next(s for s in self.asked_s if s >= moment_s) - moment_s


def lived(*lanes: Coroutine[Any, Any, object], for_s: float) -> None:
    """Let these run for so long, on hurried time."""

    async def work() -> None:
        random.seed(2)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(lane, name="lane") for lane in lanes]
            await asyncio.sleep(for_s)
            for task in tasks:
                task.cancel()

    hurried(work())


@pytest.mark.parametrize(("outage_s", "pressing"), [(SHORT_S, False), (OUTAGE_S, True)])
def test_after_a_short_outage_or_with_an_alarm_a_lane_is_back_within_seconds(
    outage_s: float, *, pressing: bool
) -> None:
    for _ in range(20):
        comeback, far = Comeback(), Far(outage_s)

        async def sign(comeback: Comeback = comeback) -> None:
            await asyncio.sleep(outage_s)
            comeback.heard()

        lane = Retry(told, comeback, lambda: pressing).until_answered(far.ask)
        lived(sign(), lane, for_s=outage_s + 60)
        assert far.first_after(outage_s) <= SOON_S


def test_a_fleet_takes_two_minutes_at_most_after_any_outage() -> None:
    assert [after_outage_s(60.0 * minutes) for minutes in (1, 2, 60, 600)] == [
        4,
        4,
        FLEET_S,
        FLEET_S,
    ]


def test_who_is_heard_again_brings_all_others_back_soon() -> None:
    comeback = Comeback()
    one, other = Far(OUTAGE_S), Far(OUTAGE_S)

    async def often() -> None:  # the one with the luck to try at the right moment
        await asyncio.sleep(OUTAGE_S)
        comeback.heard()

    lived(often(), *(Retry(told, comeback).until_answered(far.ask) for far in (one, other)),
          for_s=OUTAGE_S + 60)  # fmt: skip
    assert one.first_after(OUTAGE_S) <= SPREAD_S
    assert other.first_after(OUTAGE_S) <= SPREAD_S


def test_a_lane_that_comes_through_is_what_the_others_hear() -> None:
    comeback = Comeback()
    lucky, other = Far(100.0), Far(OUTAGE_S)

    async def after() -> None:
        await Retry(told, comeback).until_answered(lucky.ask)
        await asyncio.sleep(SOON_S + 1)  # 100 s are a short outage
        assert other.first_after(lucky.asked_s[-1]) <= SOON_S

    lived(after(), Retry(told, comeback).until_answered(other.ask), for_s=OUTAGE_S)
    assert lucky.asked_s


def test_a_new_route_is_a_sign_and_one_that_goes_is_none() -> None:
    routes = {"eth0/net"}
    comeback = Comeback(routes=lambda: frozenset(routes))
    far = Far(OUTAGE_S)

    async def cable() -> None:
        routes.clear()
        await asyncio.sleep(OUTAGE_S)
        routes.update({"eth0/net", "eth0/default"})

    lived(comeback.watch(), cable(), Retry(told, comeback).until_answered(far.ask),
          for_s=OUTAGE_S + 60)  # fmt: skip
    assert far.first_after(OUTAGE_S) <= SPREAD_S + 1.0


def test_a_way_that_needs_some_seconds_more_is_tried_in_small_steps_again() -> None:
    """The link is there at once, the address comes seven seconds later."""
    comeback = Comeback()
    far = Far(SHORT_S + 7.0)

    async def link() -> None:
        await asyncio.sleep(SHORT_S)
        comeback.heard()

    lived(link(), Retry(told, comeback).until_answered(far.ask), for_s=SHORT_S + 120)
    assert far.first_after(SHORT_S + 7.0) <= 20.0


def test_a_dead_destination_beside_one_that_comes_and_goes_is_not_stormed() -> None:
    comeback = Comeback()
    dead = Far(float("inf"))

    async def flapping() -> None:
        while True:
            await asyncio.sleep(20)
            comeback.heard()

    lived(flapping(), Retry(told, comeback).until_answered(dead.ask), for_s=6 * 3600)
    assert len(dead.asked_s) < 6 * 180  # three a minute; without the deaf time it is ten


def test_whoever_asks_for_peace_or_for_a_person_is_left_alone() -> None:
    """Retry-After and a refused key are no silence; only a person may ask again at once."""
    for error, asked in (
        (Unreachable("busy", retry_after_s=1000.0), False), (Unauthorized("who are you"), True),
    ):  # fmt: skip
        comeback = Comeback()
        far = Far(OUTAGE_S, error)

        async def signs(comeback: Comeback = comeback) -> None:
            await asyncio.sleep(10)
            comeback.heard()
            await asyncio.sleep(10)
            comeback.ask()

        lived(signs(), Retry(told, comeback).until_answered(far.ask), for_s=100)
        assert [s for s in far.asked_s if 9 < s < 19.9] == []
        assert bool([s for s in far.asked_s if 19.9 < s < 25]) is asked


def test_the_routes_of_this_machine_are_read_without_what_changes_by_itself() -> None:
    assert routes_now() == routes_now()
    assert all("/" in route for route in routes_now())


async def test_a_person_may_ask_for_a_try_at_once(tmp_path: Path) -> None:
    """Through the verb behind `fieldpost queue try`."""
    plant = Plant(tmp_path)
    await plant.gateway.open()
    pausing = plant.gateway.comeback.pause(60.0, float("inf"))
    asked = QueueVerbs(plant.gateway).verbs()["queue.try"]
    assert isinstance(asked, Verb)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(pausing, name="pause")
        await asyncio.sleep(0.01)
        found = await asked.answer({}, Peer(0, 0, Role.OPERATOR))
    assert task.result()
    assert found == {"destinations": ["platform", "archive"]}
    await plant.gateway.buffer.close()
