"""A small aarch64 machine under qemu: real serial drivers, real mounts, a plug that can be pulled.

`power_cut` is SIGKILL for qemu: what the guest had not given to its disk is gone. Everything is
emulated, so a boot takes half a minute and nothing is as fast as it should be.

Its ports: /dev/ttyAMA0 a PL011 (as on a Raspberry Pi; its driver switches an RS-485 transmitter),
/dev/ttyS0 a 16550, and two FTDI adapters to plug in. What is on the other side of each is a Unix
socket, which carries bytes at once: no speed, no parity, no levels.
"""

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from tests.lab.guest.image import images

BOOT_S: Final = 180.0
PORTS: Final = ("ttyAMA0", "ttyS0", "usb0", "usb1")
KERNEL: Final = (
    "console=hvc0 root=/dev/vda rw quiet mitigations=off audit=0 net.ifnames=0 "
    "systemd.show_status=0 panic=-1"
)


@dataclass(frozen=True, slots=True)
class Done:
    """A command that was run in the guest."""

    code: int
    out: str
    err: str


class Guest:
    """One machine on a disk of its own; `with`, and it is gone afterwards.

    Args:
        share: a folder of this machine that is /host in the guest.
        cloud_port: what answers here when the guest asks 127.0.0.1:8081.
        clock: `-rtc` of qemu; `base=1970-01-01` has no battery.
    """

    def __init__(self, share: Path, cloud_port: int, clock: str = "base=utc") -> None:
        self.clock, self.boot_s = clock, 0.0
        self._images, self._share, self._cloud_port = images(), share, cloud_port
        # not below pytest's folder: the path of a socket has at most 107 characters
        self._folder = Path(tempfile.mkdtemp(prefix="guest-"))
        self._qemu: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def __enter__(self) -> Self:
        made = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw"]
        base = str(self._images / "base.ext4")
        subprocess.run([*made, "-b", base, str(self._disk)], check=True)
        try:
            self.boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _disk(self) -> Path:
        return self._folder / "disk.qcow2"

    def boot(self) -> None:
        """Switch it on; returns when commands are taken, long before everything has started."""
        began = time.monotonic()
        (self._folder / "ctl").unlink(missing_ok=True)
        with (self._folder / "qemu.err").open("ab") as errors:
            self._qemu = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
            )
        self._control = self._connected("ctl", began + BOOT_S)
        self._answers = self._control.makefile("rb")
        self._answer(BOOT_S)  # it says that it is ready
        self.sh("mountpoint -q /host || mount /host")
        self.boot_s = time.monotonic() - began

    def power_cut(self) -> None:
        """Pull the plug."""
        assert self._qemu is not None
        self._qemu.kill()
        self._qemu.wait()
        if self._control is not None:
            self._control.close()

    def close(self) -> None:
        """End it, and its disk."""
        if self._qemu is not None:
            self.power_cut()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, command: str, timeout_s: float = 60) -> Done:
        """Run shell text as root."""
        assert self._control is not None
        request = json.dumps({"command": command, "timeout_s": timeout_s})
        self._control.sendall(request.encode() + b"\n")
        return Done(**self._answer(timeout_s + 30))

    def sh(self, command: str, timeout_s: float = 60) -> str:
        """Run shell text of which every command has to succeed; what it printed."""
        done = self.run(f"set -e; {command}", timeout_s)
        assert done.code == 0, f"{command}: {done.code}\n{done.out}{done.err}"
        return done.out.strip()

    def until(self, condition: str, within_s: int = 30) -> str:
        """Wait for a condition in shell text; what it printed when it held."""
        loop = f"end=$((SECONDS+{within_s})); until {{ {condition}\n}}; do"
        done = self.run(f"{loop} [ $SECONDS -lt $end ] || exit 99; sleep .2; done", within_s + 30)
        journal = "journalctl --no-pager -o cat -n 30"
        assert done.code == 0, f"not within {within_s} s: {condition}\n{self.run(journal).out}"
        return done.out.strip()

    def wire(self, port: str) -> Path:
        """The socket on the other side of one of `PORTS`."""
        return self._folder / port

    def plug(self, port: str, serial: str) -> None:
        """Put an FTDI adapter with this serial number in."""
        adapter = {"chardev": port, "bus": "usb.0", "serial": serial, "always-plugged": True}
        self._ask("device_add", driver="usb-serial", id=port, **adapter)

    def unplug(self, port: str) -> None:
        """Pull it out."""
        self._ask("device_del", id=port)

    def send_break(self, port: str) -> None:
        """What a line says that is held down for longer than a character."""
        self._ask("chardev-send-break", id=port)

    def _command(self) -> list[str]:
        def at(name: str) -> str:
            return f"socket,id={name},path={self._folder / name},server=on,wait=off"

        forward = f"tcp:10.0.2.100:8081-cmd:socat STDIO TCP:127.0.0.1:{self._cloud_port}"
        chardevs = [word for name in (*PORTS, "ctl") for word in ("-chardev", at(name))]
        return [
            *("qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72", "-smp", "2"),
            *("-accel", "tcg,thread=multi", "-m", "1024", "-rtc", self.clock),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-kernel", str(self._images / "vmlinuz")),
            *("-initrd", str(self._images / "initrd.gz"), "-append", KERNEL),
            *("-qmp", f"unix:{self._folder / 'qmp'},server=on,wait=off"),
            *("-chardev", f"file,id=console,path={self._folder / 'console'}", *chardevs),
            *("-serial", "chardev:ttyAMA0", "-device", "pci-serial,chardev=ttyS0"),
            *("-device", "virtio-serial-pci", "-device", "virtconsole,chardev=console"),
            *("-device", "virtserialport,chardev=ctl,name=lab.ctl"),
            *("-drive", f"file={self._disk},if=virtio,format=qcow2,cache=none"),
            *("-fsdev", f"local,id=host,path={self._share},security_model=none,multidevs=remap"),
            *("-device", "virtio-9p-pci,fsdev=host,mount_tag=host"),
            *(
                "-device",
                "qemu-xhci,id=usb",
                "-netdev",
                f"user,id=n,restrict=on,guestfwd={forward}",
            ),
            *("-device", "virtio-net-pci,netdev=n,romfile="),
        ]

    def _connected(self, name: str, deadline: float) -> socket.socket:
        assert self._qemu is not None
        end = socket.socket(socket.AF_UNIX)
        while time.monotonic() < deadline and self._qemu.poll() is None:
            try:
                end.connect(str(self._folder / name))
            except OSError:
                time.sleep(0.05)  # noqa: TID251 - nothing else runs here
            else:
                return end
        raise AssertionError((self._folder / "qemu.err").read_text())

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        assert self._control is not None
        self._control.settimeout(timeout_s)
        line = self._answers.readline()
        assert line, "the guest went away: " + (self._folder / "console").read_text()[-2000:]
        return dict(json.loads(line))

    def _ask(self, execute: str, **arguments: Any) -> Mapping[str, Any]:
        """One order for qemu itself."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self._folder / "qmp"))
            stream = monitor.makefile("rwb", buffering=0)
            stream.readline()  # its greeting
            answer: dict[str, Any] = {}
            for order in (
                {"execute": "qmp_capabilities"},
                {"execute": execute, "arguments": arguments},
            ):
                stream.write(json.dumps(order).encode() + b"\n")
                while not (answer := json.loads(stream.readline())).keys() & {"return", "error"}:
                    pass  # events come in between
        assert "error" not in answer, f"{execute}: {answer}"
        return answer
