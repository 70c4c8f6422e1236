"""The store of the gateway: accepted means kept, until every destination has it."""

from agent.daemon.buffer.buffer import Buffer
from agent.daemon.buffer.facts import DestinationFacts, Lane, Loss, StoreFacts, Waiting
from agent.daemon.buffer.model import LossEntry
from agent.daemon.buffer.outbox import Outbox
from agent.daemon.buffer.shown import Held, LostLine, SetAside
from agent.daemon.buffer.views import Backlog

__all__ = [
    "Backlog",
    "Buffer",
    "DestinationFacts",
    "Held",
    "Lane",
    "Loss",
    "LossEntry",
    "LostLine",
    "Outbox",
    "SetAside",
    "StoreFacts",
    "Waiting",
]
