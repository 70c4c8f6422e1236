"""Fault 9: drivers with a bug of every kind; each costs its own connection and nobody else."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab.foreign import connect, installed
from tests.lab.whole import ending, whole

NAMED = {
    "unimportable": "ModuleNotFoundError",
    "fails-to-open": "KeyError",
    "fails": "ZeroDivisionError",
    "ends": "the driver ended by itself",
    "exits": "a library is missing",
    "cancels-itself": "the driver cancelled itself",
}
PAUSES_S = 2.0
LIVES_MAX = 8  # within the test: pauses begin at half a second and double


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("build", ["release", "unsupervised"])
async def test_a_driver_that_fails_costs_its_own_connection_only(
    tmp_path: Path, build: str
) -> None:
    python = installed(tmp_path / "environment")
    module = ["agent.cli"] if build == "release" else ["tests.lab.failpoints", build]
    async with whole(tmp_path) as site:
        connect(site, *NAMED)
        with ending(site.start([python, "-m", *module])) as daemon:
            if build == "unsupervised":
                assert await site.died(daemon) > 0
                return
            await site.until(lambda told: all(named(told, name) for name in NAMED))
            await site.fresh(int(PAUSES_S / 0.1))
            assert await site.drained(daemon) == []
    events = [json.loads(line) for line in site.log.splitlines() if line.startswith("{")]
    for name in NAMED:
        crashes = [
            e for e in events
            if e.get("event_type") == "driver.crashed" and e["connection"] == name
        ]  # fmt: skip
        assert 1 <= len(crashes) <= LIVES_MAX, f"{name}: {len(crashes)} lives"


def named(snapshot: dict[str, Any], connection: str) -> bool:
    """Whether health says what is wrong with it."""
    told = snapshot["status"]["connections"][connection]
    return told["state"] == "gone" and NAMED[connection] in (told["message"] or "")
