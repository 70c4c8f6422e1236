"""Faults 4, 7, 10 and 27 on a whole machine: the plug is pulled, memory ends, the clock is unset.

Calibrated: with a store that does not wait for its disk the same cut loses more than it may.
`sudo scripts/test -m guest` (see tests/peers/test_guest_ports.py).
"""

import os
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.lab.guest import image
from tests.lab.guest.meter import CountingMeter
from tests.lab.guest.plant import SITE, Plant, plant

MAY_LOSE_S = 1.0
LATE_S = 2.0  # an emulated processor is some twenty times slower than a Pi; to commit takes longer
READY_S = 60.0
CONNECTIONS = "connections: {board: {kind: modbus-rtu, port: /dev/ttyAMA0, timeout: 2s}}\n"
DEVICES = "devices: {meter: {profile: counter, via: board, address: 1, every: 500ms}}\n"
GREEDY = "python3 -c 'x = bytearray(400 << 20)'"
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
    made.guest.until(f"[ $(grep -c '\"meter\"' /host/records) -ge {wanted} ]", 120)


def kept(made: Plant) -> set[int]:
    """The values in the cloud; none twice, and their numbers without a gap within each epoch."""
    records = made.delivered("meter")
    values = [value for _, _, value in records]
    assert len(set(values)) == len(values)
    for epoch in {epoch for epoch, _, _ in records}:
        numbers = sorted(number for each, number, _ in records if each == epoch)
        assert all(later == number + 1 for number, later in pairwise(numbers))
    return set(values)


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
    arrives(made, 20)
    gone = len(set(range(before + 1, last + 1)) - kept(made))
    return gone, may, int(made.sh(ready)) / 1e6


def test_a_cut_costs_no_more_than_it_may_and_the_service_is_back_within_a_minute(
    machine: tuple[Plant, CountingMeter],
) -> None:
    made, meter = machine
    for _ in range(2):
        gone, may, ready_s = cut_and_back(made, meter)
        assert gone <= may
        assert ready_s <= READY_S
    assert made.sh("journalctl -k -b | grep -c 'EXT4-fs.*recovery' || true") != "0"


def test_memory_without_end_is_ended_and_nothing_accepted_is_lost(
    machine: tuple[Plant, CountingMeter],
) -> None:
    made, _ = machine
    started = made.shown("MainPID")
    made.guest.run(f"echo $$ > {GROUP}/cgroup.procs; {GREEDY}; {GREEDY}")
    made.guest.until("journalctl -u fieldpost -n 50 | grep -q 'oom-kill'", 30)
    made.guest.until(f'[ "$(systemctl show fieldpost -p MainPID --value)" != {started} ]', 30)
    made.guest.until("systemctl is-active -q fieldpost", 120)
    arrives(made)
    kept(made)


def test_processes_without_end_do_not_disturb_it(machine: tuple[Plant, CountingMeter]) -> None:
    made, _ = machine
    started = made.shown("MainPID")
    many = "for i in $(seq 200); do sleep 20 & done; true"
    refused = made.guest.run(f"echo $$ > {GROUP}/cgroup.procs; {many}")
    assert "Resource temporarily unavailable" in refused.err
    arrives(made)
    assert made.shown("MainPID") == started


def test_a_boot_without_a_clock_battery_marks_its_times_and_goes_on(
    machine: tuple[Plant, CountingMeter],
) -> None:
    made, _ = machine
    made.sh("sync")
    made.guest.power_cut()
    made.guest.clock = "base=1970-01-01"
    made.guest.boot()
    made.guest.until("systemctl is-active -q fieldpost", 180)
    arrives(made)
    kept(made)
    assert made.newest("meter")["quality"] == "untrusted"
    made.sh(f"date -s @{int(time.time())}; mkdir -p /run/systemd/timesync")  # noqa: TID251 - as NTP
    made.sh("touch /run/systemd/timesync/synchronized")
    made.guest.until("tail -n 1 /host/records | grep -v untrusted | grep meter", 60)
    kept(made)


def test_a_store_that_does_not_wait_for_its_disk_is_caught(
    machine: tuple[Plant, CountingMeter],
) -> None:
    made, meter = machine
    edit = 's/synchronous: str = .full./synchronous: str = "off"/'
    made.sh(
        f"cd {SITE}/agent/daemon/buffer; rm -rf __pycache__; sed -i '{edit}' database.py; "
        "grep -q '= .off.' database.py; systemctl restart fieldpost",
        timeout_s=150,
    )
    gone, may, _ = cut_and_back(made, meter)
    assert gone > may
