"""The driver on a bad RS-485 line, with slaves that nobody here wrote (libmodbus)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from agent.driver import ConnectionState, DriverError, Reason
from drivers.modbus.driver import ModbusDriver
from tests.drivers.modbus import plant
from tests.lab.serial.rs485bus import Rs485Bus
from tests.lab.serial.slaves import on_line
from tests.lab.sink import KeepingSink

BAUD = 19200
BLOCK = plant.profile("a: holding 0 uint16; b: holding 7 uint16; level: holding 100 float32")
pytestmark = pytest.mark.timeout(
    45
)  # what is waited for comes within seconds where nobody else works
PATIENCE = {"line": f"{BAUD} 8N1", "timeout": "100ms", "gap": "0ms"}


@pytest.fixture
def bus() -> Iterator[Rs485Bus]:
    with Rs485Bus("master", "s1=1", "s2=2", "s3=3", baud=BAUD) as line, ExitStack() as slaves:
        for unit in (1, 2):
            slaves.enter_context(on_line(line.port(f"s{unit}"), unit, BAUD))
        yield line


def on(bus: Rs485Bus, *units: int, **settings: str) -> ModbusDriver:
    devices = [plant.device(f"m{unit}", unit, BLOCK, every="100ms") for unit in units]
    compiled = plant.on_line(bus.port("master"), devices, **(PATIENCE | settings))
    return plant.driver(compiled)


@asynccontextmanager
async def running(driver: ModbusDriver) -> AsyncIterator[KeepingSink]:
    sink = KeepingSink()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(driver.run(sink), name="driver")
        try:
            yield sink
        finally:
            task.cancel()


def expected(unit: int) -> dict[str, object]:
    return {"a": 1000 * unit, "b": 1000 * unit + 7, "level": 21.5 + unit}


def only_truth(sink: KeepingSink) -> None:
    for sample in sink.samples:
        truth = expected(int(sample.device[1:]))
        assert dict(sample.values).items() <= truth.items()


def more(sink: KeepingSink, device: str, count: int = 10) -> Callable[[], bool]:
    """Whether a device has been read so often from now on."""

    def told() -> int:
        return sum(sample.device == device for sample in sink.samples)

    known = told()
    return lambda: told() >= known + count


async def test_a_clean_line_loses_nothing(bus: Rs485Bus) -> None:
    async with running(on(bus, 1, 2)) as sink:
        await sink.heard(20)
    only_truth(sink)
    assert sink.faults == []
    assert {s.device for s in sink.samples} == {"m1", "m2"}


async def test_a_read_shows_the_frames_of_the_wire(bus: Rs485Bus) -> None:
    (reading,) = await on(bus, 1).read("m1", "a")
    assert reading.value == 1000
    assert reading.request == "01 03 00 00 00 01 84 0A"
    assert reading.answer == "01 03 02 03 E8 B8 FA"


@pytest.mark.parametrize("fault", ["flip 0.01", "drop 0.01", "dup 0.01", "gap 20"])
async def test_noise_costs_reads_and_never_gives_a_wrong_value(bus: Rs485Bus, fault: str) -> None:
    async with running(on(bus, 1, 2)) as sink:
        await sink.heard(2)
        bus.do(fault)
        verb, _ = fault.split()
        await asyncio.sleep(0.8)
        bus.do(f"{verb} 0")
        known = len(sink.samples)
        await sink.heard(known + 10)
    only_truth(sink)


async def test_a_line_is_good_again_after_a_transient(bus: Rs485Bus) -> None:
    async with running(on(bus, 1, 2)) as sink:
        await sink.heard(2)
        bus.do("junk 7")
        await sink.heard(len(sink.samples) + 10)
    only_truth(sink)


async def test_a_dead_slave_costs_its_neighbour_nothing_beyond_its_budget(bus: Rs485Bus) -> None:
    bus.do("mute s1")
    async with running(on(bus, 1, 2)) as sink:
        await sink.until(lambda: any(f[0] == "m1" for f in sink.faults), timeout_s=20)
        await sink.until(more(sink, "m2"), timeout_s=20)
    assert {s.device for s in sink.samples} == {"m2"}
    error = next(e for name, _, e in sink.faults if name == "m1")
    assert error.reason is Reason.NO_ANSWER
    assert error.message == "no answer at address 1 on rs485 (3 tries, 0.1 s each)"
    assert error.action == (
        "Other meters on this wire answer, so look at this meter: power, address, A/B wires."
    )


async def test_a_dead_slave_that_comes_back_is_read_again(bus: Rs485Bus) -> None:
    bus.do("mute s1")
    async with running(on(bus, 1, 2)) as sink:
        await sink.until(lambda: any(f[0] == "m1" for f in sink.faults), timeout_s=20)
        bus.do("unmute s1")
        await sink.until(lambda: any(s.device == "m1" for s in sink.samples), timeout_s=20)
    only_truth(sink)


async def test_a_wire_on_which_nobody_answers_is_one_sentence_about_the_wire(
    bus: Rs485Bus,
) -> None:
    bus.do("mute master")
    async with running(on(bus, 1, 2)) as sink:
        reason = Reason.NOBODY_ANSWERS
        await sink.until(lambda: any(f[2].reason is reason for f in sink.faults), timeout_s=20)
    error = next(e for _, _, e in sink.faults if e.reason is reason)
    assert error.message == "nobody answers on rs485 (2 meters)"
    assert error.action == (
        f"Look at the wire: A/B swapped, `line:` {BAUD} 8N1, plug of the adapter."
    )


async def test_a_late_answer_is_never_taken_for_another_one(bus: Rs485Bus) -> None:
    bus.do("late s1 130")  # behind its timeout of 100 ms
    async with running(on(bus, 1, 2)) as sink:
        await sink.until(lambda: len({s.device for s in sink.samples}) > 1, timeout_s=20)
        await sink.heard(len(sink.samples) + 6)
    only_truth(sink)


async def test_a_unit_that_is_always_late_keeps_no_other_one_waiting(bus: Rs485Bus) -> None:
    bus.do("late s1 130")
    async with running(on(bus, 1, 2)) as sink:
        await sink.until(more(sink, "m1", 2), timeout_s=20)
        await sink.until(more(sink, "m2"), timeout_s=20)
        await sink.until(lambda: any("behind" in f[2].message for f in sink.faults), timeout_s=20)
    only_truth(sink)
    name, _, error = next(f for f in sink.faults if "behind" in f[2].message)
    assert (name, error.reason) == ("m1", Reason.OVERRUN)
    assert error.message == (
        "answers behind its timeout of 0.1 s, so it is read only when the line has time for it"
    )


async def test_who_answers_in_anothers_name_is_not_believed_and_keeps_nobody_waiting(
    bus: Rs485Bus,
) -> None:
    bus.do("alias s1 2")
    async with running(on(bus, 1, 2)) as sink:
        await sink.until(lambda: any(f[0] == "m1" for f in sink.faults), timeout_s=20)
        await sink.until(more(sink, "m2"), timeout_s=20)
    only_truth(sink)
    assert {s.device for s in sink.samples} == {"m2"}
    error = next(e for name, _, e in sink.faults if name == "m1")
    assert error.reason is Reason.DAMAGED
    assert error.message.endswith("now: an answer to another question")


async def test_a_babbling_unit_costs_reads_and_never_gives_a_wrong_value(bus: Rs485Bus) -> None:
    async with running(on(bus, 1, 2)) as sink:
        await sink.heard(2)
        bus.do("babble s3 170")
        for unit in ("m1", "m2"):
            await sink.until(more(sink, unit, 3), timeout_s=20)
        bus.do("babble s3 0")
        await sink.until(more(sink, "m1"), timeout_s=20)
    only_truth(sink)


async def test_a_line_slower_than_its_plan_skips_and_says_so() -> None:
    with Rs485Bus("master", "s1=1", baud=1200) as line, ExitStack() as slaves:
        slaves.enter_context(on_line(line.port("s1"), 1, 1200))
        async with running(on(line, 1, line="1200 8N1")) as sink:
            reason = Reason.OVERRUN
            await sink.until(lambda: any(f[2].reason is reason for f in sink.faults))
            await sink.heard(3)
    only_truth(sink)
    error = next(e for _, _, e in sink.faults if e.reason is reason)
    assert error.message.endswith("skipped: rs485 cannot keep up")


async def test_an_unplugged_adapter_is_a_lost_connection_and_the_driver_runs_again(
    bus: Rs485Bus,
) -> None:
    driver, sink = on(bus, 1, 2), KeepingSink()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_until_lost(driver, sink), name="driver")
        await sink.heard(2)
        bus.do("unplug master")
        error = await task
    assert error.state is ConnectionState.GONE
    with pytest.raises(DriverError, match="is gone"):
        await driver.run(sink)
    bus.do("plug master")
    async with running(driver) as again:
        await again.heard(4)


async def test_a_port_has_one_owner(bus: Rs485Bus) -> None:
    async with running(on(bus, 1)) as sink:
        await sink.heard()
        with pytest.raises(DriverError, match="belongs to another program") as caught:
            await on(bus, 2).read("m2", "a")
    assert caught.value.state is ConnectionState.BUSY


async def test_an_adapter_that_hears_itself_is_understood() -> None:
    with Rs485Bus("master", "s1=1", baud=BAUD, echo=True) as line, ExitStack() as slaves:
        slaves.enter_context(on_line(line.port("s1"), 1, BAUD))
        async with running(on(line, 1)) as sink:
            await sink.heard(5)
        only_truth(sink)


async def test_it_stops_within_a_second_even_while_it_waits_for_an_answer(bus: Rs485Bus) -> None:
    bus.do("mute s1")
    driver, loop = on(bus, 1, timeout="5s"), asyncio.get_running_loop()
    async with running(driver):
        await asyncio.sleep(0.2)
        before = loop.time()
    assert loop.time() - before < 0.5


async def _until_lost(driver: ModbusDriver, sink: KeepingSink) -> DriverError:
    with pytest.raises(DriverError) as caught:
        await driver.run(sink)
    return caught.value
