"""One seed from beginning to end: the same seed ends the same way."""

import asyncio
import random
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from tests.simulation.loop import VirtualLoop
from tests.simulation.world import Scenario, World

MEMORY = Path("/dev/shm")  # noqa: S108 - a tmpfs, wanted for speed


@dataclass(slots=True)
class Outcome:
    """What became of it."""

    findings: list[str]
    said: list[str]
    counts: dict[str, int] = field(default_factory=dict)


def simulate(scenario: Scenario) -> Outcome:
    """Run one seed from beginning to end; the same seed ends the same way."""
    folder = Path(
        tempfile.mkdtemp(prefix="fieldpost-simulation-", dir=MEMORY if MEMORY.is_dir() else None)
    )
    before = random.getstate()
    random.seed(scenario.seed)
    structlog.configure(processors=[_drop])
    try:
        loop = VirtualLoop()
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            world = World(scenario, folder / "state", loop)
            loop.tell(world.in_circles)
            loop.set_exception_handler(lambda _, context: world.oracle.wrong(f"lost: {context}"))
            runner.run(world.run())
            return _outcome(world)
    finally:
        random.setstate(before)
        structlog.reset_defaults()
        shutil.rmtree(folder)


def _outcome(world: World) -> Outcome:
    counts = {
        "lives": world.lives,
        "boots": len(world.clock.boots),
        "served": len(world.ledger.served),
        "committed": world.ledger.committed_samples,
        "gone": world.gone_readings,
        "disk errors": world.card.errors,
        **{f"requests {cloud.name}": cloud.requests for cloud in world.clouds.values()},
        **{f"delivered {cloud.name}": len(cloud.acked) for cloud in world.clouds.values()},
        **{f"refused {cloud.name}": len(cloud.refused) for cloud in world.clouds.values()},
    }
    return Outcome(world.oracle.findings, world.weather.said, counts)


def _drop(_logger: object, _name: str, _event: structlog.typing.EventDict) -> str:
    raise structlog.DropEvent
