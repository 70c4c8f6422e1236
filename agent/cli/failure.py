"""What an error becomes on a screen: one sentence, what to do about it, and an exit code."""

import sys
from collections.abc import Mapping

import click
import orjson

from agent.client.places import PLAIN, in_full
from agent.driver import COME_BACK, ConnectionState, DriverError
from agent.errors import FieldpostError, ForbiddenError

FOUND = 1  # `check` or `doctor` found errors
USAGE = 2
FORBIDDEN = 5
BUSY = 6
TEMPORARY = 75  # EX_TEMPFAIL: may work when tried again
BAD_CONFIGURATION = 78  # EX_CONFIG
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
PLUG_IN = "Plug it in, and try again."  # the daemon waits for it; a command has ended


class BadConfigurationError(FieldpostError):
    """The file cannot be used, and something needs it."""

    code = "CONFIG_REJECTED"


# By the code of an error; every other one is TEMPORARY.
EXITS: Mapping[str, int] = {
    "AGENT_UNAVAILABLE": 3,
    "DEVICE_NO_ANSWER": 4,
    "FORBIDDEN": FORBIDDEN,
    "BUSY": BUSY,
    "CONFIG_REJECTED": BAD_CONFIGURATION,
    "BUNDLE": FOUND,
    "DEVICE_NOT_FOUND": USAGE,
    "EDIT": USAGE,
    "NOT_FOUND": USAGE,
    "NOT_WRITABLE": USAGE,
    "VALIDATION_ERROR": USAGE,
}


class Failure(Exception):
    """A command that could not do what it was asked.

    Args:
        json: say it for programs.
        command: what to type before a verb that is to mean the same gateway.
    """

    def __init__(self, error: FieldpostError, *, json: bool, command: str = PLAIN) -> None:
        super().__init__(error.message)
        action = PLUG_IN if error.action == COME_BACK else error.action
        self._action = in_full(action, command) if action else None
        self.code = exit_code(error)
        self._error = error
        self._json = json

    def show(self) -> None:
        """Print it on standard error."""
        click.echo(self._document() if self._json else self._sentence(), err=True)

    def _sentence(self) -> str:
        action = f"\n  {self._action}" if self._action else ""
        return f"{self._error.message}{action}"

    def _document(self) -> str:
        error = self._error
        said = {"code": error.code, "message": error.message, "action": self._action}
        return orjson.dumps({"schema": "fieldpost.error/1", **said}).decode()


def exit_code(error: FieldpostError) -> int:
    """The exit code for this kind of error."""
    if isinstance(error, DriverError) and error.state is ConnectionState.BUSY:
        return BUSY
    return EXITS.get(error.code, TEMPORARY)


def from_system(error: OSError) -> FieldpostError:
    """What the operating system refused, in words."""
    what = error.filename if isinstance(error.filename, str) else "a file"
    message = f"{what}: {error.strerror or error}"
    if isinstance(error, PermissionError):
        return ForbiddenError(message, action="Run it again with sudo")
    return FieldpostError(message)


def stop_quietly() -> int:
    """Whoever read our output has left (`| head`): nothing to say, and nothing to flush later."""
    sys.stdout = None
    return 0
