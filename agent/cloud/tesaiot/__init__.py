"""`kind: tesaiot`: the platform, as it behaves."""

from agent.cloud.tesaiot.destination import open_cloud

__all__ = ["open_cloud"]
