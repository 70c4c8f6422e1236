"""Where the configuration is, and how a command is told of one that lies elsewhere."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

from agent.client.paths import SOCKET_NAME, SYSTEM_SOCKET, usual_state

SYSTEM_CONFIG = Path("/etc/fieldpost/gateway.yaml")
OWN_CONFIG = ".config/fieldpost/gateway.yaml"
PLAIN = "fieldpost"
_VERB = re.compile(r"\bfieldpost (?=[a-z])")


def config_file(explicit: Path | None = None) -> Path:
    """`--config` comes before `$FIELDPOST_CONFIG`, one's own file and the system's."""
    if explicit is not None:
        return explicit
    if named := os.environ.get("FIELDPOST_CONFIG"):
        return Path(named)
    return _usual()


def command(config: Path, state: Path | None = None, socket: Path | None = None) -> str:
    """What to type before a verb that is to mean this file: `fieldpost`, with `--config` if needed.

    The environment does not count: `sudo` would not pass it on.

    Args:
        config: the file.
        state: of the daemon that is meant, where one is.
        socket: likewise.
    """
    words = [PLAIN]
    if config.absolute() != _usual():
        words += ["--config", shlex.quote(str(config))]
    if state is not None and socket is not None:
        words += _way(state, socket)
    return " ".join(words)


def spelled(told: Any, command: str) -> Any:
    """The same document with its commands below `action` as they have to be typed."""
    if command == PLAIN:
        return told
    if isinstance(told, dict):
        return {
            key: in_full(value, command)
            if key == "action" and isinstance(value, str)
            else spelled(value, command)
            for key, value in told.items()
        }
    return [spelled(each, command) for each in told] if isinstance(told, list | tuple) else told


def in_full(sentence: str, command: str) -> str:
    """A sentence whose commands have the options that they need on this gateway.

    One that names the file itself needs none.
    """
    if any(path in sentence for path in shlex.split(command)[2::2]):
        return sentence
    return _VERB.sub(lambda _: f"{command} ", sentence)


def _way(state: Path, socket: Path) -> list[str]:
    """The options without which a command would not find the daemon."""
    if socket == SYSTEM_SOCKET:
        return []
    if socket != state / SOCKET_NAME:
        return ["--socket", shlex.quote(str(socket))]
    found = state == usual_state() and not SYSTEM_SOCKET.exists()
    return [] if found else ["--state", shlex.quote(str(state))]


def _usual() -> Path:
    own = Path.home() / OWN_CONFIG
    return (
        own if os.geteuid() != 0 and (own.exists() or not SYSTEM_CONFIG.exists()) else SYSTEM_CONFIG
    )
