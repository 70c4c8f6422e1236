"""What is advertised becomes values or a fault, and nothing else; whoever sends it."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.clock import SystemClock
from agent.driver import DeviceFault, Reason
from agent.secret import Secret
from drivers.bluetooth.adverts import Listener
from drivers.bluetooth.codec import decode
from drivers.bluetooth.decoders import DECODERS
from drivers.bluetooth.plan import Ask, Beacon, Pick
from drivers.bluetooth.profile import BASE
from drivers.bluetooth.shapes import ServiceInfo
from tests.drivers.bluetooth.sensors import KEY, RUUVI_MAC

NOW = SystemClock().now()
PICKS = [Pick(name, name) for name in ("temperature", "humidity", "battery", "pressure")]
COMPANIES = st.sampled_from([0x0499, 0xEC88, 0x0001, 0x8801, 0x8843])
SERVICES = st.sampled_from([BASE.format(uuid) for uuid in ("fcd2", "181c", "181e")])
BYTES = st.binary(max_size=31)
LOADED = """
import sys
from drivers.bluetooth.decoders import make
make({decoder!r}, None)
print(*sorted(name for name in {names!r} if name in sys.modules))
"""


def listener(decoder: str, key: str | None = None) -> Listener:
    made = Listener(
        Beacon("it", RUUVI_MAC, decoder, PICKS), Secret("k", key.encode()) if key else None
    )
    made.prepare()
    return made


def info(manufacturer: dict[int, bytes], service: dict[str, bytes], name: str = "") -> ServiceInfo:
    time_s = NOW.mono_ns / 1e9
    return ServiceInfo(name, RUUVI_MAC, -60, manufacturer, service, [], NOW, time_s)


@pytest.mark.parametrize("decoder", sorted(DECODERS))
@given(
    st.dictionaries(COMPANIES, BYTES, max_size=2),
    st.dictionaries(SERVICES, BYTES, max_size=2),
    st.sampled_from(["", "GVH5101_1234", "GVH5106", "GVH5178_12", "ATC_123456"]),
)
def test_no_packet_does_more_than_fail(
    decoder: str, manufacturer: dict[int, bytes], service: dict[str, bytes], name: str
) -> None:
    for made in (listener(decoder), listener(decoder, KEY)):
        try:
            found = list(made.listen(info(manufacturer, service, name)))
        except DeviceFault as fault:
            assert fault.message.startswith("heard, but")  # noqa: PT017 - either is fine
            continue
        assert all(isinstance(value, DeviceFault | int | float | str) for _, value in found)


def test_a_door_and_its_battery_may_have_the_same_name() -> None:
    switch, level = Pick("low", "battery", form="bool"), Pick("battery", "battery")
    made = Listener(Beacon("door", RUUVI_MAC, "bthome", [switch, level]), None)
    made.prepare()
    found = dict(made.listen(info({}, {BASE.format("fcd2"): bytes.fromhex("40015d1501")})))
    assert found == {switch: True, level: 93}


def test_a_probe_that_reports_an_error_is_the_fault_of_its_points() -> None:
    broken = info({0xEC88: bytes.fromhex("00034110e400")}, {}, "GVH5075")
    found = {pick.point: value for pick, value in listener("govee").listen(broken)}
    assert isinstance(found["temperature"], DeviceFault)
    assert found["temperature"].reason is Reason.UNREADABLE
    assert "place of a number" in found["temperature"].message


@pytest.mark.parametrize(
    ("decoder", "others"),
    [("ruuvi", "bthome_ble govee_ble"), ("bthome", "ruuvitag_ble"), ("govee", "ruuvitag_ble")],
)
def test_only_the_decoder_of_the_plan_is_loaded_and_never_habluetooth(
    decoder: str, others: str
) -> None:
    names = [*others.split(), "bluetooth_adapters", "bleak_retry_connector", "aiohttp"]
    code = LOADED.format(decoder=decoder, names=names)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


@pytest.mark.parametrize(
    ("form", "data", "value"),
    [
        ("int16", "6608", 2150),
        ("uint16", "ba13", 5050),
        ("uint8", "00ff", 255),
        ("float32", "00000000c841", 25.0),
        ("text", "70756d7000", "ump"),
        ("bool", "0001", True),
    ],
)
def test_a_characteristic_is_read_in_its_form(form: str, data: str, value: object) -> None:
    at = {"uint8": 1, "float32": 2, "text": 1, "bool": 1}.get(form, 0)
    assert decode(bytes.fromhex(data), Ask("p", "2a6e", form, at=at)) == value


def test_the_other_byte_order_and_a_scale() -> None:
    assert decode(b"\x13\xba", Ask("p", "2a6f", "uint16", big=True, scale=0.01)) == 50.5


@pytest.mark.parametrize(
    ("data", "reason"), [("00", Reason.UNREADABLE), ("0000c07f", Reason.NOT_A_NUMBER)]
)
def test_what_is_too_short_or_no_number_is_a_fault(data: str, reason: Reason) -> None:
    with pytest.raises(DeviceFault) as caught:
        decode(bytes.fromhex(data), Ask("p", "2a6e", "float32"))
    assert caught.value.reason is reason
