"""What a route needs of its request: the daemon, a role, and no parameter it does not know."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.routing import APIRoute

from agent.client import Role
from agent.status import identity, refusal
from agent.status.answer import passed
from agent.status.daemon import Daemon
from agent.status.refusal import Code, Refusal

LIMIT, LIMIT_MAX = 100, 1000

Skip = Annotated[int, Query(ge=0, description="How many to leave out at the beginning.")]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at most.")]
Since = Annotated[str | None, Query(description="RFC 3339; only what is strictly after it.")]


async def daemon_of(request: Request) -> Daemon:
    """The daemon behind this service."""
    daemon: Daemon = request.app.state.daemon
    return daemon


TheDaemon = Annotated[Daemon, Depends(daemon_of)]


async def known_parameters(request: Request) -> None:
    """Refuse what the route does not know: a misspelt `limt` must not be ignored.

    Raises:
        Refusal: a parameter is unknown.
    """
    route = request.scope["route"]
    known = {p.alias for p in route.dependant.query_params} if isinstance(route, APIRoute) else ()
    for name in request.query_params:
        if name not in known:
            message = f"There is no parameter '{name[:40]}' here."
            details = {"field": name[:40], "reason": "unknown"}
            raise Refusal(Code.VALIDATION, message, details=details)


def at_least(role: Role) -> Any:
    """A dependency that lets this role and those above pass."""

    async def check(request: Request) -> None:
        who = passed(request).identity
        if who is None:
            raise refusal.unauthorized()
        identity.needs(who, role)

    return Depends(check)
