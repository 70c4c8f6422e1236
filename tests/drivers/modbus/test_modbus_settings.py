"""What a technician wrote, as the driver gets it, and what is said when it cannot work."""

import re
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from agent import plan
from agent.driver.learned import Learned
from agent.prepare.kinds import DeviceInput, Problem, Severity, Spot
from drivers.modbus import airtime
from drivers.modbus.compile import conversions_of
from drivers.modbus.load import SPEEDS, Part, problems
from drivers.modbus.plan import Line, Operation, Table, Unit, manual
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.settings import UnitSettings
from tests.drivers.modbus import plant

METER = plant.profile("a: input 0 float32; b: input 2 float32; c: input 6 float32", every="10s")


def line(*devices: DeviceInput, **settings: str) -> tuple[Line, list[Problem]]:
    compiled = plant.on_line("/dev/serial/by-id/x", devices, **settings)
    return plan.from_json(Line, compiled.spec), list(compiled.problems)


def unit(**settings: Any) -> Unit:
    found, _ = line(plant.device("m", 1, METER, **settings))
    return found.units[0]


def blocks(found: Unit) -> dict[tuple[float, ...], list[tuple[str, int, int]]]:
    return {
        tuple(r.every_s): [(str(b.table), b.start, b.count) for b in r.blocks] for r in found.rounds
    }


def test_points_that_lie_close_are_one_request() -> None:
    assert blocks(unit()) == {(10.0,): [("input", 0, 8)]}


def test_a_faster_point_gets_its_own_request_and_rides_along_when_all_are_due() -> None:
    assert blocks(unit(points={"c": {"every": "1s"}})) == {
        (1.0,): [("input", 6, 2)],
        (1.0, 10.0): [("input", 0, 8)],
    }


def test_intervals_that_do_not_divide_each_other_are_planned_alone_and_together() -> None:
    found = blocks(unit(points={"c": {"every": "3s"}, "b": {"every": "2s"}, "a": {"every": "6s"}}))
    assert set(found) == {(2.0,), (3.0,), (2.0, 3.0, 6.0)}


def test_a_point_that_is_switched_off_is_not_read() -> None:
    found, _ = line(plant.device("m", 1, METER, points={"a": {"enabled": "no"}}))
    assert found.units[0].points == ("b", "c")


def test_a_slow_point_stays_slow_and_a_slower_device_slows_all() -> None:
    slow = plant.profile("a: input 0 uint16; b: input 1 uint16 every=5min", every="10s")
    for every, expected in (("1s", {1.0, 300.0}), ("10min", {600.0})):
        compiled = plant.on_host(502, [plant.device("m", 1, slow, every=every)])
        assert {p.every_s for p in compiled.devices["m"].points.values()} == expected


def test_a_device_that_is_switched_off_is_known_and_not_read() -> None:
    compiled = plant.on_host(502, [plant.device("m", 1, METER, enabled="no")])
    assert compiled.spec["units"] == []
    assert not compiled.devices["m"].enabled


def test_the_range_of_the_technician_wins_over_the_profile() -> None:
    ranged = plant.profile("a: input 0 uint16 min=0 max=10")
    compiled = plant.on_host(502, [plant.device("m", 1, ranged, points={"a": {"max": "20"}})])
    point = compiled.devices["m"].points["a"]
    assert (point.low, point.high) == (0, 20)


def test_a_profile_may_ask_for_patience_and_limits() -> None:
    slow = plant.profile("a: holding 0 uint16; b: holding 9 uint16", timeout="1s", hole="0")
    found, _ = line(plant.device("m", 1, slow))
    assert found.units[0].timeout_s == 1.0
    assert [len(r.blocks) for r in found.units[0].rounds] == [2]


def test_a_range_that_must_not_be_read_is_never_read_through() -> None:
    shy = plant.profile("a: holding 0 uint16; b: holding 9 uint16", never="holding 4-5, input 0-9")
    assert len(line(plant.device("m", 1, shy))[0].units[0].rounds[0].blocks) == 2


@pytest.mark.parametrize(
    ("points", "limits", "said"),
    [
        ("a: holding 7 uint16", {"never": "holding 5-9"}, "'a' needs holding 7, which"),
        ("a: input 4 float32", {"never": "input 5-9"}, "'a' needs input 4-5, which"),
        ("a: holding 4 int16 exponent=input 6", {"never": "input 5-9"}, "'a' needs input 6, which"),
        ("a: holding 0 float64", {"block": "2"}, "has 4 registers, and a request may ask for 2"),
        ("a: holding 65535 float32", {}, "2 registers from 65535 on end behind 65535"),
        ("a: holding 7 uint16", {"never": "holding 9-5"}, "is not a range of registers"),
    ],
)
def test_a_point_that_the_device_does_not_give_is_refused_by_check(
    points: str, limits: dict[str, str], said: str
) -> None:
    name, _, rest = points.partition(" exponent=")
    read = plant.points(name)
    read["a"] |= {"exponent": rest} if rest else {}
    with pytest.raises(ValidationError, match=re.escape(said)):
        plant.profile("", points=read, **limits)


def test_coils_are_no_registers_of_a_block() -> None:
    assert plant.profile("a: coil 3; b: holding 0 float32", block="2", never="holding 3-3").points


def test_scale_factors_are_read_along_once_and_hidden() -> None:
    points = plant.points("w: holding 84 int16 unit=W; v: holding 80 uint16; x: holding 81 uint16")
    points["w"]["exponent"] = "holding 85"
    points["v"]["exponent"] = points["x"]["exponent"] = "holding 83"
    found, _ = line(plant.device("m", 1, plant.profile("", points=points)))
    (block,) = found.units[0].rounds[0].blocks
    assert list(block.layers[0].points) == ["v", "x", "~holding83", "w", "~holding85"]
    companion = found.units[0].conversions["v"].companion
    assert companion is not None
    assert companion.operation is Operation.EXPONENT


def test_the_same_address_twice_is_an_error_at_the_second() -> None:
    _, problems = line(plant.device("first", 3, METER), plant.device("second", 3, METER))
    (problem,) = problems
    assert problem.path == ("devices", "second", "address")
    assert problem.message == (
        "address 3 on rs485 is already taken by 'first' (line {line:devices/first/address})"
    )


def test_a_missing_address_is_an_error_at_the_device() -> None:
    settings = UnitSettings.model_validate({"profile": "bench", "via": "rs485"})
    _, problems = line(DeviceInput("m", settings, METER))
    assert problems[0].message == "'m' is on a Modbus line and has no address"
    assert (problems[0].path, problems[0].spot) == (("devices", "m"), Spot.KEY)


@pytest.mark.parametrize("address", ["0", "248", "300"])
def test_an_address_out_of_range_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match=f"{address} is out of range: a Modbus address goes"):
        UnitSettings.model_validate({"profile": "x", "via": "y", "address": address})


def test_a_numbered_port_is_a_warning() -> None:
    compiled = plant.on_line("/dev/ttyUSB0", [])
    assert [p.severity for p in compiled.problems] == [Severity.WARNING]
    assert compiled.problems[0].message == (
        "/dev/ttyUSB0 can change to another adapter after a reboot"
    )


def test_a_wire_that_is_too_slow_says_who_costs_what_and_how_to_mend_it() -> None:
    _, problems = line(
        plant.device("main", 1, METER, every="200ms"),
        plant.device("oven", 2, METER),
        line="1200 8N1",
    )
    (problem,) = problems
    assert problem.message == (
        "this wire is too slow for what it is asked: it needs 1.64 s of every second"
    )
    assert problem.note == (
        "main 160 % (answers after 50 ms, assumed), oven 3 % (answers after 50 ms, assumed) "
        "of the time at 1200 baud"
    )
    assert problem.fix == "read main every 500ms, or set the meters and `line:` to 9600 8N1"
    assert problem.severity is Severity.ERROR


def test_a_busy_wire_is_a_warning() -> None:
    _, problems = line(plant.device("main", 1, METER, every="100ms"), line="9600 8N1")
    (problem,) = problems
    assert problem.message == "this wire is busy 84 % of the time"
    assert problem.severity is Severity.WARNING


@pytest.mark.parametrize("every", ["60ms", "80ms", "100ms", "200ms"])
@pytest.mark.parametrize("before", ["1200 8N1", "4800 8N1", "9600 8N1", "19200 8N1"])
def test_a_speed_that_is_named_as_a_remedy_is_enough(every: str, before: str) -> None:
    def told(setting: str) -> list[Problem]:
        return line(plant.device("main", 1, METER, every=every), line=setting)[1]

    for problem in told(before):
        _, _, named = (problem.fix or "").partition(", or set the meters and `line:` to ")
        faster = [f"{baud} 8N1" for baud in SPEEDS if baud > int(before.split(maxsplit=1)[0])]
        if named:
            assert not told(named)
        else:
            assert all(map(told, faster))


def learned(name: str, address: int, **known: Any) -> DeviceInput:
    there = Learned("rs485", str(address), **known)
    return replace(plant.device(name, address, METER, every="100ms"), learned=there)


def test_what_was_measured_goes_before_what_is_assumed() -> None:
    compiled = plant.on_line("/dev/x", [learned("main", 1, latency_s=0.004)], line="9600 8N1")
    assert not compiled.problems
    assert compiled.facts == [
        "rs485: busy 38 % of the time at 9600 baud: main 38 % (answers after 4 ms, measured)"
    ]
    slow = plant.on_line("/dev/x", [learned("main", 1, latency_s=0.09)], line="9600 8N1")
    (problem,) = slow.problems
    assert problem.severity is Severity.WARNING
    assert "main 124 % (answers after 90 ms, measured)" in (problem.note or "")


def test_what_was_learned_of_a_meter_elsewhere_is_not_taken_for_this_one() -> None:
    moved = replace(learned("main", 1, latency_s=0.004), name="main")
    there = replace(moved, learned=Learned("rs485", "7", 0.004))
    assert "assumed" in plant.on_line("/dev/x", [there], line="9600 8N1").facts[0]


def test_a_device_on_the_network_that_cannot_keep_its_interval_is_told() -> None:
    slow = replace(learned("gate", 1), learned=Learned("wire", "1", 0.095))
    (problem,) = plant.on_host(502, [slow]).problems
    assert problem.message == "this connection is busy 95 % of the time"
    assert problem.fix == "read gate every 200ms"


def test_what_a_device_refused_whole_is_planned_in_parts_and_told() -> None:
    like = plant.profile("a: input 0 uint16; b: input 1 uint16; c: input 4 uint16", every="1s")
    whole = plant.device("m", 1, like)
    there = replace(whole, learned=Learned("rs485", "1", refused=["input 0-4", "input 0-1"]))
    found = [plant.on_line("/dev/x", [each]) for each in (whole, there)]
    places = []
    for compiled in found:
        (only,) = compiled.spec["units"][0]["rounds"]
        places.append([(block["start"], block["count"]) for block in only["blocks"]])
    assert places == [[(0, 5)], [(0, 1), (1, 1), (4, 1)]]
    (told,) = found[1].problems
    assert told.severity is Severity.NOTE
    assert told.message == "'m' refuses input 0-4, input 0-1 in one request"


def test_half_a_pair_of_certificates_is_an_error() -> None:
    compiled = plant.on_host(802, [], transport="tls", certificate="secret:mine")
    (problem,) = compiled.problems
    assert problem.message == "'certificate' is here but 'private_key' is not"
    compiled = plant.on_host(502, [], ca="secret:theirs")
    assert [p.message for p in compiled.problems] == ["'ca' is of no use without TLS"]


@pytest.mark.parametrize(
    ("point", "says"),
    [
        ({"as": "uint16"}, "needs the place of its register"),
        ({"read": "holding 1"}, "does not say what kind of value"),
        ({"read": "holdign 1", "as": "uint16"}, "does not begin with a kind of register"),
        ({"read": "holding x", "as": "uint16"}, "is not an address"),
        ({"read": "holding 70000", "as": "uint16"}, "is not an address"),
        ({"read": "holding 1", "as": "unit16"}, "not a kind of value we know"),
        ({"read": "holding 1", "as": "bits(9-3)"}, "not a kind of value we know"),
        ({"read": "coil 1", "as": "uint16"}, "a single bit already"),
        ({"manual": "50001", "as": "uint16"}, "not a number of a register in a manual"),
        ({"read": "holding 1", "as": "uint16", "nan": "8000"}, "not a list of hex numbers"),
        ({"read": "holding 1", "as": "uint16", "order": "ACBD"}, "not an order of bytes"),
    ],
)
def test_a_slip_in_a_profile_is_named(point: dict[str, str], says: str) -> None:
    block = {"profile": "x", "kind": "modbus", "points": {"p": point}}
    with pytest.raises(ValidationError, match=says):
        ModbusProfile.model_validate(block)


def test_both_ways_to_write_an_address_mean_the_same() -> None:
    both = {"a": {"read": "input 12", "as": "uint16"}, "b": {"manual": "30013", "as": "uint16"}}
    found = ModbusProfile.model_validate({"profile": "x", "kind": "modbus", "points": both})
    assert found.points["a"].where == found.points["b"].where == (Table.INPUT, 12)
    assert manual(Table.INPUT, 12) == "30013"
    assert manual(Table.HOLDING, 40_000) == "440001"


def test_intervals_are_suggested_as_a_person_writes_them() -> None:
    assert [airtime.written(airtime.nice(s)) for s in (0.3, 2.8, 45, 61, 4000, 90_000)] == [
        "500ms", "3s", "1min", "2min", "2h", "2d",
    ]  # fmt: skip


def test_a_plain_whole_number_needs_nothing_but_to_be_unpacked() -> None:
    plain = {"read": "holding 0", "as": "uint16"}
    scaled = {"read": "holding 1", "as": "int16", "scale": "0.1"}
    profile = ModbusProfile.model_validate(
        {"profile": "p", "kind": "modbus", "points": {"plain": plain, "scaled": scaled}}
    )
    assert set(conversions_of([*profile.points.items()], profile.order)) == {"scaled"}


def test_where_one_device_alone_frees_too_little_all_are_to_be_read_less_often() -> None:
    like = plant.profile("a: holding 0 uint16")
    line = plan.from_json(Line, plant.on_line("/dev/null", [plant.device("m", 1, like)]).spec)
    parts = [Part(name, share, share, 1, 0.05, measured=False)
             for name, share in (("big", 1.44), ("busy", 1.01))]  # fmt: skip
    (problem,) = problems(line, parts)
    assert (problem.fix or "").startswith("read each device 4 times less often")


@pytest.mark.parametrize(
    ("point", "full"),
    [
        ({"as": "uint8l"}, 256),
        ({"as": "bits(4-7)"}, 16),
        ({"as": "uint16"}, 65536),
        ({"as": "uint16", "scale": "0.1"}, 6553.6),
        ({"as": "uint16", "offset": "100"}, 65536),  # the way over the end has none
        ({"as": "uint32"}, 2**32),
        ({"as": "bcd"}, 10_000),
        ({"as": "decimal(12)"}, 10**12),
        ({"as": "int16"}, None),
        ({"as": "float32"}, None),
        ({"as": "uint16", "divide_by": "holding 9"}, None),
        ({"as": "int32", "wraps_at": "1000000"}, 1_000_000),
    ],
)
def test_where_a_counter_is_full_is_known_from_its_registers(
    point: dict[str, str], full: float | None
) -> None:
    points = {"x": {"read": "holding 0", "counter": "yes"} | point}
    settings = {"profile": "p", "kind": "modbus", "points": points}
    like = ModbusProfile.model_validate(settings)
    compiled = plant.on_line("/dev/serial/by-id/x", [plant.device("m", 1, like)])
    assert compiled.devices["m"].points["x"].wraps_at == full
