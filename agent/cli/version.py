"""`fieldpost version`."""

import platform
from importlib import metadata

from agent.cli.session import Session
from agent.cli.verb import verb


@verb("version", example="fieldpost version --json")
def version(session: Session) -> None:
    """Which fieldpost this is."""
    program = metadata.version("fieldpost")
    if session.json:
        session.document("version", {"version": program, "python": platform.python_version()})
        return
    session.write(f"fieldpost {program}   Python {platform.python_version()}")
