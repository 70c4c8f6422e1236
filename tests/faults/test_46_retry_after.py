"""Fault 46: 429 or 503 with Retry-After: seconds, a date, and nonsense."""

import email.utils

import pytest

from agent.clock import SystemClock
from agent.cloud import Unreachable
from agent.cloud.http.answer import retry_after
from tests.cloud.records import batch
from tests.faults.clouds import http
from tests.lab.scripted import Scripted, always, reply

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


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_no_wish(text: str) -> None:
    assert retry_after(text, NOW_S) is None


def test_a_date_in_the_past_or_in_ten_years_is_no_wish() -> None:
    for away_s in (-60, 10 * 365 * 86_400):
        assert retry_after(email.utils.formatdate(NOW_S + away_s, usegmt=True), NOW_S) is None
