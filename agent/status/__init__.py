"""The status service: the page, the read-only API and the metrics, while somebody looks.

It holds no device, no uplink key and no database: it asks the daemon's socket and renders.
"""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped, or until nobody has asked for two minutes (socket activation).

    Returns:
        The exit code: 0 stopped or idle, 2 wrong usage, 78 not to be served like this.
    """
    from agent.status.service import serve  # noqa: PLC0415 - importing the package must stay cheap

    return serve(sys.argv[1:] if arguments is None else arguments)
