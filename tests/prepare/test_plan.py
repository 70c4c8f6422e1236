"""The plan that comes out, and the program that makes it."""

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import agent
from agent.plan import Plan, from_json
from agent.prepare.__main__ import main
from agent.prepare.compile import prepare
from agent.prepare.report import footer, github
from agent.prepare.source import Located
from tests.prepare.bench import SAMPLE, Bench, changed

POINTS, SECONDS, MEGABYTES = 1000, 1.5, 80


def compiled(bench: Bench, text: str = SAMPLE) -> Plan:
    plan = bench.prepare(text).plan
    assert plan is not None
    return plan


def test_a_plan_knows_every_file_it_was_made_from(bench: Bench) -> None:
    origin = compiled(bench).origin
    assert origin.program == agent.__version__
    for path, sha256 in origin.files.items():
        content = Path(path).read_bytes() if Path(path).exists() else None
        assert sha256 == (hashlib.sha256(content).hexdigest() if content is not None else "")
    assert str(bench.file) in origin.files


def test_defaults_are_filled_in(bench: Bench) -> None:
    plan = compiled(bench, "site: {name: X}\n")
    assert (plan.site.timezone, plan.site.buffer_bytes, plan.site.may_lose_s) == ("UTC", 2e9, 1.0)
    assert len(plan.site.id) >= 3
    assert (plan.status.listen, plan.health.late_after) == ("127.0.0.1:8080", 3)


def test_devices_are_in_the_order_of_the_file(bench: Bench) -> None:
    assert list(compiled(bench).devices) == [
        "main-meter", "oven-meter", "inverter", "weather",
        "cold-room", "freezer", "shop-floor", "vibration",
    ]  # fmt: skip


def test_a_plan_names_secrets_and_what_opens_each_part(bench: Bench) -> None:
    plan = compiled(bench)
    assert plan.connections["radio"].secrets == ["freezer-key"]
    assert plan.connections["rs485"].opens == "drivers.modbus.driver:open_driver"
    assert plan.destinations["scada"].opens == "agent.cloud.mqtt:open_cloud"
    assert plan.destinations["platform"].keep_offline_s == 14 * 86400


def test_a_disabled_device_stays_in_the_plan(bench: Bench) -> None:
    plan = compiled(bench, changed(SAMPLE, {48: "    enabled: no"}))
    assert plan.devices["main-meter"].enabled is False


def test_the_program_prints_a_plan_and_ends_with_zero(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.file.write_text(SAMPLE)
    assert main(["--config", str(bench.file), "--offline"]) == 0
    out, err = capsys.readouterr()
    assert from_json(Plan, json.loads(out)).site.id == "ES-0231"
    assert err == ""


@pytest.mark.parametrize("form", ["human", "json", "github"])
def test_without_a_plan_the_program_ends_with_78(
    bench: Bench, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.file.write_text(changed(SAMPLE, {11: "  buffer: 2"}))
    assert main(["--config", str(bench.file), "--format", form, "--offline"]) == 78
    out, err = capsys.readouterr()
    assert out == ""
    assert "2 what? a size needs a unit" in err


def test_the_program_makes_the_store_when_asked(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.file.write_text(SAMPLE)
    store = bench.file.parent / "buffer"
    assert main(["--config", str(bench.file), "--offline", "--store", str(store)]) == 0
    assert list(store.iterdir())
    assert json.loads(capsys.readouterr().out)["format"] == 1


def test_a_store_that_cannot_be_made_is_a_temporary_failure(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.file.write_text(SAMPLE)
    (bench.file.parent / "file").touch()
    store = bench.file.parent / "file" / "buffer"
    assert main(["--config", str(bench.file), "--offline", "--store", str(store)]) == 75
    out, err = capsys.readouterr()
    assert out == ""
    assert str(store) in err


def test_the_last_line_counts_and_says_what_happens(bench: Bench) -> None:
    one = bench.prepare(changed(SAMPLE, {11: "  buffer: 2"})).problems
    more = bench.prepare(changed(SAMPLE, {11: "  buffer: 2", 9: "  id: x", 20: PORT})).problems
    warning = bench.prepare(changed(SAMPLE, {20: PORT})).problems
    kept = "Nothing was changed; the gateway keeps running with its last good configuration."
    assert footer(one, running=True) == f"1 error. {kept}"
    assert footer(more, running=True) == f"2 errors, 1 warning. {kept}"
    assert footer(warning, running=True) == "0 errors, 1 warning. The file can be used."
    assert footer(one, running=False) == (
        "1 error. Nothing was changed; the gateway is not running."
    )


PORT = "    port: /dev/ttyUSB0"


def test_annotations_escape_what_has_a_meaning_there(bench: Bench) -> None:
    located = bench.prepare(changed(SAMPLE, {9: "  id: 100%"})).problems
    moved = [Located(each.problem, None, None) for each in located]
    assert "'100%25' is not a gateway id%0A" in github(located)
    assert github(moved).startswith("::error ::'100%25'")


def large() -> str:
    lines = ["site: {name: Large}", "connections:"]
    lines += [f"  w{n}: {{kind: modbus-tcp, host: 10.0.0.{n}}}" for n in range(10)]
    lines.append("devices:")
    for n in range(POINTS // 4):
        lines += [f"  m{n}:", "    profile: eastron-sdm120", f"    via: w{n % 10}"]
        lines += [f"    address: {n // 10 + 1}", "    every: 10s"]
    return "\n".join(lines) + "\n"


def test_a_thousand_points_are_compiled_fast(bench: Bench) -> None:
    bench.file.write_text(large())
    prepare(bench.file, environment={})
    began = time.process_time()
    plan = prepare(bench.file, environment={}).plan
    assert time.process_time() - began < SECONDS
    assert plan is not None
    assert sum(len(device.points) for device in plan.devices.values()) == POINTS


def test_the_compiler_is_small(bench: Bench) -> None:
    bench.file.write_text(large())
    measure = (
        "import sys\n"
        "from agent.prepare.__main__ import main\n"
        "code = main(['--config', sys.argv[1]])\n"
        "rows = dict(row.split(':') for row in open('/proc/self/status'))\n"
        "sys.stderr.write(rows['VmHWM'].split()[0])\n"
        "sys.exit(code)\n"
    )
    command = [sys.executable, "-c", measure, str(bench.file)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(ended.stderr.split()[-1]) < MEGABYTES * 1024
