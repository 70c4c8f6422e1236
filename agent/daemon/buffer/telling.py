"""What the store says of itself: changes of its state as events, its destinations in figures."""

from collections.abc import Mapping

from agent import logging
from agent.daemon.buffer.facts import DestinationFacts
from agent.daemon.buffer.model import Count, Cursor
from agent.daemon.buffer.orders import Done

log = logging.get("buffer")


def tell(done: Done, was_broken: str | None) -> None:
    """What a transaction met; the same once, not each time."""
    if done.trouble:
        log.warning(
            "The disk answered with an error; nothing is lost.",
            event_type="store.trouble",
            error=done.trouble,
        )
    if done.broken and was_broken is None:
        log.error(
            "The disk does not take the samples; they are kept in RAM.",
            event_type="store.broken",
            error=done.broken,
        )
    elif was_broken and not done.broken:
        log.warning("The disk takes samples again.", event_type="store.recovered")


def facts_of(cursor: Cursor, accepted: Count, lost: Mapping[str, int]) -> DestinationFacts:
    """One destination in figures.

    Args:
        cursor: where it is.
        accepted: by the store in its life.
        lost: readings by reason, as the ledger has them.
    """
    return DestinationFacts(
        accepted=(accepted - cursor.since).readings,
        accepted_samples=(accepted - cursor.since).samples,
        delivered=cursor.delivered.readings,
        rejected=cursor.rejected.readings,
        lost=cursor.lost.readings,
        waiting=cursor.waiting(accepted).readings,
        lost_by_reason=lost,
    )
