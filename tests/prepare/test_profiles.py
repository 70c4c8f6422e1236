"""Profiles: own ones win, one extends another, and their mistakes are shown in their own file."""

from pathlib import Path

from agent.prepare.profiles import Shelf, catalogue, packaged
from agent.prepare.report import human
from tests.prepare.bench import Bench

METER = """\
site: {name: X}
connections:
  line: {kind: modbus-tcp, host: meter}
devices:
  meter: {profile: NAME, via: line, address: 1}
"""
BASE = """\
profile: base
title: A meter
kind: modbus
every: 30s
points:
  power: {read: input 12, as: float32, unit: W, max: 9000}
  voltage: {read: input 0, as: float32, unit: V}
"""


def using(name: str) -> str:
    return METER.replace("NAME", name)


def test_an_own_profile_wins_over_a_packaged_one(bench: Bench) -> None:
    text = using("sunspec-inverter")
    packaged_points = bench.prepare(text).plan
    own = BASE.replace("profile: base", "profile: sunspec-inverter")
    bench.profile("sunspec-inverter", own)
    outcome = bench.prepare(text)
    assert outcome.plan is not None
    assert packaged_points is not None
    assert set(outcome.plan.devices["meter"].points) == {"power", "voltage"}
    assert outcome.plan.devices != packaged_points.devices


def test_a_plan_knows_that_an_own_profile_would_change_it(bench: Bench) -> None:
    outcome = bench.prepare(using("sunspec-inverter"))
    assert outcome.plan is not None
    absent = bench.file.parent / "profiles" / "sunspec-inverter.yaml"
    assert outcome.plan.origin.files[str(absent)] == ""


def test_a_profile_takes_from_another_what_it_does_not_say(bench: Bench) -> None:
    bench.profile("base", BASE)
    extends = "profile: mine\nextends: base\npoints:\n  power: {max: 100}\n"
    bench.profile("mine", extends)
    outcome = bench.prepare(using("mine"))
    assert human(outcome.problems) == ""
    assert outcome.plan is not None
    points = outcome.plan.devices["meter"].points
    assert (points["power"].high, points["power"].unit, points["voltage"].unit) == (100, "W", "V")
    assert {Path(path).name for path in outcome.plan.origin.files} >= {"mine.yaml", "base.yaml"}


def test_extending_goes_one_step(bench: Bench) -> None:
    bench.profile("base", BASE)
    bench.profile("mine", "profile: mine\nextends: base\n")
    bench.profile("third", "profile: third\nextends: mine\n")
    outcome = bench.prepare(using("third"))
    told = human(outcome.problems)
    assert "third.yaml:2:10: error: 'mine' extends 'base' itself; one step is allowed" in told


def test_extending_what_is_not_there_proposes_the_nearest(bench: Bench) -> None:
    bench.profile("mine", "profile: mine\nextends: eastron-sdm12\n")
    outcome = bench.prepare(using("mine"))
    assert outcome.problems[0].problem.message == "we have no profile 'eastron-sdm12'"
    assert outcome.problems[0].problem.fix == "did you mean eastron-sdm120?"


def test_a_mistake_in_a_profile_is_shown_in_the_profile_once(bench: Bench) -> None:
    bench.profile("base", BASE.replace("every: 30s", "evry: 30s"))
    text = using("base") + "  second: {profile: base, via: line, address: 2}\n"
    outcome = bench.prepare(text)
    assert human(outcome.problems) == (
        f"{bench.file.parent}/profiles/base.yaml:4:1: error: 'evry' is not a setting of this file\n"
        "    3 | kind: modbus\n"
        "    4 | evry: 30s\n"
        "      | ^^^^\n"
        "      = fix: did you mean 'every'?\n"
    )


def test_a_mistake_in_the_extended_profile_is_shown_there(bench: Bench) -> None:
    bench.profile("base", BASE.replace("every: 30s", "every: 30"))
    bench.profile("mine", "profile: mine\nextends: base\n")
    assert "base.yaml:4:8: error: 30 what?" in human(bench.prepare(using("mine")).problems)


def test_a_profile_with_broken_syntax_is_one_message(bench: Bench) -> None:
    bench.profile("base", BASE + "\tx: 1\n")
    outcome = bench.prepare(using("base"))
    assert len(outcome.problems) == 1
    assert "base.yaml:8:1: error: a Tab character" in human(outcome.problems)


def test_a_profile_says_for_what_kind_of_device_it_is(bench: Bench) -> None:
    bench.profile("base", BASE.replace("kind: modbus", "kind: modbas"))
    problem = bench.prepare(using("base")).problems[0].problem
    assert problem.message == "'modbas' is not a kind of device"
    assert problem.fix == "did you mean modbus?"


def test_a_profile_has_the_name_of_its_file(bench: Bench) -> None:
    bench.profile("copy", BASE)
    problem = bench.prepare(using("copy")).problems[0].problem
    assert problem.message == "this file is the profile 'copy', not 'base'"


def test_a_profile_cannot_lie_elsewhere(bench: Bench) -> None:
    (bench.file.parent / "base.yaml").write_text(BASE)
    problem = bench.prepare(using("../base")).problems[0].problem
    assert problem.message == "we have no profile '../base'"


def test_the_catalogue_lists_own_and_packaged_profiles(bench: Bench) -> None:
    bench.profile("base", BASE)
    bench.profile("mine", "profile: mine\ntitle: Mine # ours\nextends: base\n")
    bench.profile("broken", "\tx")
    found = {listed.name: listed for listed in catalogue(bench.file.parent)}
    assert (found["base"].title, found["base"].kind, found["base"].own) == (
        "A meter",
        "modbus",
        True,
    )
    assert (found["mine"].title, found["mine"].kind) == ("Mine", "modbus")
    assert found["nmea-weather"].own is False
    assert found["broken"].title == "broken"


def test_every_packaged_profile_is_readable() -> None:
    shelf = Shelf(packaged().parent)
    assert [name for name in shelf.names() if shelf.load(name) is None] == []
