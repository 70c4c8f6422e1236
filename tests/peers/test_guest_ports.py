"""Serial ports with real drivers of a real kernel: a PL011, a 16550 and FTDI adapters that go.

On aarch64, with fieldpost installed and as its own service: `sudo scripts/test -m guest`. The first
time makes the machine (ten minutes, a network), later runs take five.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from tests.lab.guest import image
from tests.lab.guest.meter import CountingMeter
from tests.lab.guest.plant import Plant, plant

ASYNC_LOW_LATENCY = 0x2000  # linux/tty_flags.h
RS485_ENABLED, RS485_RTS_ON_SEND, RS485_RTS_AFTER_SEND = 1, 2, 4  # linux/serial.h
BY_ID = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_{}-if00-port0"
CONNECTIONS = f"""connections:
  board: {{kind: modbus-rtu, port: /dev/ttyAMA0, direction: kernel, timeout: 2s}}
  plain: {{kind: modbus-rtu, port: /dev/ttyS0, timeout: 2s}}
  cable: {{kind: modbus-rtu, port: {BY_ID.format("LAB0001")}, timeout: 2s}}
"""
DEVICES = """devices:
  at-board: {profile: counter, via: board, address: 1, every: 1s}
  at-plain: {profile: counter, via: plain, address: 1, every: 1s}
  at-cable: {profile: counter, via: cable, address: 1, every: 1s}
"""
ASK = """
import fcntl, json, os, struct
def asked(port, request, size):
    fd, answer = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK), bytearray(size)
    fcntl.ioctl(fd, request, answer)
    os.close(fd)
    return answer
TIOCGSERIAL, TIOCGRS485 = 0x541E, 0x542E
found = {p: struct.unpack_from("i", asked("/dev/" + p, TIOCGSERIAL, 72), 16)[0]
         for p in ("ttyAMA0", "ttyS0", "ttyUSB0")}
found["rs485"] = struct.unpack_from("I", asked("/dev/ttyAMA0", TIOCGRS485, 32))[0]
print(json.dumps(found))
"""

pytestmark = [pytest.mark.guest, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """Started while no adapter has ever been plugged in, as after a boot without one."""
    if lacks := image.missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lacks)
    with plant(tmp_path_factory.mktemp("guest")) as running, ExitStack() as meters:
        for port in ("ttyAMA0", "ttyS0", "usb0", "usb1"):
            meters.enter_context(CountingMeter(running.guest.wire(port)))
        running.configure(CONNECTIONS, DEVICES)
        running.sh("! grep -q ttyUSB /proc/devices")
        running.guest.plug("usb0", "LAB0001")
        yield running


def reads(made: Plant, device: str) -> None:
    """A new value of this device arrives at the cloud."""
    before = len(made.delivered(device))
    made.guest.until(f"[ $(grep -c '\"{device}\"' /host/records) -gt {before} ]", 60)


def settings(made: Plant) -> Mapping[str, int]:
    """Flags of the ports, as the kernel has them now."""
    found: dict[str, int] = json.loads(made.sh(f"python3 - <<'P'{ASK}P"))
    return found


@pytest.mark.parametrize("device", ["at-board", "at-plain", "at-cable"])
def test_each_port_is_read_also_by_an_adapter_that_came_after_the_start(
    made: Plant, device: str
) -> None:
    reads(made, device)


def test_no_driver_holds_an_answer_back(made: Plant) -> None:
    reads(made, "at-cable")
    found = settings(made)
    assert all(found[port] & ASYNC_LOW_LATENCY for port in ("ttyAMA0", "ttyS0", "ttyUSB0"))
    assert made.sh("cat /sys/bus/usb-serial/devices/ttyUSB0/latency_timer") == "1"


def test_the_kernel_switches_the_transmitter_where_it_was_asked_to(made: Plant) -> None:
    reads(made, "at-board")
    flags = settings(made)["rs485"]
    assert flags & RS485_ENABLED
    assert flags & RS485_RTS_ON_SEND
    assert not flags & RS485_RTS_AFTER_SEND


def test_the_thread_of_a_line_is_punctual_within_the_sandbox(made: Plant) -> None:
    task = "/proc/$(systemctl show fieldpost -p MainPID --value)/task/*"
    slack = made.sh(f"for t in {task}; do cat /proc/${{t##*/}}/timerslack_ns; done").split()
    assert slack.count("1000") == 3


def test_a_line_held_down_for_a_moment_is_read_on(made: Plant) -> None:
    for port, device in (("ttyAMA0", "at-board"), ("ttyS0", "at-plain")):
        made.guest.send_break(port)
        reads(made, device)
    assert "brk:1" in made.sh("cat /proc/tty/driver/ttyAMA")


def test_an_adapter_pulled_out_and_put_back_under_another_number_is_read_again(
    made: Plant,
) -> None:
    reads(made, "at-cable")
    started = made.shown("MainPID")
    made.guest.unplug("usb0")
    made.guest.until("fieldpost doctor | grep 'adapter LAB0001 is gone'", 60)
    made.guest.plug("usb1", "LAB0002")  # takes the number that has become free
    made.guest.until("readlink -e " + BY_ID.format("LAB0002") + " | grep ttyUSB0", 20)
    made.guest.plug("usb0", "LAB0001")
    made.guest.until("readlink -e " + BY_ID.format("LAB0001") + " | grep ttyUSB1", 20)
    reads(made, "at-cable")
    made.guest.unplug("usb1")
    assert made.shown("MainPID") == started


def test_a_port_without_a_transmitter_to_switch_says_so(made: Plant) -> None:
    connections = CONNECTIONS.replace("/dev/ttyS0,", "/dev/ttyS0, direction: kernel,")
    made.configure(connections, DEVICES)
    made.guest.until("fieldpost doctor | tr -s ' \\n' ' ' | grep 'that the kernel can switch'", 60)
    assert "Remove `direction: kernel`" in " ".join(made.run_doctor().split())
    reads(made, "at-board")
