"""The files of the demo's gateway: configuration, profiles and secrets in a temporary folder."""

import shutil
import socket
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from agent.demo.children import Paths
from agent.demo.instruments.places import ADDRESSES, COLD_ROOM, FREEZER, SHOP, Places
from agent.demo.recorded import Recorded

NONE = Recorded()
BUNDLE, KEY = "sandbox.zip", "freezer-key"
DEVICE_ID = "fp-demo-gateway"
PORT, PORTS = 8080, 20  # the page's own port, and how many after it are tried
RADIO = ("radio", SHOP, FREEZER, COLD_ROOM)
OWNER_ONLY_FILE, OWNER_ONLY_FOLDER = 0o600, 0o700


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not be readable by others.

    Attributes:
        bundle: zip of credentials for the sandbox.
        key: bind key of the freezer's sensor.
    """

    bundle: bytes
    key: bytes


def write(
    folder: Path, places: Places, secrets: Secrets, port: int, line: Recorded = NONE
) -> Paths:
    """Everything `fieldpost run` needs, below `folder`."""
    etc, state = folder / "etc", folder / "state"
    state.mkdir(mode=OWNER_ONLY_FOLDER)
    _copy_profiles(etc)
    config = etc / "gateway.yaml"
    config.write_text(configuration(places, port, line), encoding="utf-8")
    (etc / "secrets").mkdir(mode=OWNER_ONLY_FOLDER)
    for name, content in ((BUNDLE, secrets.bundle), (KEY, secrets.key.hex().encode())):
        path = etc / "secrets" / name
        path.touch(mode=OWNER_ONLY_FILE)
        path.write_bytes(content)
    return Paths(config, state, folder / "fieldpost.sock", folder / "daemon.log")


def configuration(places: Places, port: int, line: Recorded = NONE) -> str:
    """The demo's `gateway.yaml`; without a radio, what hangs on it is left out."""
    text = (files("agent.demo") / "files" / "gateway.yaml").read_text(encoding="utf-8")
    words = {
        "line": places.line,
        "inverter": places.inverter,
        "mast": places.mast,
        "logger": places.logger,
        "listen": f"127.0.0.1:{port}",
        "shop": ADDRESSES[SHOP],
        "freezer": ADDRESSES[FREEZER],
        "cold_room": ADDRESSES[COLD_ROOM],
    }
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    text = line.added_to(text)
    return text if places.bus else _without(text, RADIO)


def free_port() -> int:
    """8080 when nobody has it, else the next one that is free."""
    for port in range(PORT, PORT + PORTS):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return 0


def _copy_profiles(etc: Path) -> None:
    with as_file(files("agent.demo") / "files" / "profiles") as packaged:
        shutil.copytree(packaged, etc / "profiles")


def _without(text: str, names: tuple[str, ...]) -> str:
    """The text without the blocks of these names; blocks are separated by empty lines."""
    blocks = text.split("\n\n")
    kept = []
    for block in blocks:
        lines = [line for line in block.splitlines() if not line.startswith(("connections:", "#"))]
        if not any(lines[:1] == [f"  {name}:"] for name in names):
            kept.append(block)
    return "\n\n".join(kept)
