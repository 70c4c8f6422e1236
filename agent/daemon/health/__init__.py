"""What the gateway says about itself: facts in, words, score, problems and events out."""

from agent.daemon.health.facts import (
    Card,
    ClockFacts,
    Configuration,
    Machine,
    Memory,
    Power,
    Queue,
    Store,
    Surroundings,
    Throttling,
    Trial,
    Way,
)
from agent.daemon.health.journal import Event, Journal
from agent.daemon.health.report import Problem, Report
from agent.daemon.health.watch import LOOK_S, Health

__all__ = [
    "LOOK_S",
    "Card",
    "ClockFacts",
    "Configuration",
    "Event",
    "Health",
    "Journal",
    "Machine",
    "Memory",
    "Power",
    "Problem",
    "Queue",
    "Report",
    "Store",
    "Surroundings",
    "Throttling",
    "Trial",
    "Way",
]
