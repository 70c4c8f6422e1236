"""Facts of the machine from a made-up board; what a board does not have is not measured."""

from pathlib import Path

import pytest

from agent.daemon.vitals import Vitals
from tests.daemon.health.bakery import ObedientClock

MEMINFO = "MemTotal:         436224 kB\nMemFree: 1 kB\nMemAvailable:     363520 kB\n"


class Board:
    """A root directory with as much of a board in it as a test wants."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = ObedientClock()
        self.written = 0
        self.vitals = Vitals(root, self.clock, lambda: self.written, root)

    def has(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def disk(self, sectors: int) -> None:
        number = self.root.stat().st_dev
        node = f"sys/dev/block/{number >> 8 & 0xFFF}:{number & 0xFF}"
        self.has(f"{node}/stat", f"1 2 3 4 5 6 {sectors} 8 9 10 11\n")


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def test_a_board_without_anything_is_not_measured_and_never_zero(board: Board) -> None:
    seen = board.vitals.look()

    assert (seen.power, seen.throttling, seen.celsius, seen.memory) == (None, None, None, None)
    assert (seen.model, seen.load_1min, seen.card.worn) == (None, None, None)
    assert seen.card.total_bytes > 0


def test_model_temperature_memory_and_load_are_read(board: Board) -> None:
    board.has("sys/firmware/devicetree/base/model", "Raspberry Pi 4 Model B Rev 1.5\0")
    board.has("sys/class/thermal/thermal_zone0/temp", "51121\n")
    board.has("proc/meminfo", MEMINFO)
    board.has("proc/self/statm", "20000 13056 3000 1 0 8000 0\n")
    board.has("proc/loadavg", "0.42 0.40 0.38 1/200 12345\n")
    seen = board.vitals.look()

    assert seen.model == "Raspberry Pi 4 Model B Rev 1.5"
    assert (seen.celsius, seen.load_1min) == (51.1, 0.42)
    assert seen.memory is not None
    assert (seen.memory.available_bytes, seen.memory.total_bytes) == (372_244_480, 446_693_376)
    assert seen.memory.agent_rss_bytes == 53_477_376
    assert board.vitals.beat().free_memory_kb == 363_520


def test_low_power_is_counted_each_time_it_begins(board: Board) -> None:
    board.has("sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    board.has("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    seen = []
    for word in ("0", "1", "1", "0", "1", "0"):
        board.has("sys/class/hwmon/hwmon1/in0_lcrit_alarm", word + "\n")
        board.clock.go(10)
        power = board.vitals.look().power
        assert power is not None
        seen.append((power.low_now, power.low_24h))

    assert seen == [(False, 0), (True, 1), (True, 1), (False, 1), (True, 2), (False, 2)]


def test_low_power_is_forgotten_after_a_day(board: Board) -> None:
    board.has("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    board.has("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    board.vitals.look()
    board.has("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n")
    board.clock.go(26 * 3600)
    power = board.vitals.look().power

    assert power is not None
    assert power.low_24h == 0


def test_the_firmware_word_is_taken_apart(board: Board) -> None:
    board.has("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n")
    throttling = board.vitals.look().throttling

    assert throttling is not None
    assert list(throttling.now) == ["under-voltage", "throttled"]
    assert list(throttling.since_start) == ["under-voltage", "throttled"]


def test_wear_is_projected_from_what_is_written_once_an_hour_was_seen(board: Board) -> None:
    board.disk(1000)
    early = board.vitals.look().card
    for hour in range(1, 3):
        board.clock.go(3600)
        board.disk(1000 + hour * 100_000)
        board.written += 25_600_000
        board.vitals.look()
    card = board.vitals.machine.card

    assert early.written_bytes_day is None
    assert early.projected_life_years is None
    assert card.written_bytes_day == 100_000 * 512 * 24
    assert card.agent_written_bytes_day == 25_600_000 * 24
    assert card.projected_life_years == pytest.approx(
        card.assumed_endurance_bytes / (100_000 * 512 * 24) / 365.25, abs=0.1
    )


def test_what_we_write_is_what_the_kernel_counts_not_what_commits_hold(board: Board) -> None:
    for hour in range(3):
        board.has("proc/self/io", f"rchar: 7\nwrite_bytes: {hour * 40_000_000}\nsyscw: 1\n")
        board.written += 1000
        board.vitals.look()
        board.clock.go(3600)
    card = board.vitals.look().card

    assert card.agent_written_bytes_day == pytest.approx(2 * 40_000_000 / 3 * 24, rel=0.01)


def test_after_days_the_rate_is_that_of_the_last_one(board: Board) -> None:
    """A sliding day is up to an hour longer than a day; the rate must not be."""
    for minute in range(0, 3000, 5):
        board.clock.go(300)
        board.disk(minute * 1000)
        board.vitals.look()
    card = board.vitals.machine.card

    assert card.written_bytes_day == pytest.approx(1000 * 512 * 1440, rel=0.01)


def test_a_step_of_the_wall_clock_is_counted_and_slewing_is_not(board: Board) -> None:
    board.vitals.look()
    board.clock.step_wall(0.5)
    slewed = board.vitals.look().clock.steps_24h
    board.clock.step_wall(-400 * 86_400)

    assert (slewed, board.vitals.look().clock.steps_24h) == (0, 1)


def test_a_card_that_was_pulled_out_cannot_be_written(board: Board) -> None:
    gone = Vitals(board.root / "gone", board.clock, root=board.root)

    assert gone.look().card.read_only


def test_nothing_in_a_broken_file_stops_the_others(board: Board) -> None:
    board.has("sys/class/thermal/thermal_zone0/temp", "hot\n")
    board.has("proc/meminfo", "MemTotal: many\n")
    board.has("proc/loadavg", "\n")
    board.has("sys/devices/platform/soc/soc:firmware/get_throttled", "")
    seen = board.vitals.look()

    assert (seen.celsius, seen.memory, seen.load_1min, seen.throttling) == (None,) * 4
