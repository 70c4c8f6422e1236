"""Opening a port: what is asked of it, and what it cannot do is said; in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.crashes import SHIM, shim
from tests.lab.pty import Pty

UART = SHIM.parent / "serial" / "uart.c"
ENABLED, HIGH_WHILE_SENDING = 1, 2  # linux/serial.h, serial_rs485
LOW_LATENCY = 1 << 13  # linux/tty_flags.h
OPENS = """
import sys
from agent.driver import DriverError
from drivers.modbus.plan import SerialPort
from drivers.modbus.port import Port
direction = sys.argv[2] == "kernel"
try:
    Port(SerialPort(sys.argv[1], 9600, 8, "N", 1, "9600 8N1", direction=direction)).open()
except DriverError as error:
    print(error, error.action, sep="; ")
"""


def opened(path: Path, direction: str, **variables: str) -> str:
    """What a process says that opens the port; nothing where all went well."""
    ended = subprocess.run(
        [sys.executable, "-c", OPENS, str(path), direction],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stderr + ended.stdout


def test_a_port_that_cannot_switch_a_transmitter_is_refused_in_words(tmp_path: Path) -> None:
    with Pty(tmp_path / "line") as line:
        said = opened(line.path, "kernel")
    assert "has no transmitter that the kernel can switch" in said
    assert "Remove `direction: kernel`" in said


@pytest.mark.parametrize(
    ("direction", "asked"),
    [
        ("kernel", {"serial": LOW_LATENCY, "rs485": ENABLED | HIGH_WHILE_SENDING}),
        ("adapter", {"serial": LOW_LATENCY}),
    ],
)
def test_a_uart_that_can_is_asked_for_low_latency_and_only_where_wanted_for_direction(
    tmp_path: Path, direction: str, asked: dict[str, int]
) -> None:
    log = tmp_path / "log"
    with Pty(tmp_path / "line") as line:
        said = opened(line.path, direction, LD_PRELOAD=str(shim(UART)), UART_LOG=str(log))
    assert said == ""
    words = [row.split() for row in log.read_text().splitlines()]
    assert {what: int(flags, 16) for what, flags, *_ in words} == asked
    assert all(delays == ["0", "0"] for _, _, *delays in words)
