"""`fieldpost init`: a commented starter file, with the adapters that are plugged in now."""

import re
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from agent.cli.session import Session
from agent.cli.verb import verb
from agent.errors import BusyError

BY_ID = Path("/dev/serial/by-id")  # names that stay with the adapter, from udev
NAME_LENGTH = 3, 50  # of `site.id`

STARTER = """\
# Gateway configuration.  After editing:  fieldpost check   (nothing is applied)
#                                         sudo systemctl restart fieldpost
# All there is: /usr/share/fieldpost/gateway.yaml
version: 1

site:
  name: {name}
  id: {id}
  buffer: 2GB                    # card space for readings that are not delivered yet
  may_lose: 1s                   # a power cut loses at most the last second

# ---------------------------------------------------------------------------
# 1. WIRES AND RADIOS
# ---------------------------------------------------------------------------
connections:
{connections}
  # inverter-lan:
  #   kind: modbus-tcp
  #   host: 192.168.1.40         # port 502 unless you write 192.168.1.40:1502
  # radio:
  #   kind: bluetooth

# ---------------------------------------------------------------------------
# 2. DEVICES.   `fieldpost profiles` lists every meter and sensor we know.
# ---------------------------------------------------------------------------
devices:
  # oven-meter:
  #   profile: eastron-sdm120
  #   via: {first}
  #   address: 1                 # the number set on the meter
  #   every: 10s

# ---------------------------------------------------------------------------
# 3. CLOUD.   Every destination gets every reading.
# ---------------------------------------------------------------------------
cloud:
  # archive:
  #   kind: http
  #   url: https://ingest.example.com/v1/measurements
  #   token: secret:archive-token   # stored with:  fieldpost secret set archive-token

# ---------------------------------------------------------------------------
# 4. STATUS PAGE
# ---------------------------------------------------------------------------
status:
  listen: 127.0.0.1:8080         # this gateway only
  # who may log in:  fieldpost token add NAME --role viewer
"""

WIRE = """\
  wire-{number}:
    kind: modbus-rtu             # serial-lines, when it sends text on its own
    port: {port}
    line: 9600 8N1               # speed, data bits, parity (N/E/O), stop bits"""

NO_WIRE = """\
  # wire-1:                      # no serial adapter is plugged in now
  #   kind: modbus-rtu
  #   port: /dev/serial/by-id/...
  #   line: 9600 8N1             # speed, data bits, parity (N/E/O), stop bits"""


@verb("init", example="sudo fieldpost init\nfieldpost init gateway.yaml", reads=False)
@click.argument("file", type=click.Path(path_type=Path), required=False)
def init(session: Session, *, file: Path | None) -> None:
    """Write a commented starter file; never over one that is there."""
    path = file or session.config_path
    ports = sorted(BY_ID.iterdir()) if BY_ID.is_dir() else []
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as opened:
            opened.write(starter(socket.gethostname(), ports))
    except FileExistsError as error:
        message = f"{path} is there already; it stays as it is."
        raise BusyError(message, action=f"fieldpost check {path}") from error
    session.remark(f"Written: {path}\nNext: put your devices into it, then  fieldpost check {path}")


def starter(host: str, ports: Sequence[Path]) -> str:
    """The text, valid as it stands."""
    wires = "\n".join(_wires(ports)) or NO_WIRE
    return STARTER.format(name=host, id=_id(host), connections=wires, first="wire-1")


def _wires(ports: Sequence[Path]) -> Iterator[str]:
    for number, port in enumerate(ports, 1):
        yield WIRE.format(number=number, port=port)


def _id(host: str) -> str:
    """The host's name as a gateway id."""
    shortest, longest = NAME_LENGTH
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", host)[:longest]
    return name if len(name) >= shortest else f"gateway-{name}"
