"""`fieldpost scan serial`, on a tree like udev's."""

from pathlib import Path

import pytest

from agent.cli.scan import Adapter, adapters
from tests.cli.conftest import Fieldpost

FTDI = "usb-FTDI_USB-RS485_Cable_FT4XY12A-if00-port0"
PROLIFIC = "usb-Prolific_USB-Serial_Controller_D-if00-port0"
SOCKET = "platform-3f980000.usb-usb-0:1.2:1.0-port0"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two adapters, of which only the first has a serial number."""
    by_id, by_path = tmp_path / "dev/serial/by-id", tmp_path / "dev/serial/by-path"
    by_id.mkdir(parents=True)
    by_path.mkdir()
    for number, name in enumerate((FTDI, PROLIFIC)):
        (tmp_path / f"dev/ttyUSB{number}").touch()
        (by_id / name).symlink_to(f"../../ttyUSB{number}")
        usb = tmp_path / f"sys/devices/usb1/1-1.{number}"
        (usb / "1-1:1.0/tty").mkdir(parents=True)
        (usb / "idVendor").write_text("0403\n")
        tty = tmp_path / f"sys/class/tty/ttyUSB{number}"
        tty.mkdir(parents=True)
        (tty / "device").symlink_to(usb / "1-1:1.0")
    (tmp_path / "sys/devices/usb1/1-1.0/serial").write_text("FT4XY12A\n")
    (by_path / SOCKET).symlink_to("../../ttyUSB1")
    return tmp_path


def test_each_adapter_has_its_stable_name_and_its_user(tree: Path) -> None:
    dev = tree / "dev"
    assert list(adapters(dev, tree / "sys", {dev / "ttyUSB0": "rs485"})) == [
        Adapter(str(dev / "serial/by-id" / FTDI), None, "FT4XY12A", stable=True, used_by="rs485"),
        Adapter(str(dev / "serial/by-id" / PROLIFIC), str(dev / "serial/by-path" / SOCKET), None,
                stable=True, used_by=None),
    ]  # fmt: skip


def test_without_udev_the_name_is_said_to_be_unstable(tree: Path) -> None:
    for path in (tree / "dev/serial/by-id").iterdir():
        path.unlink()
    found = list(adapters(tree / "dev", tree / "sys", {}))
    assert [(Path(one.port).name, one.stable) for one in found] == [
        ("ttyUSB0", False),
        ("ttyUSB1", False),
    ]


def test_a_machine_without_adapters(tmp_path: Path) -> None:
    assert list(adapters(tmp_path, tmp_path, {})) == []


def test_the_command_works_on_any_machine(fieldpost: Fieldpost) -> None:
    assert fieldpost("scan", "serial").code == 0
    assert fieldpost("scan", "serial", "--json").json["schema"] == "fieldpost.scan/1"
