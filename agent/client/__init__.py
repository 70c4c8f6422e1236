"""The daemon's socket, seen from outside: whoever talks to the daemon does it through here.

`Client` is for asyncio, `BlockingClient` for the command line. The first is imported when somebody
asks for it: asyncio takes as long to load as everything else a command needs.
"""

from typing import TYPE_CHECKING, Any

from agent.client.blocking import BlockingClient
from agent.client.paths import socket_path, state_dir
from agent.client.role import Role

if TYPE_CHECKING:
    from agent.client.asynchronous import Client

__all__ = ["BlockingClient", "Client", "Role", "socket_path", "state_dir"]


def __getattr__(name: str) -> Any:
    """Load the asyncio client at its first use (PEP 562)."""
    if name == "Client":
        from agent.client.asynchronous import Client  # noqa: PLC0415  # the reason stands above

        return Client
    message = f"module 'agent.client' has no attribute {name!r}"
    raise AttributeError(message)
