"""scan, probe, monitor and profile test as a technician types them, on a line with libmodbus."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from agent.client import BlockingClient
from agent.errors import UnavailableError
from tests.lab.serial.rs485bus import Rs485Bus
from tests.lab.serial.slaves import on_line

pytestmark = [pytest.mark.timeout(60), pytest.mark.slow]

BAUD = 19200
FILE = """\
site:
  name: Bench
connections:
  rs485:
    kind: modbus-rtu
    port: {port}
    line: {baud} 8N1
    timeout: 200ms
devices:
  two:
    profile: bench-two
    via: rs485
    address: 2
cloud:
  out:
    kind: http
    url: https://example.invalid/
"""
PROFILE = """\
profile: bench-{name}
title: Bench {name}
kind: modbus
every: 500ms
points:
  first: {{read: holding 0, as: uint16}}
  level: {{read: holding 100, as: float32, unit: Cel}}
identify: {{read: holding 7, as: uint16, expect: "{mark}"}}
test: {{frame: "02 03 02 07 D0 FF E8", expect: {{first: 2000}}}}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A folder with a configuration, and the line it is about."""

    folder: Path
    bus: Rs485Bus

    @property
    def command(self) -> list[str]:
        places = [f"--{name}={self.folder / file}" for name, file in PLACES.items()]
        return [sys.executable, "-m", "agent.cli", *places]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder / "cache")}

    def __call__(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.command, *words], capture_output=True, text=True, check=False,
            timeout=40, env=self.environment,
        )  # fmt: skip


PLACES = {"config": "gateway.yaml", "state": "state", "socket": "fieldpost.sock"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with (
        Rs485Bus("master", "s2=2", "s5=5", "ear", "ghost=7", baud=BAUD) as bus,
        ExitStack() as slaves,
    ):
        for unit in (2, 5):
            slaves.enter_context(on_line(bus.port(f"s{unit}"), unit, BAUD))
        (tmp_path / "gateway.yaml").write_text(FILE.format(port=bus.port("master"), baud=BAUD))
        (tmp_path / "profiles").mkdir()
        for name, mark in (("two", 2007), ("five", 5007)):
            text = PROFILE.format(name=name, mark=mark)
            (tmp_path / "profiles" / f"bench-{name}.yaml").write_text(text)
        yield Site(tmp_path, bus)


@contextmanager
def daemon(site: Site) -> Iterator[BlockingClient]:
    client = BlockingClient(site.folder / "fieldpost.sock")
    run = ["run", *site.command[3:]]
    command = [sys.executable, "-m", "agent.cli", *(w for a in run for w in a.split("=", 1))]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=site.environment) as process:
        try:
            wait_until(lambda: client.call("snapshot")["devices"]["two"]["state"] == "ok")
            yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(200):
        threading.Event().wait(0.1)
        try:
            if true():
                return
        except UnavailableError:
            continue
    pytest.fail("it did not come to that")


def test_a_line_is_searched_and_what_is_new_written_down(site: Site) -> None:
    said = site("scan", "modbus", "rs485", "--addresses", "1-5", "--lines", "own", "--add", "five")
    assert said.stdout.splitlines() == [
        "  2  19200 8N1   bench-two (sure)            configured: two",
        "                 input 0..1 = 0FA0 0FA1",
        "  5  19200 8N1   bench-five (sure)           new",
        "                 input 0..1 = 2710 2711",
    ]
    assert "The daemon is not running: opening" in said.stderr
    assert "first  5000 " in said.stderr
    assert "2 of 2 points fit this device." in said.stderr
    assert "five is at address 5 of rs485" in said.stderr
    assert "below `devices:`" not in said.stderr
    assert said.returncode == 0
    text = (site.folder / "gateway.yaml").read_text()
    assert "  five:\n    profile: bench-five\n    via: rs485\n    address: 5\n" in text
    again = site("scan", "modbus", "rs485", "--address", "5", "--lines", "own", "--json")
    (unit,) = orjson.loads(again.stdout)["units"]
    assert (unit["address"], unit["device"], unit["sure"]) == (5, "five", True)


def test_a_device_is_read_before_it_is_added_unseen(site: Site) -> None:
    before = (site.folder / "gateway.yaml").read_text()
    add = ("scan", "modbus", "rs485", "--add", "new", "--profile", "bench-five", "--address")
    absent = site(*add, "9")
    assert (absent.returncode, "no answer at address 9" in absent.stderr) == (4, True)
    own = PROFILE.format(name="far", mark=1).replace("holding 0", "holding 300")
    (site.folder / "profiles" / "bench-far.yaml").write_text(
        own.replace("holding 100", "input 300")
    )
    strange = site(*(word.replace("bench-five", "bench-far") for word in add), "5")
    assert strange.returncode == 4
    assert "[FAIL] first: refuses to read holding 300 (40301; illegal address)" in strange.stderr
    assert "It was not added" in strange.stderr
    assert (site.folder / "gateway.yaml").read_text() == before
    there = site(*add, "5")
    assert there.returncode == 0
    assert "level  26.5 C  good" in there.stderr
    assert "new:" in (site.folder / "gateway.yaml").read_text()


def test_a_port_of_no_configuration_is_searched_with_every_setting(site: Site) -> None:
    port = str(Path(site.bus.port("master")))
    (site.folder / "gateway.yaml").unlink()
    said = site("scan", "modbus", port, "--address", "2", "--lines", "9600 8N1, 19200 8N1")
    assert [line.split()[:3] for line in said.stdout.splitlines() if "sure" in line] == [
        ["2", "9600", "8N1"],
    ]
    assert "2 answered at 19200 8N1 too." in said.stderr  # a pty hears any speed
    assert f"  wire:\n    kind: modbus-rtu\n    port: {port}\n    line: 9600 8N1" in said.stderr


def test_a_stopped_scan_goes_on_where_it_was(site: Site) -> None:
    scan = [*site.command, "scan", "modbus", "rs485", "--lines", "own", "--addresses", "1-9,5"]
    with subprocess.Popen(
        scan, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=site.environment
    ) as stopped:
        assert stopped.stdout
        assert "bench-two" in stopped.stdout.readline()
        stopped.send_signal(signal.SIGINT)
        _, err = stopped.communicate(timeout=10)
    assert stopped.returncode == 130
    typed = f"  fieldpost --config {site.folder / 'gateway.yaml'} scan modbus rs485 --resume"
    assert typed in err.splitlines()
    said = site("scan", "modbus", "rs485", "--resume", "--json")
    units = orjson.loads(said.stdout)["units"]
    assert [unit["address"] for unit in units] == [2, 5]
    assert site("scan", "modbus", "rs485", "--resume").returncode == 2


def test_a_scan_whose_session_was_cut_off_goes_on_too(site: Site) -> None:
    scan = [*site.command, "scan", "modbus", "rs485", "--lines", "own", "--addresses", "2-9"]
    with subprocess.Popen(
        scan, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=site.environment
    ) as cut:
        assert cut.stdout
        assert "bench-two" in cut.stdout.readline()
        cut.kill()
    other = site("scan", "modbus", "rs485", "--resume", "--addresses", "1-3")
    assert (other.returncode, "leave --lines and addresses away" in other.stderr) == (2, True)
    said = site("scan", "modbus", "rs485", "--resume")
    assert [line.split()[0] for line in said.stdout.splitlines()[::2]] == ["2", "5"]


def test_a_scan_whose_adapter_was_pulled_out_goes_on_when_it_is_back(site: Site) -> None:
    scan = [*site.command, "scan", "modbus", "rs485", "--lines", "own", "--addresses", "2-9"]
    with subprocess.Popen(
        scan, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=site.environment
    ) as cut:
        assert cut.stdout
        assert "bench-two" in cut.stdout.readline()
        site.bus.do("unplug master")
        _, err = cut.communicate(timeout=30)
    assert cut.returncode == 4
    assert "Stopped after " in err
    assert err.endswith("master is gone\n  Plug it in, and try again.\n")
    gone = site("scan", "modbus", "rs485", "--resume")
    assert (gone.returncode, "Stopped after" in gone.stderr) == (4, False)
    site.bus.do("plug master")
    said = site("scan", "modbus", "rs485", "--resume")
    assert [line.split()[0] for line in said.stdout.splitlines()[::2]] == ["2", "5"]


def test_a_line_that_is_read_is_left_alone_unless_told(site: Site) -> None:
    with daemon(site) as client:
        refused = site("scan", "modbus", "rs485", "--addresses", "1-10")
        assert refused.returncode == 6
        assert "rs485 is in use: 1 device is read on it" in refused.stderr
        forced = site("scan", "modbus", "rs485", "--addresses", "4-6", "--force")
        assert "bench-five (sure)" in forced.stdout
        assert client.call("snapshot")["devices"]["two"]["state"] == "ok"
        probed = site("probe", "rs485", "5", "40101", "--expect", "26.5", "--add", "mine.level")
        assert probed.stdout.split() == ["holding", "100", "float32", "26.5", "41D4", "0000"]
        mine = (site.folder / "profiles" / "mine.yaml").read_text()
        assert "points:\n  level:\n    read: holding 100\n    as: float32\n" in mine


def test_what_the_daemon_says_on_a_line_is_shown_and_kept(site: Site) -> None:
    file = site.folder / "line.jsonl"
    with daemon(site):
        said = site("monitor", "rs485", "--count", "2", "--raw", "--record", str(file))
    first = said.stdout.splitlines()[:3]
    assert "two  2 reads holding 0 (40001)" in first[0]
    assert first[1].strip() == "first 2000"
    assert first[2] == "   -> 02 03 00 00 00 01 84 39      <- 02 03 02 07 D0 FF E8"
    assert f"2 exchanges in {file}" in said.stderr
    kept = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    assert [one["means"] for one in kept] == ["first 2000", "level 23.5 Cel"]
    again = site("monitor", "rs485", "--ask", "--count", "1", "--record", str(file))
    assert (again.returncode, "is there already" in again.stderr) == (6, True)


def test_a_profile_is_tried_on_a_device_while_the_daemon_reads_it(site: Site) -> None:
    with daemon(site):
        said = site("profile", "test", "bench-five", "two")
        lines = said.stdout.splitlines()
        assert lines[0] == "[ok]   test: 1 value"
        assert lines[1].split()[:3] == ["first", "2000", "good"]
        assert lines[2].split()[:4] == ["level", "23.5", "C", "good"]
        assert "2 of 2 points fit" in said.stderr
    silent = site("profile", "test", "bench-five", "9@rs485")
    assert silent.returncode == 4
    assert "no answer at address 9 on rs485 (0.3 s)" in silent.stderr
    assert f"`line:` {BAUD} 8N1" in silent.stderr
    wrong = site("profile", "test", "bench-five", "300@rs485")
    assert (wrong.returncode, "no Modbus address" in wrong.stderr) == (2, True)


@pytest.mark.parametrize("lines", ["9600", "19200 8X1", "own,9600 8N1"])
def test_line_settings_that_are_none_are_refused_before_anybody_is_asked(
    site: Site, lines: str
) -> None:
    said = site("scan", "modbus", "rs485", "--address", "2", "--lines", lines)
    assert (said.returncode, said.stdout) == (2, "")
    assert "are no line settings" in said.stderr


def test_a_probe_that_leads_nowhere_says_what_to_do_next(site: Site) -> None:
    silent = site("probe", "rs485", "9", "40101", "--expect", "26,5")
    assert silent.returncode == 4
    assert "fieldpost " in silent.stderr
    assert "scan modbus rs485 --address 9" in silent.stderr
    nothing = site("probe", "rs485", "5", "40101", "--expect", "0")
    assert (nothing.returncode, "0 is what most registers say" in nothing.stderr) == (2, True)


def test_another_master_is_overheard_at_a_port_of_ones_own(site: Site) -> None:
    with daemon(site):
        said = site("monitor", site.bus.port("ear"), "--count", "3", "--for", "20s")
    assert "listening at" in said.stderr
    assert "2 reads holding 0 (40001)" in said.stdout
    assert "07D0" in said.stdout


@contextmanager
def replaying(*words: str) -> Iterator[str]:
    """A recording that answers; yields where."""
    command = [sys.executable, "-m", "drivers.modbus.replay", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip().removeprefix("answering at ")
        process.send_signal(signal.SIGINT)
        process.wait(10)
    assert process.returncode == 0


def test_a_recorded_line_answers_in_the_place_of_its_devices(site: Site) -> None:
    file = site.folder / "line.jsonl"
    site("monitor", "rs485", "--ask", "--count", "2", "--record", str(file))
    with replaying(str(file), "--listen", "127.0.0.1:0") as where:
        said = site("profile", "test", "bench-two", f"2@{where}")
        found = site("scan", "modbus", where, "--addresses", "1-3")
    assert "2 of 2 points fit" in said.stderr
    assert [line.split()[0] for line in found.stdout.splitlines()[:1]] == ["2"]


def test_a_recording_answers_on_a_wire_as_well(site: Site) -> None:
    file = site.folder / "line.jsonl"
    site("monitor", "rs485", "--ask", "--count", "2", "--record", str(file))
    recorded = file.read_text().replace("02 03 00 00 00 01 84 39", "07 03 00 00 00 01 84 6C")
    file.write_text(recorded.replace("02 03 02 07 D0 FF E8", "07 03 02 07 D0 33 E8"))
    with replaying(str(file), "--port", site.bus.port("ghost"), "--line", f"{BAUD} 8N1"):
        said = site("scan", "modbus", "rs485", "--address", "7", "--lines", "own", "--json")
    (unit,) = orjson.loads(said.stdout)["units"]
    assert unit["address"] == 7
