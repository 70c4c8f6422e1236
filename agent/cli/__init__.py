"""The technician's hands: one module per group of verbs; the only place that prints and exits.

`run` goes straight to the daemon: it lives for months and never holds a command line library.
"""

import sys


def main() -> None:
    """The command `fieldpost`."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["run"]:
        from agent.cli.run import run  # noqa: PLC0415  # loads the daemon, and nothing of click

        sys.exit(run(arguments[1:]))
    from agent.cli.app import command_line  # noqa: PLC0415  # loads click, which `run` must not

    sys.exit(command_line(arguments))
