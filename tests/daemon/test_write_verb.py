"""The verb `write` of the whole daemon: a libmodbus slave behind it, the audit log beside it."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from agent.clock import SystemClock, iso
from agent.daemon.audit import FILE_NAME
from agent.errors import (
    DeviceNotFoundError,
    FieldpostError,
    NotFoundError,
    NotWritableError,
    ValidationError,
)
from tests.daemon.plant import Site, ended
from tests.lab.mosquitto import free_port
from tests.lab.serial.slaves import slave

PROFILE = """\
profile: test-meter
title: A valve
kind: modbus
every: 100ms
points:
  setpoint: {read: holding 10, as: int16, scale: 0.1, unit: Cel, min: -30, max: 30, write: yes}
  power:    {read: holding 40, as: uint16, unit: W}
  far:      {read: holding 41, as: uint16, write: yes}
  nowhere:  {read: holding 300, as: uint16, write: yes, every: 1h}
"""
SECOND_NS = 10**9

pytestmark = pytest.mark.timeout(30)


@pytest.fixture(scope="module")
def valve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("valve")
    site = Site(folder, free_port())
    (folder / "profiles" / "test-meter.yaml").write_text(PROFILE)
    with slave("tcp", "127.0.0.1", "0", "1") as port:
        text = site.config.read_text().replace(f":{site.modbus}", f":{port}")
        site.config.write_text(text)
        daemon = site.run()
        try:
            yield site
        finally:
            ended(daemon)


@pytest.fixture
async def site(valve: Site) -> Site:
    await valve.until(lambda s: s["devices"]["meter"]["state"] == "ok")
    return valve


def write(site: Site, point: str, value: object, **more: str) -> dict[str, Any]:
    asked = {"device": "meter", "point": point, "value": value, **more}
    answer: dict[str, Any] = site.client.call("write", asked)["reading"]
    return answer


def audited(site: Site) -> list[dict[str, Any]]:
    content = (site.state / FILE_NAME).read_bytes().rstrip(b"\0")
    return [orjson.loads(line) for line in content.splitlines()]


async def test_a_point_is_written_and_what_it_shows_comes_back(site: Site) -> None:
    shown = write(site, "setpoint", "-4.5")
    assert (shown["value"], shown["unit"], shown["quality"]) == (-4.5, "Cel", "good")
    assert site.client.call("read", {"device": "meter", "point": "setpoint"})["readings"][0][
        "value"
    ] == pytest.approx(-4.5)


async def test_who_wrote_what_stands_in_the_audit_log(site: Site) -> None:
    write(site, "setpoint", 7)
    with pytest.raises(ValidationError):
        write(site, "setpoint", 31)
    done, refused = audited(site)[-2:]
    assert done["what"] == "write"
    assert done["facts"] == {"device": "meter", "point": "setpoint", "value": 7}
    assert (done["result"], refused["result"]) == ("ok", "VALIDATION_ERROR")
    assert "detail" not in done
    assert refused["detail"] == "setpoint: 31 Cel is outside -30 … 30; nothing was written."


async def test_a_write_that_the_device_refuses_is_audited_as_what_it_is(site: Site) -> None:
    with pytest.raises(NotWritableError):
        write(site, "nowhere", 7)
    refused = audited(site)[-1]
    assert refused["result"] == "NOT_WRITABLE"
    told = "meter: refuses to write holding 300 (40301; exception 2, illegal address)"
    assert refused["detail"] == told


@pytest.mark.parametrize(
    ("point", "value", "error"),
    [
        ("setpoint", 31, ValidationError),
        ("setpoint", "30.1", ValidationError),
        ("setpoint", "nan", ValidationError),
        ("setpoint", "inf", ValidationError),
        ("setpoint", "warm", ValidationError),
        ("setpoint", None, ValidationError),
        ("far", 65536, ValidationError),
        ("power", 1, NotWritableError),
        ("nothing", 1, NotFoundError),
    ],
)
async def test_what_may_not_be_written_is_refused(
    site: Site, point: str, value: object, error: type[FieldpostError]
) -> None:
    with pytest.raises(error):
        write(site, point, value)


async def test_a_device_that_does_not_exist_is_named_with_those_that_do(site: Site) -> None:
    with pytest.raises(DeviceNotFoundError) as caught:
        site.client.call("write", {"device": "oven", "point": "setpoint", "value": 1})
    assert "meter" in str(caught.value.action)


async def test_a_command_that_is_too_old_changes_nothing(site: Site) -> None:
    write(site, "setpoint", 5)
    now_ns = SystemClock().now().wall_ns
    with pytest.raises(ValidationError, match="came too late; nothing was written"):
        write(site, "setpoint", 6, expires=iso(now_ns - SECOND_NS))
    read = site.client.call("read", {"device": "meter", "point": "setpoint"})
    assert read["readings"][0]["value"] == pytest.approx(5.0)
    assert write(site, "setpoint", 6, expires=iso(now_ns + 60 * SECOND_NS))["value"] == 6.0


async def test_an_expiry_that_is_no_time_is_not_ignored(site: Site) -> None:
    with pytest.raises(ValidationError, match="write a time such as"):
        write(site, "setpoint", 6, expires="soon")
