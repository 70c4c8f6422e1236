"""Opening a port: what it cannot do is said, in a process that has imported nothing else."""

import subprocess
import sys
from pathlib import Path

from tests.lab.pty import Pty

OPENS = """
import sys
from agent.driver import DriverError
from drivers.modbus.plan import SerialPort
from drivers.modbus.port import Port
try:
    Port(SerialPort(sys.argv[1], 9600, 8, "N", 1, "9600 8N1", direction=True)).open()
except DriverError as error:
    print(error, error.action, sep="; ")
"""


def test_a_port_that_cannot_switch_a_transmitter_is_refused_in_words(tmp_path: Path) -> None:
    with Pty(tmp_path / "line") as line:
        opened = subprocess.run(
            [sys.executable, "-c", OPENS, line.path], capture_output=True, text=True, check=False
        )
    assert opened.stderr == ""
    assert "has no transmitter that the kernel can switch" in opened.stdout
    assert "Remove `direction: kernel`" in opened.stdout
