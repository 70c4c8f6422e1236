"""`fieldpost run` as a line of the help: the way it is really started is `agent.cli.run`."""

from agent.cli.session import Session
from agent.cli.verb import verb
from agent.client import socket_path, state_dir


@verb("run", example="fieldpost run --config gateway.yaml --state DIR", reads=False)
def run(session: Session) -> int:
    """The daemon; what the systemd unit starts."""
    from agent.daemon.app import main  # noqa: PLC0415  # the list of verbs needs no daemon

    state = state_dir(session.state)
    return main(session.config_path, state, socket_path(session.socket, session.state or state))
