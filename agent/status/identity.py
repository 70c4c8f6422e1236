"""Who asks: local tokens by their hash, platform tokens by their signature, nobody else."""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agent import logging
from agent.client import Role
from agent.clock import from_iso, wall_ns
from agent.errors import FieldpostError
from agent.plan import Json
from agent.status.refusal import Code, Refusal, unauthorized

LOCAL = re.compile(r"fp_([0-9a-zA-Z]{8})_([0-9A-Za-z_-]{43})")
TOKEN_MAX = 4096  # characters; a signed token of the platform has about a thousand
LIST_FRESH_S = 5.0  # a revoked token is out after at most this time
LIST_AGAIN_S = 1.0  # an unknown id makes us look again, but not more often than this
USED_EVERY_S = 3600.0  # how often the daemon is told that a token is in use; each time is a commit
NOBODY = hashlib.sha256(b"nobody").hexdigest()  # compared with when there is no such id

log = logging.get("status")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks.

    Attributes:
        key: the token's id, or the platform user.
        name: for the audit log.
        signed: it is a token of the platform.
    """

    key: str
    name: str
    role: Role
    signed: bool = False


class Asks(Protocol):
    """The daemon."""

    async def call(self, verb: str, args: Json | None = None) -> Json:
        """The answer to one verb; raises FieldpostError."""
        ...


class Signed(Protocol):
    """The judge of platform tokens."""

    def identify(self, token: str) -> Identity:
        """Who it was signed for; raises Refusal."""
        ...


class Doorkeeper:
    """Judges bearer tokens.

    Args:
        daemon: has the hashes.
        signed: judges platform tokens; None: they are not accepted.
        now: seconds, monotonic.
    """

    def __init__(self, daemon: Asks, signed: Signed | None, now: Callable[[], float]) -> None:
        self._daemon = daemon
        self._signed = signed
        self._now = now
        self._tokens: Mapping[str, Json] = {}
        self._fetched_s = float("-inf")
        self._told: dict[str, float] = {}

    async def identify(self, token: str) -> Identity:
        """Who holds this token.

        Raises:
            Refusal: nobody we know.
            UnavailableError: the daemon does not tell the hashes.
        """
        if len(token) > TOKEN_MAX:
            raise unauthorized()
        if match := LOCAL.fullmatch(token):
            return await self._local(token, match[1])
        if self._signed and token.count(".") == 2:  # noqa: PLR2004 - header, claims, signature
            return self._signed.identify(token)
        raise unauthorized()

    async def _local(self, token: str, number: str) -> Identity:
        known = await self._known(number)
        given = hashlib.sha256(token.encode()).hexdigest()
        fits = hmac.compare_digest(given, known["sha256"] if known else NOBODY)
        if known is None or not fits or _expired(known.get("expires")):
            raise unauthorized()
        identity = Identity(number, str(known["name"]), Role.of(str(known["role"])))
        await self._used(number)
        return identity

    async def _known(self, number: str) -> Json | None:
        age_s = self._now() - self._fetched_s
        if age_s > LIST_FRESH_S or (number not in self._tokens and age_s > LIST_AGAIN_S):
            answer = await self._daemon.call("tokens")
            self._tokens = {str(token["id"]): token for token in answer["tokens"]}
            self._fetched_s = self._now()
        return self._tokens.get(number)

    async def _used(self, number: str) -> None:
        if self._now() - self._told.get(number, float("-inf")) < USED_EVERY_S:
            return
        self._told[number] = self._now()
        try:
            await self._daemon.call("token.used", {"id": number})
        except FieldpostError as error:
            log.warning(
                "The use of a token could not be noted.",
                event_type="token.use_not_noted",
                error=error.message,
            )


def bearer(header: str | None) -> str | None:
    """The token of an Authorization header; None when there is none at all.

    Raises:
        Refusal: there is a header of another kind.
    """
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized()
    return token.strip()


def hint(token: str) -> str:
    """What of a token may be written down: its id, never its secret."""
    match = LOCAL.fullmatch(token)
    return match[1] if match else "unreadable"


def same(token: str) -> str:
    """What guesses at one token have in common: its id, or that it is the very same text.

    Rubbish must not share a count with somebody's signed token.
    """
    match = LOCAL.fullmatch(token)
    return match[1] if match else hashlib.sha256(token.encode()).hexdigest()


def needs(identity: Identity, role: Role) -> None:
    """Let only this role and those above pass.

    Raises:
        Refusal: the role is too low.
    """
    if identity.role < role:
        message = f"This needs the role {role.word}; this token has {identity.role.word}."
        raise Refusal(Code.FORBIDDEN, message)


def _expired(expires: object) -> bool:
    try:
        return expires is not None and from_iso(str(expires)) <= wall_ns()
    except ValueError:
        return True
