"""What a connection measured of itself, as the snapshot has it."""

from agent.driver import Figures
from agent.driver.figures import EDGES_S
from agent.plan import Json


def measured(figures: Figures | None) -> Json:
    """Of one connection; null is not measured, or not open."""
    if figures is None:
        return {"busy_ratio": None, "overruns_total": None, "polls": None, "by_device": {}}
    polls = {
        "edges_s": list(EDGES_S),
        "counts": list(figures.polls),
        "total_s": round(figures.polls_s, 3),
    }
    return {
        "busy_ratio": round(figures.busy, 4),
        "overruns_total": figures.overruns,
        "polls": polls if figures.polls else None,
        "by_device": {name: _part(figures, name) for name in figures.shares},
    }


def _part(figures: Figures, device: str) -> Json:
    """What one device costs its connection, and why."""
    latency_s = figures.latency_s.get(device)
    return {
        "busy_ratio": round(figures.shares[device], 4),
        "latency_ms": None if latency_s is None else round(latency_s * 1000, 1),
        "refused": list(figures.refused.get(device, ())),
    }


def answer_ms(figures: Figures | None, device: str) -> float | None:
    """How long a device usually takes to answer."""
    answer_s = figures.answers_s.get(device) if figures else None
    return None if answer_s is None else round(answer_s * 1000, 1)
