"""The audit log: nothing in it changes unnoticed, and nothing silences or floods it."""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.daemon import audit
from agent.daemon.audit import FILE_NAME, LINES_A_MINUTE, SIZE_BYTES, Audit
from agent.sample import Instant
from tests.lab.crashes import Disk, record, scratch

LONG = 20_000  # about 26 lines fill a file


class SetClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def now(self) -> Instant:
        return SystemClock().now()

    def monotonic_s(self) -> float:
        return self.at_s


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def opened(tmp_path: Path, clock: SetClock) -> Callable[[], Audit]:
    """Open the log as a daemon that starts does."""

    def make() -> Audit:
        log = Audit(tmp_path, clock)
        log.open()
        return log

    return make


def written(path: Path) -> list[bytes]:
    return path.read_bytes().rstrip(b"\0").splitlines(keepends=True)


def rewrite(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(lines).ljust(SIZE_BYTES, b"\0"))


def three_lines(log: Audit) -> None:
    for name in ("one", "two", "three"):
        log.note("uid 0", "token.add", {"name": name, "role": "viewer"}, "ok")
    log.close()


def test_the_chain_goes_on_after_a_restart(opened: Callable[[], Audit]) -> None:
    three_lines(opened())
    again = opened()
    again.note("uid 1000", "token.revoke", {"name": "one"}, "FORBIDDEN")
    assert [line["number"] for line in again.newest()] == [1, 2, 3, 4]
    assert {line["what"] for line in again.newest()} == {"token.add", "token.revoke"}
    again.close()


def test_only_the_service_may_read_it_and_it_has_its_size_from_the_start(
    opened: Callable[[], Audit], tmp_path: Path
) -> None:
    opened().close()
    status = (tmp_path / FILE_NAME).stat()
    assert (status.st_mode & 0o777, status.st_size) == (0o600, SIZE_BYTES)


@pytest.mark.parametrize("change", ["changed", "removed", "added", "swapped", "garbage"])
def test_a_line_that_was_touched_is_noticed(
    opened: Callable[[], Audit], tmp_path: Path, change: str
) -> None:
    three_lines(opened())
    path = tmp_path / FILE_NAME
    first, second, third = written(path)
    rewrite(path, {
        "changed": [first, second.replace(b"viewer", b"admin!"), third],
        "removed": [first, third],
        "added": [first, first, second, third],
        "swapped": [first, third, second],
        "garbage": [first, b"nonsense\n", third],
    }[change])  # fmt: skip
    log = opened()
    assert log.newest()[-1]["what"] == "audit.broken"
    assert log.newest()[-1]["facts"] == {"line": 2}
    log.close()


def test_a_line_torn_by_a_power_cut_is_no_alarm(
    opened: Callable[[], Audit], tmp_path: Path
) -> None:
    three_lines(opened())
    path = tmp_path / FILE_NAME
    *whole, last = written(path)
    rewrite(path, [*whole, last[:20]])
    log = opened()
    log.note("uid 0", "token.add", {}, "ok")
    assert [line["number"] for line in log.newest()] == [1, 2, 3]
    log.close()
    assert len(written(path)) == 3


def fill(log: Audit, clock: SetClock, lines: int) -> None:
    for number in range(lines):
        clock.at_s += 2
        log.note("uid 0", "queue.drop", {"destinations": ["x" * LONG], "n": number}, "ok")


def files(folder: Path) -> set[tuple[int, int]]:
    """Inode and size of each: none is made while these stay."""
    return {(file.stat().st_ino, file.stat().st_size) for file in folder.iterdir()}


def test_a_full_log_becomes_the_old_one_and_the_chain_goes_on(
    opened: Callable[[], Audit], tmp_path: Path, clock: SetClock
) -> None:
    log = opened()
    fill(log, clock, 40)
    log.close()
    assert (tmp_path / audit.OLD_NAME).stat().st_size == SIZE_BYTES
    again = opened()
    assert again.newest()[-1]["number"] == 40
    again.close()


def test_a_full_log_needs_no_more_room_than_it_took_at_the_start(
    opened: Callable[[], Audit], tmp_path: Path, clock: SetClock
) -> None:
    log = opened()
    before = files(tmp_path)
    fill(log, clock, 70)  # more than twice over
    log.close()
    assert files(tmp_path) == before
    again = opened()
    assert again.newest()[-1]["number"] == 70
    again.close()


def test_a_card_that_takes_no_new_file_costs_no_old_line_and_is_asked_again(
    opened: Callable[[], Audit], tmp_path: Path, clock: SetClock
) -> None:
    log, old = opened(), tmp_path / audit.OLD_NAME
    old.unlink()
    old.mkdir()
    fill(log, clock, 40)
    full = log.newest()[-1]["number"]
    assert len(written(tmp_path / FILE_NAME)) == full < 40
    old.rmdir()
    fill(log, clock, 1)
    assert log.newest()[-1]["number"] == full + 1
    assert [len(written(path)) for path in (old, tmp_path / FILE_NAME)] == [full, 1]
    log.close()


def run_until_it_turned_over(folder: str) -> None:
    clock = SetClock()
    log = Audit(Path(folder), clock)
    log.open()
    fill(log, clock, 30)


def test_a_power_cut_while_the_files_change_places_is_no_alarm_and_costs_no_line(
    tmp_path: Path, clock: SetClock
) -> None:
    program = "import sys; from tests.daemon import test_audit as t;"
    program += "t.run_until_it_turned_over(sys.argv[1])"
    disk, turned, numbers = Disk(), 0, set()
    for op in record(tmp_path, [sys.executable, "-c", program, str(tmp_path)]):
        disk.apply(op)
        turned = turned + 1 if turned or op.kind == "r" else 0
        if 0 < turned < 12:
            for seed in range(5):
                left = disk.cut(random.Random(seed))  # noqa: S311 - repeatable on purpose
                with scratch() as folder:
                    for name, content in left.items():
                        (folder / name).write_bytes(content)
                    log = Audit(folder, clock)
                    log.open()
                    assert not any(line["what"] == "audit.broken" for line in log.newest())
                    numbers.add(log.newest()[-1]["number"])
                    log.close()
    assert len(numbers) > 1
    assert max(numbers) - min(numbers) < 12


def test_a_flood_is_counted_instead_of_written(
    opened: Callable[[], Audit], clock: SetClock
) -> None:
    log = opened()
    for _ in range(LINES_A_MINUTE + 40):
        log.note("token ?", "login", {}, "UNAUTHORIZED")
    assert len(log.newest()) == LINES_A_MINUTE
    clock.at_s += 61
    log.note("token ?", "login", {}, "UNAUTHORIZED")
    assert log.newest()[-1]["skipped_before"] == 40
    log.close()


def test_a_long_argument_stands_there_as_its_hash(opened: Callable[[], Audit]) -> None:
    log = opened()
    log.note("uid 0", "config.trial", {"text": "site:\n" * 1000, "reason": "new oven"}, "ok")
    facts = log.newest()[-1]["facts"]
    assert facts["text"].startswith("sha256:")
    assert facts["reason"] == "new oven"
    log.close()
