"""`fieldpost check`, `prepare` and `init`, on real files."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli.init import starter
from tests.cli.conftest import Fieldpost
from tests.cli.twin import Twin

GOOD = "version: 1\nsite:\n  name: Bakery North\n  id: ES-0231\n"
CLOUD = """\
cloud:
  archive:
    kind: http
    url: https://ingest.example.com/v1
    token: secret:archive-token
"""
WRONG = GOOD.replace("id:", "idd:")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(GOOD)
    return path


def test_a_good_file_is_one_line(fieldpost: Fieldpost, config: Path) -> None:
    said = fieldpost("check", str(config))
    assert said.out == f"{config}: OK - 0 connections, 0 devices, 0 destinations\n"
    assert said.code == 0


def test_an_error_is_exit_1_and_says_that_nothing_runs(fieldpost: Fieldpost, config: Path) -> None:
    config.write_text(WRONG)
    said = fieldpost("check", str(config))
    assert said.code == 1
    assert f"{config}:4:3: error: 'idd' is not a setting of 'site'" in said.out
    assert said.out.endswith("1 error. Nothing was changed; the gateway is not running.\n")


@pytest.mark.usefixtures("twin")
def test_a_running_gateway_keeps_running(twin: Twin, fieldpost: Fieldpost, config: Path) -> None:
    twin.answers["ping"] = {"version": "1.4.0", "pid": 1}
    config.write_text(WRONG)
    assert "keeps running with its last good configuration." in fieldpost("check", str(config)).out


def test_programs_get_objects_lines_or_annotations(fieldpost: Fieldpost, config: Path) -> None:
    config.write_text(WRONG)
    document = fieldpost("check", str(config), "--json").json
    assert (document["schema"], document["usable"]) == ("fieldpost.check/1", False)
    assert document["problems"][0]["line"] == 4
    assert fieldpost("check", str(config), "--format", "json").lines == document["problems"]
    annotation = fieldpost("check", str(config), "--format", "github").out
    assert annotation.startswith(f"::error file={config},line=4,col=3::")


def test_following_the_advice_about_a_secret_puts_it_where_this_file_looks(
    fieldpost: Fieldpost, config: Path
) -> None:
    config.write_text(f"{GOOD}{CLOUD}")
    said = fieldpost("check", str(config))
    assert (said.code, "there is no secret called 'archive-token'" in said.out) == (1, True)
    advice = said.out.partition("= fix: ")[2].splitlines()[0]
    command = [sys.executable, "-m", "agent.cli", *shlex.split(advice)[1:]]
    subprocess.run(command, input=b"canary", check=True, timeout=10)
    assert fieldpost("check", str(config)).code == 0


def test_a_file_that_is_not_there(fieldpost: Fieldpost, tmp_path: Path) -> None:
    said = fieldpost("--config", str(tmp_path / "none.yaml"), "check")
    assert (said.code, "there is no such file" in said.out) == (1, True)


def test_tabs_are_replaced_on_request_only(fieldpost: Fieldpost, config: Path) -> None:
    config.write_text(GOOD.replace("  name: Bakery North", "\tname: Bakery\tNorth"))
    config.chmod(0o640)
    assert fieldpost("check", str(config)).code == 1
    said = fieldpost("check", str(config), "--fix-tabs")
    assert said.err == f"{config}: Tabs replaced by spaces.\n"
    assert config.read_text() == GOOD.replace("Bakery North", "Bakery\tNorth")
    assert config.stat().st_mode & 0o777 == 0o640
    assert fieldpost("check", str(config), "--fix-tabs").err == "No Tab to replace.\n"


def test_a_plan_is_printed_or_exit_78(fieldpost: Fieldpost, config: Path) -> None:
    assert fieldpost("prepare", str(config)).json["site"]["id"] == "ES-0231"
    config.write_text(WRONG)
    said = fieldpost("prepare", str(config))
    assert (said.code, said.out) == (78, "")


@pytest.mark.parametrize("ports", [[], [Path("/dev/serial/by-id/usb-FTDI-if00-port0")]])
def test_the_starter_file_is_valid(fieldpost: Fieldpost, tmp_path: Path, ports: list[Path]) -> None:
    path = tmp_path / "new" / "gateway.yaml"
    path.parent.mkdir()
    path.write_text(starter("b!", ports))
    said = fieldpost("check", str(path), "--offline")
    wires = "1 connection" if ports else "0 connections"
    assert said.out == f"{path}: OK - {wires}, 0 devices, 0 destinations\n"


def test_init_never_overwrites(fieldpost: Fieldpost, tmp_path: Path) -> None:
    path = tmp_path / "new" / "gateway.yaml"
    assert fieldpost("init", str(path)).code == 0
    path.write_text(GOOD)
    said = fieldpost("init", str(path))
    assert (said.code, path.read_text()) == (6, GOOD)
    assert "it stays as it is" in said.err
