"""The whole daemon, started as the unit starts it, on a real slave and a real broker."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.plant import PROFILE, Site, ended, slave
from tests.lab.mosquitto import PROGRAM, Broker, Reader, free_port

FORBIDDEN = {
    "agent.prepare", "agent.status", "agent.cli.app",
    "bleak", "click", "fastapi", "httpx", "pydantic", "rich.console", "ruamel", "serial.tools",
    "sqlite_utils", "starlette", "uvicorn",
}  # fmt: skip

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Neither slave nor broker answers."""
    return Site(tmp_path, free_port())


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Site]:
    if not PROGRAM:
        pytest.skip("needs Debian's mosquitto")
    async with Broker(tmp_path) as broker:
        site = Site(tmp_path, broker.port)
        async with slave(site.modbus):
            yield site


def delivered(snapshot: dict[str, Any]) -> bool:
    broker = snapshot["status"]["destinations"]["broker"]
    return bool(broker["last_ack_at"] and snapshot["devices"]["meter"]["state"] == "ok")


async def test_what_a_slave_says_arrives_at_the_broker_with_its_identity(plant: Site) -> None:
    daemon = plant.run()
    try:
        async with Reader(plant.mqtt, "test/#") as reader:
            _, payload, _ = await reader.message()
    finally:
        code, _ = ended(daemon)
    sample = json.loads(payload)["samples"][0]
    assert sample["values"] == {"power": 1234, "voltage": 230}
    assert sample["seq"] >= 1
    assert code == 0


async def test_the_resident_part_holds_no_parser_no_validator_and_no_web_server(
    plant: Site,
) -> None:
    daemon = plant.run(sys.executable, "-X", "importtime")
    try:
        await plant.until(delivered)
    finally:
        daemon.terminate()
        _, log = daemon.communicate(timeout=5)
    loaded = {line.split(b"|")[2].strip().decode() for line in log.splitlines() if b"|" in line}
    assert "agent.daemon.app" in loaded
    roots = {name for name in loaded for bad in FORBIDDEN if f"{name}.".startswith(f"{bad}.")}
    assert roots == set()


async def test_a_killed_daemon_goes_on_where_it_was(plant: Site) -> None:
    daemon = plant.run()
    await plant.until(delivered)
    daemon.send_signal(signal.SIGKILL)
    daemon.communicate()
    again = plant.run()
    try:
        await plant.until(delivered)
        store = plant.snapshot()["status"]["store"]
        assert store["accepted_readings_total"] > 0
    finally:
        ended(again)


async def test_a_bad_file_never_stops_collection(plant: Site) -> None:
    daemon = plant.run()
    await plant.until(delivered)
    ended(daemon)
    plant.config.write_text(plant.config.read_text().replace("address: 1", "addres: 1"))
    daemon = plant.run()
    try:
        await plant.until(delivered)
        rejected = plant.snapshot()["status"]["configuration"]["rejected"]
        assert "'addres' is not a setting of 'meter'" in rejected
    finally:
        ended(daemon)


async def test_an_edited_profile_is_compiled_again_at_the_next_start(plant: Site) -> None:
    daemon = plant.run()
    await plant.until(delivered)
    assert plant.snapshot()["status"]["configuration"]["version"] == 1
    ended(daemon)
    edited = PROFILE.replace("  voltage:", "  tension:")
    (plant.config.parent / "profiles" / "test-meter.yaml").write_text(edited)
    daemon = plant.run()
    try:
        await plant.until(delivered)
        snapshot = plant.snapshot()
        assert snapshot["status"]["configuration"]["version"] == 2
        assert set(snapshot["devices"]["meter"]["points"]) == {"power", "tension"}
    finally:
        ended(daemon)


def test_without_any_usable_file_it_ends_with_78_and_says_why(site: Site) -> None:
    site.config.write_text("version: 1\nsite:\n\tname: x\n")
    daemon = site.run()
    _, log = daemon.communicate(timeout=10)
    assert daemon.returncode == 78
    assert b"gateway.yaml:3:1: error: a Tab character" in log


async def test_a_second_daemon_on_the_same_state_ends_with_6(plant: Site) -> None:
    daemon = plant.run()
    try:
        await plant.until(delivered)
        second = plant.run()
        _, log = second.communicate(timeout=10)
        assert second.returncode == 6
        assert b"another fieldpost daemon" in log
        assert delivered(plant.snapshot())
    finally:
        ended(daemon)


async def test_the_status_page_ends_with_a_killed_daemon_and_its_port_is_free(site: Site) -> None:
    port = free_port()
    text = site.config.read_text().replace("listen: none", f"listen: 127.0.0.1:{port}")
    site.config.write_text(text)
    daemon = site.run()
    await accepts(port)
    daemon.send_signal(signal.SIGKILL)
    daemon.communicate()
    await accepts(port, expected=False)


async def accepts(port: int, *, expected: bool = True) -> None:
    async with asyncio.timeout(60):
        while await _accepts(port) is not expected:
            await asyncio.sleep(0.05)


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def test_a_dead_device_and_a_dead_broker_are_named_and_nothing_is_lost(site: Site) -> None:
    daemon = site.run()
    try:
        await site.until(
            lambda s: (
                s["status"]["connections"]["plc"]["state"] == "gone"
                and s["status"]["destinations"]["broker"]["state"] == "waiting"
            )
        )
        status = site.snapshot()["status"]
        assert f"127.0.0.1:{site.modbus}" in str(status["connections"]["plc"])
        assert f"127.0.0.1:{site.mqtt}" in status["destinations"]["broker"]["message"]
        assert status["store"]["lost_readings_total"] == 0
    finally:
        ended(daemon)
