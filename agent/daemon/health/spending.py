"""What of a destination runs out: the month's budget, certificates, the trust in an account."""

from collections.abc import Iterator

from agent.clock import iso
from agent.cloud import Ends
from agent.daemon.health.facts import Way
from agent.daemon.health.report import Problem
from agent.daemon.health.words import Status
from agent.daemon.uplink.budget import Spending
from agent.plan import Json

NEARLY = 0.8  # of the budget: time to do something about it
RAISE = (
    "Wait for the new month, or raise `budget` of this destination, then: "
    "fieldpost check && sudo systemctl restart fieldpost"
)
CERTIFICATE_DAYS = (30, 14, 7)  # a warning at each of them
SERVER_DAYS = 2  # servers renew theirs by themselves, the shortest-lived two days before the end
DAY_NS = 86_400_000_000_000
SIZES = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def of_budget(name: str, way: Way) -> Iterator[Problem]:
    """A budget that is nearly used up; one that is, is the destination's state."""
    spending = way.spending
    if spending is None or way.used_up or spending.used_bytes < NEARLY * spending.allowed_bytes:
        return
    message = f"{name}: soon only alarms are sent, {used(way)}."
    yield Problem("FP-U10", Status.WARN, "destination", "nearly-used-up", name, message, RAISE)


def as_json(spending: Spending | None) -> Json | None:
    """As every surface has it."""
    if spending is None:
        return None
    resets_ns = spending.resets_ns
    return {
        "used_bytes": spending.used_bytes,
        "allowed_bytes": spending.allowed_bytes,
        "resets_at": None if resets_ns is None else iso(resets_ns),
    }


def of_certificates(name: str, ends: Ends, wall_ns: int) -> Iterator[Problem]:
    """Certificates that run out, or have."""
    if ends.own is not None and (days := (ends.own - wall_ns) // DAY_NS) <= CERTIFICATE_DAYS[0]:
        # at 30, 14 and 7 days it is another event, and so it is said again
        passed = (mark for mark in reversed(CERTIFICATE_DAYS) if days <= mark)
        word = "certificate-expired" if days < 0 else f"certificate-{next(passed)}"
        message = f"{name}: its certificate {_left(days)}."
        action = "Renew it in the portal, then: fieldpost enroll"
        yield Problem("FP-U08", _status(days), "destination", word, name, message, action)
    if ends.server is not None and (days := (ends.server - wall_ns) // DAY_NS) < SERVER_DAYS:
        message = f"{name}: the certificate that its server shows {_left(days)}."
        action = "Tell whoever runs it; nothing is to be done on this gateway"
        word = "server-certificate"
        yield Problem("FP-U11", _status(days), "destination", word, name, message, action)


def used(way: Way) -> str:
    """How much of the budget is used, and when there is a new one."""
    spending = way.spending
    if spending is None:
        return "no budget is set"
    text = f"{_size(spending.used_bytes)} of this month's {_size(spending.allowed_bytes)} are used"
    if spending.resets_ns is None:
        return f"{text} and the clock cannot tell when the next month begins"
    return f"{text}; the next month begins at {iso(spending.resets_ns)[:16].replace('T', ' ')} UTC"


def shut_out(way: Way) -> str:
    """Which accounts are not let in, and what is said of the first."""
    if not way.shut_out:
        return "the key is not accepted"
    reason = next(iter(way.shut_out.values())).message
    return f"the account {' and '.join(way.shut_out)} is not let in, the others are ({reason})"


def mend(way: Way) -> str | None:
    """What to do about the first account that is not let in."""
    return next((why.action for why in way.shut_out.values()), None)


def _left(days: int) -> str:
    return "has expired" if days < 0 else f"runs out in {days} days"


def _status(days: int) -> Status:
    return Status.FAIL if days < 0 else Status.WARN


def _size(number: int) -> str:
    unit, name = next((each for each in SIZES if number >= each[0]), SIZES[-1])
    return f"{number / unit:.3g} {name}"
