"""How far a long search is: one line that is written over on a terminal, a few lines elsewhere."""

import sys

import click

from agent.cli.session import Session
from agent.cli.words import age
from agent.clock import SystemClock

WIDTH = 79
SETTLED = 5  # steps after which the pace is known
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


class Pace:
    """How long the rest will take: as long for each step as until now.

    Args:
        first_s: of each step, until that is known.
    """

    def __init__(self, first_s: float) -> None:
        self._clock = SystemClock()
        self._first_s = first_s
        self._began_s = self._clock.monotonic_s()
        self._done = 0

    def step(self) -> None:
        """One more is done."""
        self._done += 1

    def needs(self, left: int) -> str:
        """`3 min`, for so many."""
        each_s = self._first_s
        if self._done >= SETTLED:
            each_s = (self._clock.monotonic_s() - self._began_s) / self._done
        return age(left * each_s + 1)
