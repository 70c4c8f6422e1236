"""The closed sets of words in which health speaks; every surface shows the same ones."""

from collections.abc import Iterable
from enum import StrEnum


class Status(StrEnum):
    """Of the gateway and of each check: OK, ATTENTION, PROBLEM on the page."""

    PASS = "pass"  # noqa: S105 - a word of the health format, no password
    WARN = "warn"
    FAIL = "fail"


class DeviceState(StrEnum):
    """What is known of one device."""

    OK = "ok"
    LATE = "late"
    LOST = "lost"
    NEVER = "never"
    BAD_DATA = "bad-data"
    STARTING = "starting"
    OFF = "off"


class DestinationState(StrEnum):
    """What is known of one destination."""

    STARTING = "starting"
    OK = "ok"
    WAITING = "waiting"
    REFUSED = "refused"
    REJECTING = "rejecting"
    STALLED = "stalled"
    SLOW = "slow"
    USED_UP = "used-up"  # this month's budget


class Component(StrEnum):
    """What the score is made of."""

    UPTIME = "uptime"
    ERROR_RATE = "error_rate"
    FRESHNESS = "freshness"
    SENSOR_RANGE = "sensor_range"


class Cause(StrEnum):
    """Reasons of components beside those a driver gives (`agent.driver.Reason`)."""

    STEADY = "steady"
    NEW = "new"
    OUTAGES = "outages"
    CONNECTION_GONE = "connection_gone"
    NEVER_ANSWERED = "never_answered"
    CLEAN = "clean"
    FRESH = "fresh"
    LATE = "late"
    LOST = "lost"
    NEVER = "never"
    IN_RANGE = "in_range"
    NOT_MEASURED = "not_measured"


_ORDER = (Status.PASS, Status.WARN, Status.FAIL)


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of them; PASS when there is none."""
    return max(statuses, key=_ORDER.index, default=Status.PASS)
