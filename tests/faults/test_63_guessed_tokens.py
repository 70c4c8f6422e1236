"""Fault 63: no token, wrong tokens, ten thousand guesses, and what their timing would tell."""

import hashlib
import hmac
import sys
from collections.abc import Callable
from types import FrameType

import pytest

from agent.client import Role
from agent.plan import Json
from agent.status.door import Door
from agent.status.identity import LOCAL, Doorkeeper, Identity
from agent.status.limits import MINUTE_S, WAIT_MAX_S, Guesses
from agent.status.refusal import Code, Refusal, unauthorized
from agent.status.witness import REFUSALS, Witness
from tests.status.conftest import Service
from tests.status.gatewaytwin import TOKENS, GatewayTwin

GUESSES = 10_000
EVERY_S = 0.1  # a guesser who waits for the answer, and asks again
HOURS = GUESSES * EVERY_S / 3600


class Hand:
    """Seconds that pass when told."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Keeper:
    """The daemon, as the door asks it."""

    def __init__(self, twin: GatewayTwin) -> None:
        self._verbs = twin.verbs()

    async def call(self, verb: str, args: Json | None = None) -> Json:
        return await self._verbs[verb].answer(args or {}, None)  # type: ignore[arg-type]  # no peer is looked at


class Patient(Guesses):
    """Broken: nobody ever waits."""

    def wait_s(self, key: str) -> float:
        del key
        return 0.0


class Plain(Doorkeeper):
    """Broken: compared letter by letter, and only where there is such an id."""

    async def identify(self, token: str) -> Identity:
        match = LOCAL.fullmatch(token)
        known = await self._known(match[1]) if match else None
        if known is None or hashlib.sha256(token.encode()).hexdigest() != known["sha256"]:
            raise unauthorized()
        return Identity(known["id"], known["name"], Role.VIEWER)


def door(twin: GatewayTwin, now: Hand, guesses: type[Guesses] = Guesses) -> Door:
    keeper = Keeper(twin)
    made = Door(Doorkeeper(keeper, None, now), Witness(keeper, now), now)
    made._guesses = guesses(now)  # noqa: SLF001 - a broken part is put in openly
    return made


def of_one_token(number: int) -> str:
    """The same id again and again, its secret guessed."""
    return f"fp_adminx23_{number:043}"


def of_many(number: int) -> str:
    """Another id every time."""
    return f"fp_{number:08}_{number:043}"


async def judged(gate: Door, now: Hand, guess: Callable[[int], str], peer: str) -> int:
    """How many of ten thousand guesses were compared with anything at all."""
    compared = 0
    for number in range(GUESSES):
        try:
            await gate.open("/api/v1/status", guess(number), peer, {})
        except Refusal as error:
            compared += error.word is Code.UNAUTHORIZED
        now.now_s += EVERY_S
    return compared


@pytest.mark.parametrize("guesses", [Guesses, Patient])
@pytest.mark.parametrize("guess", [of_one_token, of_many])
@pytest.mark.parametrize("peer", ["127.0.0.1", "192.168.1.77"])
async def test_ten_thousand_guesses_hardly_get_to_be_compared(
    twin: GatewayTwin, guesses: type[Guesses], guess: Callable[[int], str], peer: str
) -> None:
    now = Hand()
    gate = door(twin, now, guesses)
    compared = await judged(gate, now, guess, peer)
    if peer == "127.0.0.1" and guess is of_many:  # all share an address: the door as a whole
        assert (compared <= 60 * (GUESSES * EVERY_S / MINUTE_S + 1)) is (guesses is Guesses)
    else:  # each failure doubles the wait: 2**10 s are more than the quarter of an hour
        assert (compared <= 6 + 10 + HOURS * 3600 / WAIT_MAX_S + 1) is (guesses is Guesses)


async def test_who_holds_a_good_token_comes_in_meanwhile(twin: GatewayTwin) -> None:
    now = Hand()
    gate = door(twin, now)
    good = TOKENS[Role.VIEWER]
    await gate.open("/api/v1/status", good, "127.0.0.1", {})
    for number in range(500):
        with pytest.raises(Refusal):
            await gate.open("/api/v1/status", of_many(number), "127.0.0.1", {})
    who = await gate.open("/api/v1/status", good, "127.0.0.1", {})
    assert who.role is Role.VIEWER


async def test_the_audit_log_has_the_first_of_each_minute_and_no_token(twin: GatewayTwin) -> None:
    twin.noted.clear()
    now = Hand()
    await judged(door(twin, now, Patient), now, of_many, "192.168.1.77")
    lines, minutes = str(twin.noted), GUESSES * EVERY_S / MINUTE_S
    assert REFUSALS <= len(twin.noted) <= REFUSALS * (minutes + 1)
    assert all(line["what"] == "token.refused" for line in twin.noted)
    assert "http 192.168.1.77" in lines
    assert not any(of_many(number) in lines for number in range(100))


async def compares(keeper: Doorkeeper, token: str) -> int:
    """How often a token is held against a hash in constant time."""
    seen = 0

    def look(_frame: FrameType, event: str, what: object) -> None:
        nonlocal seen
        seen += event == "c_call" and what is hmac.compare_digest

    sys.setprofile(look)
    try:
        await keeper.identify(token)
    except Refusal:
        pass
    finally:
        sys.setprofile(None)
    return seen


@pytest.mark.parametrize("build", [Doorkeeper, Plain])
async def test_a_wrong_token_takes_as_long_whether_or_not_there_is_such_an_id(
    twin: GatewayTwin, build: type[Doorkeeper]
) -> None:
    keeper = build(Keeper(twin), None, Hand())
    tokens = (TOKENS[Role.ADMIN], of_one_token(1), of_many(1))
    counts = [await compares(keeper, token) for token in tokens]
    assert (counts == [1, 1, 1]) is (build is Doorkeeper)


@pytest.mark.parametrize("header", [None, "Bearer fp_nobody22_" + "x" * 43, "Bearer x"])
async def test_every_route_of_the_api_asks_for_a_token(
    service: Service, header: str | None
) -> None:
    for path in ("status", "health", "devices", "destinations", "queue", "tokens", "audit", "x"):
        given = {"Authorization": header} if header else {}
        answer = await service.get(f"/api/v1/{path}", None, given)
        assert answer.status_code in (401, 429)
        assert answer.json()["error"]["code"] in ("UNAUTHORIZED", "RATE_LIMITED")
