"""Kinds come through one door, ours and anybody's; one that is broken is a sentence."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from agent import plan
from agent.prepare.kinds import (
    Compiled,
    ConnectionKind,
    DeviceInput,
    DeviceSettings,
    Problem,
    ProfileSettings,
    Settings,
)
from agent.prepare.registry import BrokenKindError, installed
from agent.prepare.report import human
from agent.prepare.types import Interval
from tests.prepare.bench import Bench

FILE = """\
site: {name: X}
connections:
  bus:
    kind: canopen
    device: can0
devices:
  pump:
    profile: pump
    via: bus
    node: 5
"""


class Bus(Settings):
    device: str
    heartbeat: Interval = 1.0


class Node(DeviceSettings):
    node: str


class Entries(ProfileSettings):
    points: dict[str, str]


def compile_bus(name: str, settings: Settings, devices: Sequence[DeviceInput]) -> Compiled:
    assert isinstance(settings, Bus)
    problems = [
        Problem(("devices", d.name, "node"), f"{d.name} is on line {{line:devices/{d.name}}}")
        for d in devices
        if isinstance(d.settings, Node) and d.settings.node == "0"
    ]
    found = {
        d.name: plan.Device(d.name, d.profile.profile, name, "", None, enabled=True, points={})
        for d in devices
    }
    return Compiled(settings.device, {"heartbeat_s": settings.heartbeat}, found, (), problems)


def bench_with_canopen(folder: Path) -> Bench:
    kinds = installed()
    canopen = ConnectionKind("canopen", Bus, Node, Entries, compile_bus)
    bench = Bench(
        folder,
        replace(
            kinds,
            connections={**kinds.connections, "canopen": lambda: canopen},
            opens={**kinds.opens, "canopen": "somewhere:open_driver"},
        ),
    )
    bench.profile("pump", "profile: pump\nkind: canopen\npoints: {speed: '2001'}\n")
    return bench


def test_a_kind_of_somebody_else_is_read_like_ours(tmp_path: Path) -> None:
    outcome = bench_with_canopen(tmp_path).prepare(FILE)
    assert human(outcome.problems) == ""
    assert outcome.plan is not None
    bus = outcome.plan.connections["bus"]
    assert (bus.opens, bus.place, bus.spec) == ("somewhere:open_driver", "can0", {"heartbeat_s": 1})


def test_its_own_checks_may_refer_to_lines(tmp_path: Path) -> None:
    outcome = bench_with_canopen(tmp_path).prepare(FILE.replace("node: 5", "node: 0"))
    assert [p.problem.message for p in outcome.problems] == ["pump is on line 7"]


def test_its_missing_settings_are_told_in_the_common_words(tmp_path: Path) -> None:
    outcome = bench_with_canopen(tmp_path).prepare(FILE.replace("    node: 5\n", ""))
    problem = outcome.problems[0].problem
    assert (problem.message, problem.fix) == ("'pump' has no node", "add a line  node: ...")


def test_a_kind_that_cannot_be_loaded_is_a_sentence(tmp_path: Path) -> None:
    kinds = installed()

    def broken() -> ConnectionKind:
        message = "what belongs to 'canopen' cannot be loaded: no such library"
        raise BrokenKindError(message, action="install it again")

    bench = Bench(tmp_path, replace(kinds, connections={**kinds.connections, "canopen": broken}))
    outcome = bench.prepare(FILE)
    told = [p.problem.message for p in outcome.problems]
    assert told[0] == "what belongs to 'canopen' cannot be loaded: no such library"
    assert outcome.plan is None
