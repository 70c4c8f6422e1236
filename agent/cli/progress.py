"""How far a long search is: one line that is written over on a terminal, a few lines elsewhere."""

import sys

import click

from agent.cli.session import Session
from agent.clock import SystemClock

WIDTH = 79
AGAIN_S = 0.2  # between two looks at the line; more often nobody reads


class Progress:
    """The line below the answers."""

    def __init__(self, session: Session) -> None:
        self._live = sys.stderr.isatty() and not session.quiet and not session.plain
        self._session = session
        self._clock = SystemClock()
        self._shown_s = 0.0
        self._last = ""

    def tell(self, part: str, text: str) -> None:
        """What is being done.

        Args:
            part: changes rarely: all that is said where the line cannot be written over.
            text: changes all the time.
        """
        if not self._live:
            if part != self._last:
                self._session.remark(f"{part} ...")
                self._last = part
        elif self._clock.monotonic_s() - self._shown_s > AGAIN_S:
            self._shown_s = self._clock.monotonic_s()
            self._write(f"{part}  {text}")

    def clear(self) -> None:
        """Make room for an answer."""
        if self._live:
            self._write("")

    def _write(self, text: str) -> None:
        click.echo(f"\r{text[:WIDTH]:<{WIDTH}}\r{text[:WIDTH]}", nl=False, err=True)
