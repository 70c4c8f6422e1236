"""The technician's hands: one module per group of verbs; the only place that prints and exits.

`run` goes straight to the daemon: it lives for months and never holds a command line library.
"""

import sys
from typing import Any, cast

# structlog and httpx load these when they find them: 5 MB that nobody in the daemon uses
NEVER_RESIDENT = ("rich", "httpx._main")


def main() -> None:
    """The command `fieldpost`."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["run"]:
        for name in NEVER_RESIDENT:
            sys.modules[name] = cast("Any", None)  # makes their import an ImportError
        from agent.cli.run import run  # noqa: PLC0415  # loads the daemon, and nothing of click

        sys.exit(run(arguments[1:]))
    from agent.cli.app import command_line  # noqa: PLC0415  # loads click, which `run` must not

    sys.exit(command_line(arguments))
