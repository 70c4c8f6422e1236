"""The way out: one lane per destination, one retry policy for all of them."""

from agent.daemon.uplink.comeback import Comeback
from agent.daemon.uplink.lane import Uplink

__all__ = ["Comeback", "Uplink"]
