"""Everything over HTTP: the one client, and the destination `kind: http`."""

from agent.cloud.http.destination import open_cloud

__all__ = ["open_cloud"]
