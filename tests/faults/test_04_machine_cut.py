"""Fault 4: the plug of a whole machine is pulled, with its journald, its units and its mounts.

That a store which does not wait for its disk is caught is shown in test_01 and test_02.
`sudo scripts/test -m guest` (see tests/peers/test_guest_ports.py).
"""

import os
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.lab.guest import image
from tests.lab.guest.meter import CountingMeter
from tests.lab.guest.plant import Plant, plant

MAY_LOSE_S = 1.0
LATE_S = 2.0  # an emulated processor is some twenty times slower than a Pi; to commit takes longer
READY_S = 180.0  # for the same reason; a minute is the goal on a board
CONNECTIONS = "connections: {board: {kind: modbus-rtu, port: /dev/ttyAMA0, timeout: 2s}}\n"
DEVICES = "devices: {meter: {profile: counter, via: board, address: 1, every: 500ms}}\n"
GROUP = "/sys/fs/cgroup/system.slice/fieldpost.service"

pytestmark = [pytest.mark.guest, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Plant, CountingMeter]]:
    if lacks := image.missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lacks)
    with (
        plant(tmp_path_factory.mktemp("guest")) as running,
        CountingMeter(running.guest.wire("ttyAMA0")) as meter,
    ):
        running.configure(CONNECTIONS, DEVICES)
        arrives(running)
        yield running, meter


def arrives(made: Plant, more: int = 3) -> None:
    """So many new values reach the cloud."""
    wanted = len(made.delivered("meter")) + more
    made.guest.until(f"[ $(grep -c '\"meter\"' /host/records) -ge {wanted} ]", 240)


def kept(made: Plant) -> set[int]:
    """The values in the cloud: what came again is the same, and no number is left out."""
    records: dict[tuple[str, int], int] = {}
    for epoch, number, value in made.delivered("meter"):
        assert records.setdefault((epoch, number), value) == value
    assert len(set(records.values())) == len(records)
    for epoch in {epoch for epoch, _ in records}:
        numbers = sorted(number for each, number in records if each == epoch)
        assert all(later == number + 1 for number, later in pairwise(numbers))
    return set(records.values())


def cut_and_back(made: Plant, meter: CountingMeter) -> tuple[int, int, float]:
    """Pull the plug while the cloud is silent; what is gone, what may be, when it was ready."""
    refuse = made.records.parent / "refuse"
    refuse.touch()
    before, start = meter.answered, time.monotonic()
    while meter.answered < before + 15:
        assert time.monotonic() < start + 60
        made.sh("sleep 1")
    last, cut = meter.answered, time.monotonic()
    made.guest.power_cut()
    may = meter.within(MAY_LOSE_S + LATE_S, cut) + 1  # one on the wire
    refuse.unlink()
    made.guest.boot()
    made.guest.until("systemctl is-active -q fieldpost", 180)
    made.sh("systemctl is-active fieldpost")
    ready = "systemctl show fieldpost -p ActiveEnterTimestampMonotonic --value"
    arrives(made, 10)
    gone = len(set(range(before + 1, last + 1)) - kept(made))
    return gone, may, int(made.sh(ready)) / 1e6


def test_processes_without_end_do_not_disturb_it(machine: tuple[Plant, CountingMeter]) -> None:
    made, _ = machine
    started = made.shown("MainPID")
    many = "for i in $(seq 200); do sleep 20 & done; true"
    refused = made.guest.run(f"echo $$ > {GROUP}/cgroup.procs; {many}")
    assert "Resource temporarily unavailable" in refused.err
    arrives(made)
    assert made.shown("MainPID") == started


def test_a_cut_costs_no_more_than_it_may_and_the_service_is_back(
    machine: tuple[Plant, CountingMeter],
) -> None:
    made, meter = machine
    gone, may, ready_s = cut_and_back(made, meter)
    assert gone <= may
    assert ready_s <= READY_S
    assert made.sh("journalctl -k -b | grep -c 'EXT4-fs.*recovery' || true") != "0"
