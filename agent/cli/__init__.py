"""The technician's hands: one module per group of verbs; the only place that prints and exits.

`run` goes straight to the daemon: it lives for months and never holds a command line library.
"""

import sys
import traceback
from types import TracebackType
from typing import Any, cast

# structlog and httpx load these when they find them: 5 MB that nobody in the daemon uses
NEVER_RESIDENT = ("rich", "httpx._main")


def main() -> None:
    """The command `fieldpost`."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["run"]:
        for name in NEVER_RESIDENT:
            sys.modules[name] = cast("Any", None)  # makes their import an ImportError
        from agent.cli.run import options, run  # noqa: PLC0415  # nothing of click

        if (given := options(arguments[1:])) is not None:
            sys.exit(run(given))
    if not {"-v", "--verbose"} & set(arguments):
        sys.excepthook = unforeseen
    from agent.cli.app import command_line  # noqa: PLC0415  # loads click, which `run` must not

    sys.exit(command_line(arguments))


def unforeseen(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    """Say in two lines that this is our fault, instead of a page of Python."""
    last = traceback.extract_tb(where)[-1:]
    place = f" ({last[0].filename}:{last[0].lineno})" if last else ""
    sys.stderr.write(f"This is a fault of fieldpost itself: {kind.__name__}: {error}{place}\n")
    sys.stderr.write("  Please report it; the same command with -v shows the whole way to it.\n")
