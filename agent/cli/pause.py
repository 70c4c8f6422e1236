"""Waiting on the command line; Ctrl-C ends it at once."""

from select import select


def pause(seconds: float) -> None:
    """Do nothing for so long."""
    select([], [], [], seconds)
