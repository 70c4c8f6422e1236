"""`fieldpost run`: the daemon. Reads its options itself: every option parser would stay in RAM.

Whatever is not plainly three options with a value (a typo, `--help`) is left to the command line,
which has better words for it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.client.paths import socket_path, state_dir
from agent.client.places import config_file

OPTIONS = ("--config", "--state", "--socket")


def options(arguments: Sequence[str]) -> Mapping[str, Path] | None:
    """The options by name, or None when there is anything else among them."""
    given: dict[str, Path] = {}
    waiting = [part for argument in arguments for part in _parts(argument)]
    while waiting:
        name = waiting.pop(0)
        if name not in OPTIONS or not waiting or waiting[0].startswith("--"):
            return None
        given[name] = Path(waiting.pop(0))
    return given


def run(given: Mapping[str, Path]) -> int:
    """Collect and send until told to stop; the exit code of section 8.3."""
    from agent.daemon.app import main  # noqa: PLC0415  # options are read without the daemon

    explicit = given.get("--state")
    state = state_dir(explicit)
    socket = socket_path(given.get("--socket"), explicit or state)
    return main(config_file(given.get("--config")), state, socket)


def _parts(argument: str) -> list[str]:
    """`--config=FILE` is `--config FILE`."""
    name, equals, value = argument.partition("=")
    return [name, value] if equals and name in OPTIONS else [argument]
