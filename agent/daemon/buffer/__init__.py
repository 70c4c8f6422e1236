"""The store of the gateway: accepted means kept, until every destination has it."""

from agent.daemon.buffer.buffer import Buffer
from agent.daemon.buffer.facts import DestinationFacts, Lane, Loss, StoreFacts, Waiting
from agent.daemon.buffer.outbox import Outbox

__all__ = ["Buffer", "DestinationFacts", "Lane", "Loss", "Outbox", "StoreFacts", "Waiting"]
