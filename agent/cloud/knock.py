"""Is anybody there? For a destination that has nothing to say yet, and so would not notice."""

import asyncio
import contextlib
import os
import socket
import urllib.request

from agent.cloud import Place, Unreachable

PATIENCE_S = 3.0


async def knock(place: Place) -> Unreachable | None:
    """Open a connection and close it; says nothing, and proves nothing but that somebody listens.

    Returns:
        Why nobody can be there: refused, or no such name. A silence is no proof, and behind a proxy
        nothing can be said.
    """
    if place.web and urllib.request.getproxies():
        return None
    try:
        async with asyncio.timeout(PATIENCE_S):
            _, writer = await asyncio.open_connection(place.host, place.port)
    except TimeoutError:
        return None
    except OSError as error:
        return Unreachable(f"{place.host}:{place.port} cannot be reached ({_words(error)})")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return None


def _words(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return error.strerror or "no such name"
    return os.strerror(error.errno) if error.errno else str(error)
