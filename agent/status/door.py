"""The door: how often who may ask, how long who guesses has to wait, and who comes in."""

import ipaddress
from collections.abc import Callable, MutableMapping

from agent.status import identity, limits, refusal
from agent.status.identity import Doorkeeper, Identity
from agent.status.limits import Guesses, Rates, Standing
from agent.status.refusal import Code, Refusal
from agent.status.witness import Witness

Headers = MutableMapping[str, str]


class Door:
    """Lets in who has a good token, within the limits.

    Args:
        doorkeeper: judges tokens.
        witness: writes down what happens.
        now: seconds, monotonic.
    """

    def __init__(self, doorkeeper: Doorkeeper, witness: Witness, now: Callable[[], float]) -> None:
        self._doorkeeper = doorkeeper
        self._witness = witness
        self._rates = Rates(now)
        self._guesses = Guesses(now)

    async def open(self, path: str, token: str | None, peer: str, headers: Headers) -> Identity:
        """Who asks.

        Args:
            path: telemetry has a limit of its own.
            token: the bearer token, or None.
            peer: address of the other side.
            headers: of the answer; the limits are told there.

        Raises:
            Refusal: no token, not a good one, or too often.
            UnavailableError: the daemon does not tell the hashes.
        """
        if token is None:
            self._count(self._rates.take(f"peer {peer}", limits.WITHOUT_TOKEN), headers)
            raise refusal.unauthorized()
        # on loopback all peers share an address: there the guesses are counted by token id
        key = f"token {identity.same(token)}" if _loopback(peer) else f"peer {peer}"
        if wait_s := self._guesses.wait_s(key):
            message = "Too many wrong tokens; wait."
            raise Refusal(Code.RATE, message, headers={"Retry-After": str(int(wait_s) + 1)})
        who = await self._judged(token, key, peer)
        telemetry = path.endswith("/telemetry")
        limit = limits.TELEMETRY if telemetry else limits.WITH_TOKEN
        kind = "telemetry" if telemetry else "token"
        self._count(self._rates.take(f"{kind} {who.key}", limit), headers)
        return who

    async def _judged(self, token: str, key: str, peer: str) -> Identity:
        try:
            who = await self._doorkeeper.identify(token)
        except Refusal as error:
            if error.word is Code.UNAUTHORIZED:
                self._guesses.failed(key)
            await self._witness.refused(peer, identity.hint(token), error.word)
            raise
        self._guesses.succeeded(key)
        if who.signed:
            await self._witness.admitted(peer, who)
        return who

    def _count(self, standing: Standing, headers: Headers) -> None:
        headers.update(
            {
                "X-RateLimit-Limit": str(standing.limit),
                "X-RateLimit-Remaining": str(standing.remaining),
                "X-RateLimit-Reset": str(standing.reset_s),
            }
        )
        if not standing.allowed:
            message = f"More than {standing.limit} requests in a minute."
            raise Refusal(Code.RATE, message, headers={"Retry-After": str(standing.reset_s)})


def _loopback(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:  # a socket without an address: nobody from outside
        return True
