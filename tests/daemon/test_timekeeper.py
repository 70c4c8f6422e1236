"""Where timesyncd keeps no mark, timedated is asked."""

import sys

import pytest

from agent.clock import SystemClock
from agent.daemon.timekeeper import Timekeeper


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("print('yes')", True),
        ("print('no')", False),
        ("raise SystemExit('Failed to connect to bus')", False),
    ],
)
async def test_only_a_plain_yes_vouches_for_the_clock(program: str, expected: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    keeper = Timekeeper(SystemClock(), (sys.executable, "-c", program))
    assert await keeper.answer() is expected


async def test_a_machine_without_timedated_vouches_for_nothing() -> None:
    assert await Timekeeper(SystemClock(), ("/nowhere/timedatectl",)).answer() is False
