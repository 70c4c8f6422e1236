"""`fieldpost scan`: what is plugged in."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from agent.cli.scan_ble import ble
from agent.cli.scan_modbus import modbus
from agent.cli.session import Session
from agent.cli.verb import verb
from agent.prepare.compile import prepare

DEV, SYS = Path("/dev"), Path("/sys")
UNSTABLE = ("ttyUSB*", "ttyACM*", "ttyAMA*", "serial[0-9]")  # names that depend on the order


@dataclass(frozen=True, slots=True)
class Adapter:
    """One serial port.

    Attributes:
        port: the name to write into the file.
        by_path: a name that stays with the socket it is plugged into, or None.
        serial_number: of the adapter, or None: then two of a kind have one name.
        stable: the name stays with the adapter.
        used_by: the connection of the configuration that has it, or None.
    """

    port: str
    by_path: str | None
    serial_number: str | None
    stable: bool
    used_by: str | None


@click.group("scan")
def scan() -> None:
    """What is there to be connected."""


@verb("serial", example="fieldpost scan serial\nfieldpost scan serial --json")
def serial(session: Session) -> None:
    """Serial adapters by the names to write behind `port:`."""
    found = list(adapters(DEV, SYS, _taken(session.config_path)))
    if session.json:
        session.document("scan", {"adapters": [asdict(one) for one in found]})
        return
    if not found:
        session.write("No serial adapter is plugged in.")
    width = max((len(one.port) for one in found), default=0)
    for one in found:
        session.write(f"{one.port:<{width}}  {f'used by {one.used_by}' if one.used_by else 'free'}")
        for line in _remarks(one):
            session.write(f"   {line}")


scan.add_command(serial)
scan.add_command(modbus)
scan.add_command(ble)


def adapters(dev: Path, sys: Path, taken: Mapping[Path, str]) -> Iterator[Adapter]:
    """Every serial port, each under its most stable name.

    Args:
        dev: where udev makes the names, `/dev`.
        sys: where the kernel tells of the hardware, `/sys`.
        taken: real path of a port → the connection that has it.
    """
    stable = {path.resolve(): path for path in _inside(dev / "serial" / "by-id")}
    by_path = {path.resolve(): path for path in _inside(dev / "serial" / "by-path")}
    others = {path.resolve(): path for pattern in UNSTABLE for path in sorted(dev.glob(pattern))}
    for real in sorted({**others, **stable}, key=lambda p: str(stable.get(p, p))):
        place = by_path.get(real)
        yield Adapter(
            port=str(stable.get(real, others.get(real, real))),
            by_path=str(place) if place else None,
            serial_number=_serial_number(sys / "class" / "tty" / real.name / "device"),
            stable=real in stable,
            used_by=taken.get(real),
        )


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _serial_number(device: Path) -> str | None:
    """From the USB device above the port: the first folder that has a vendor."""
    for folder in (device.resolve(), *device.resolve().parents):
        if (folder / "idVendor").exists():
            number = folder / "serial"
            return (
                number.read_text(encoding="ascii", errors="replace").strip()
                if number.exists()
                else None
            )
    return None


def _remarks(one: Adapter) -> Iterator[str]:
    if not one.stable:
        yield "this name can change to another adapter after a reboot"
        if one.by_path:
            yield f"better: {one.by_path}"
    elif one.serial_number is None and one.by_path:
        yield "no serial number: two of these cannot be told apart; then use"
        yield one.by_path


def _taken(config: Path) -> Mapping[Path, str]:
    """The ports of a file that can be used."""
    plan = prepare(config, offline=True).plan
    if plan is None:
        return {}
    return {
        Path(one.place).resolve(): name
        for name, one in plan.connections.items()
        if one.place.startswith("/")
    }
