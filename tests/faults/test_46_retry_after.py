"""Fault 46: 429 or 503 with Retry-After: seconds, a date, and nonsense; and batches too large."""

import email.utils
from collections.abc import Callable, Iterable

import pytest

from agent.clock import SystemClock
from agent.cloud import Unreachable
from agent.cloud.http.answer import retry_after
from tests.cloud.records import batch
from tests.faults.clouds import http
from tests.faults.flaws import HEARS_NO_WISH, NEVER_SMALLER, WAITS_AS_TOLD
from tests.faults.road import COUNT, HOUR_S, SOUND, Archive, Build, over_http
from tests.lab.scripted import Asked, Piece, Scripted, always, reply

NOW_S = 1_795_000_000.0
NONSENSE = ["-5", "soon", "", "nan", "inf", "1e99", "315360000", "99999999999999999999"]


@pytest.mark.parametrize("status", [429, 503])
async def test_the_wish_travels_with_the_error(status: int) -> None:
    wish = always(*reply(status, b"", "text/plain", "Retry-After: 17"))
    async with Scripted(wish) as server, http(server.url) as cloud:
        with pytest.raises(Unreachable) as caught:
            await cloud.send(batch(1))
    assert caught.value.retry_after_s == 17


async def test_a_date_is_a_wish_as_well() -> None:
    at = email.utils.formatdate(SystemClock().now().wall_ns / 1e9 + 60, usegmt=True)
    wish = always(*reply(503, b"", "text/plain", f"Retry-After: {at}"))
    async with Scripted(wish) as server, http(server.url) as cloud:
        with pytest.raises(Unreachable) as caught:
            await cloud.send(batch(1))
    assert caught.value.retry_after_s is not None
    assert 50 < caught.value.retry_after_s <= 60


# what a server asks for: the pause it must get at least, and at most (with jitter on top)
PAUSES = {
    "17": (17, 17 + 17),
    "600": (600, 600 + 300),
    "7200": (HOUR_S, HOUR_S + 300),
    "-5": (0, 2),
    "315360000": (0, 2),
    "soon": (0, 2),
}


def after_a_wish(wish: str, build: Build) -> list[str]:
    """What is wrong with the pause between a request and the next."""
    archive = Archive()
    busy = archive.deaf(always(*reply(429, b"{}", "application/json", f"Retry-After: {wish}")))
    found: list[str] = over_http(archive, [busy], build, patience_s=3 * HOUR_S)
    least, most = PAUSES[wish]
    pause = archive.asked_s[1] - archive.asked_s[0] if len(archive.asked_s) > 1 else 1e9
    return found if least <= pause <= most + 1 else [*found, f"I6: {pause:.1f} s after {wish}"]


@pytest.mark.parametrize("wish", PAUSES)
def test_a_wish_is_granted_up_to_an_hour_and_nonsense_is_not_heard(wish: str) -> None:
    assert after_a_wish(wish, SOUND) == []


@pytest.mark.parametrize(
    ("wish", "build"),
    [("17", HEARS_NO_WISH), ("600", HEARS_NO_WISH), ("315360000", WAITS_AS_TOLD)],
)
def test_who_does_not_listen_or_believes_everything_is_caught(wish: str, build: Build) -> None:
    assert after_a_wish(wish, build) != []


TAKES = 12  # records at once
REQUESTS = 500  # more than an hour sees


def of_little_appetite(status: int, build: Build) -> tuple[list[str], list[int]]:
    """What is wrong after samples went to a server that takes few at once, and how many it saw."""
    archive, seen = Archive(), list[int]()

    def answer(asked: Asked) -> Iterable[Piece]:
        seen.append(len(asked.json()["records"]))
        if seen[-1] <= TAKES:
            return archive(asked)
        said = reply(status, b"{}", "application/json", "Retry-After: 17")
        return archive.deaf(always(*said))(asked)

    return over_http(archive, [answer] * REQUESTS, build), seen


@pytest.mark.parametrize("status", [429, 503, 413])
def test_what_is_too_much_again_and_again_goes_in_smaller_pieces(status: int) -> None:
    found, seen = of_little_appetite(status, SOUND)
    assert found == []
    refused = [size for size in seen if size > TAKES]
    assert refused == sorted(refused, reverse=True)  # never again what was too much
    assert len(refused) <= 1 + COUNT.bit_length()


@pytest.mark.parametrize("status", [429, 503])
def test_who_never_sends_less_is_caught(status: int) -> None:
    assert of_little_appetite(status, NEVER_SMALLER)[0] != []


def test_one_wish_for_less_may_mean_less_often_and_changes_no_batch() -> None:
    """Smaller requests are more requests: a limit on their number would only be hit more often."""
    archive = Archive()
    often = archive.deaf(always(*reply(429, b"{}", "application/json", "Retry-After: 17")))
    seen: list[bytes] = []

    def noted(answer: Callable[[Asked], Iterable[Piece]]) -> Callable[[Asked], Iterable[Piece]]:
        def heard(asked: Asked) -> Iterable[Piece]:
            seen.append(asked.body)
            return answer(asked)

        return heard

    assert over_http(archive, [noted(often), noted(archive)]) == []
    assert seen[0] == seen[1]
    assert len(seen) == 2


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_no_wish(text: str) -> None:
    assert retry_after(text, NOW_S) is None


def test_a_date_in_the_past_or_in_ten_years_is_no_wish() -> None:
    for away_s in (-60, 10 * 365 * 86_400):
        assert retry_after(email.utils.formatdate(NOW_S + away_s, usegmt=True), NOW_S) is None
