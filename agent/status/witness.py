"""Writes down who was kept out and who came in with a signature: the daemon's audit log."""

from collections.abc import Callable
from typing import Protocol

from agent import logging
from agent.errors import FieldpostError
from agent.plan import Json
from agent.status.identity import Identity
from agent.status.limits import Rates

REFUSALS = 10  # noted a minute; the daemon counts what it leaves out as well
AGAIN_S = 3600.0  # somebody who stays is noted once in so long
REMEMBERED = 256

log = logging.get("status")


class Notes(Protocol):
    """The daemon."""

    async def call(self, verb: str, args: Json | None = None) -> Json:
        """The answer to one verb; raises FieldpostError."""
        ...


class Witness:
    """Notes what happens at the door, sparingly.

    Args:
        daemon: keeps the log.
        now: seconds, monotonic.
    """

    def __init__(self, daemon: Notes, now: Callable[[], float]) -> None:
        self._daemon = daemon
        self._now = now
        self._rates = Rates(now)
        self._seen: dict[str, float] = {}

    async def refused(self, peer: str, token: str, result: str) -> None:
        """A token was not accepted; `token` is its id, never the token."""
        if self._rates.take("refused", REFUSALS).allowed:
            await self._note(peer, "token.refused", {"token": token}, result)

    async def admitted(self, peer: str, identity: Identity) -> None:
        """Somebody came in with a token of the platform."""
        if self._now() - self._seen.get(identity.key, float("-inf")) < AGAIN_S:
            return
        self._seen.pop(identity.key, None)
        self._seen[identity.key] = self._now()
        if len(self._seen) > REMEMBERED:
            self._seen.pop(next(iter(self._seen)))
        facts = {"name": identity.name, "role": identity.role.word}
        await self._note(peer, "token.admitted", facts, "ok")

    async def _note(self, who: str, what: str, facts: Json, result: str) -> None:
        note = {"who": f"http {who}", "what": what, "facts": facts, "result": result}
        try:
            await self._daemon.call("audit.note", note)
        except FieldpostError as error:
            log.warning(
                "What happened at the door could not be written down.",
                event_type="audit.not_noted",
                error=error.message,
            )
