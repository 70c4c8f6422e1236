"""`kind: mqtt`: any broker."""

from agent.cloud.mqtt.destination import open_cloud

__all__ = ["open_cloud"]
