"""Every packaged profile for sensors that advertise reads its own golden advertisement."""

import pytest

from agent.clock import SystemClock
from agent.driver import DeviceFault
from agent.plan import from_json
from agent.secret import Secret
from drivers.bluetooth.adverts import Listener
from drivers.bluetooth.plan import Beacon, RadioPlan
from drivers.bluetooth.profile import BASE, BluetoothProfile, BluetoothTest
from drivers.bluetooth.settings import KIND
from drivers.bluetooth.shapes import ServiceInfo
from tests.drivers.profiles import device, load, names

SWITCHES = {"true": True, "false": False}


def compiled(name: str, mac: str) -> RadioPlan:
    result = KIND.compile("radio", KIND.settings.model_validate({}), [device(name, mac=mac)])
    return from_json(RadioPlan, result.spec)


def advertisement(test: BluetoothTest, beacon: Beacon) -> ServiceInfo:
    manufacturer: dict[int, bytes] = {}
    service: dict[str, bytes] = {}
    if test.manufacturer:
        company, data = test.manufacturer.split()
        manufacturer[int(company, 16)] = bytes.fromhex(data)
    if test.service:
        uuid, data = test.service.split()
        service[BASE.format(uuid)] = bytes.fromhex(data)
    at = SystemClock().now()
    name = beacon.name or test.mac
    return ServiceInfo(name, test.mac, -60, manufacturer, service, [], at, at.mono_ns / 1e9)


@pytest.mark.parametrize("name", names("bluetooth"))
def test_a_profile_reads_its_golden_advertisement(name: str) -> None:
    _, profile = load(name)
    assert isinstance(profile, BluetoothProfile)
    if profile.decoder is None:
        assert compiled(name, "A4:C1:38:00:00:01").sensors
        return
    test = profile.test
    assert test is not None, "a profile shows what its sensor says"
    (beacon,) = compiled(name, test.mac).beacons
    listener = Listener(beacon, Secret("key", test.key.encode()) if test.key else None)
    listener.prepare()
    found = {pick.point: value for pick, value in listener.listen(advertisement(test, beacon))}
    assert found, "nothing was understood"
    for point, expected in test.expect.items():
        value = found[point]
        assert not isinstance(value, DeviceFault), value
        if isinstance(value, str | bool):
            assert value == SWITCHES.get(expected, expected)
        else:
            assert value == pytest.approx(float(expected)), point
