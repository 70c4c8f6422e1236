"""The command as a process: signals, pipes, and a fault of ours."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli import bakery
from tests.cli.twin import Twin


@contextmanager
def process(twin: Twin, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "agent.cli", "--socket", str(twin.path), *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def test_watching_ends_with_ctrl_c_and_is_no_failure(twin: Twin) -> None:
    with process(twin, "status", "--watch") as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith("Bakery North")
        watching.send_signal(signal.SIGINT)
        out, err = watching.communicate(timeout=5)
    assert (watching.returncode, err) == (0, "")
    assert "\x1b" not in out


def test_watching_waits_for_a_daemon_that_is_away(twin: Twin) -> None:
    away = Twin(twin.path.with_name("away.sock"))
    with process(away, "status", "--watch") as watching:
        assert watching.stdout is not None
        assert "is not running" in watching.stdout.readline()
        assert watching.poll() is None


def test_following_the_log_shows_each_event_once(twin: Twin) -> None:
    told = {"severity": "warn", "event": "device.late", "subject": "oven", "action": None}
    first = {"time": "2026-11-23T14:46:29.000Z", "message": "oven: no answer.", **told}
    twin.answers["events"] = {"events": [first]}
    with process(twin, "log", "-f") as following:
        assert following.stdout is not None
        assert "oven: no answer." in following.stdout.readline()
        later = {"time": "2026-11-23T14:49:29.000Z", "message": "oven: answers again.", **told}
        twin.answers["events"] = {"events": [first, later]}
        assert "oven: answers again." in following.stdout.readline()
        following.send_signal(signal.SIGINT)
        assert following.communicate(timeout=5) == ("", "")


def test_a_reader_who_leaves_is_no_failure(twin: Twin) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", "agent.cli", "--socket", str(twin.path), "status", "--json"]
    done = subprocess.run(
        command, stdout=writes, stderr=subprocess.PIPE, text=True, check=False, timeout=8
    )
    os.close(writes)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fault_of_ours_is_two_lines_and_more_on_request(twin: Twin) -> None:
    twin.answers["snapshot"] = {"status": {}}
    with process(twin, "status") as failing:
        _, err = failing.communicate(timeout=8)
    assert failing.returncode == 1
    assert err.startswith("This is a fault of fieldpost itself: KeyError: ")
    assert err.count("\n") == 2
    with process(twin, "-v", "status") as explained:
        assert "Traceback" in explained.communicate(timeout=8)[1]


@pytest.mark.parametrize("colour", ["--no-color", "NO_COLOR", None])
def test_colours_on_a_terminal_unless_unwanted(
    twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, colour: str | None
) -> None:
    twin.answers["snapshot"] = bakery.snapshot()
    if colour == "NO_COLOR":
        monkeypatch.setenv("NO_COLOR", "1")
    arguments = ["--no-color"] if colour == "--no-color" else []
    command = [sys.executable, "-m", "agent.cli", "--socket", str(twin.path), *arguments, "status"]
    master, slave = os.openpty()
    subprocess.run(command, stdout=slave, check=True, timeout=8, cwd=tmp_path)
    os.close(slave)
    shown = os.read(master, 10_000).decode()
    os.close(master)
    assert ("\x1b[" in shown) == (colour is None)


def test_who_is_asked_before_a_drop_is_told_how_to_carry_just_that_out(
    twin: Twin, tmp_path: Path
) -> None:
    held = {"readings": 3}
    twin.answers["queue"] = {"destinations": {"platform": {"waiting": held, "rejected": held}}}
    named = tmp_path / "gateway.yaml"
    command = [sys.executable, "-m", "agent.cli", "--socket", str(twin.path)]
    command += ["--config", str(named), "queue", "drop", "platform", "--rejected"]
    master, slave = os.openpty()
    os.write(master, b"n\n")
    done = subprocess.run(
        command, stdin=slave, capture_output=True, text=True, check=False, timeout=8
    )
    os.close(slave)
    os.close(master)
    assert f"fieldpost --config {named} queue export platform --rejected\n" in done.stderr
    assert "--waiting" not in done.stderr
    assert "Give up 3 readings refused for platform, for ever? [y/N]:" in done.stderr
    assert twin.asked == [("queue", {})]
