"""What is there beside the configured devices: asked of the drivers that can tell."""

import dataclasses

from agent.daemon.gateway import Gateway
from agent.daemon.supervisor import ANSWER_S, asked
from agent.driver import Discovers, DriverError
from agent.errors import NoAnswerError, NotFoundError, ValidationError
from agent.plan import Json

LONGEST_S = 300.0  # a sensor that says nothing for five minutes is not there


async def found(gateway: Gateway, args: Json) -> list[Json]:
    """Look on every connection of a kind, one after the other.

    Args:
        gateway: whose connections.
        args: `kind` of the connections, and for how many `seconds`.

    Raises:
        NotFoundError: there is no such connection, or its driver cannot look around.
        NoAnswerError: the wire or radio is not there.
    """
    kind, for_s = args.get("kind"), _seconds(args.get("seconds"))
    names = [name for name, one in gateway.plan.connections.items() if one.kind == kind]
    if not names:
        message = f"There is no {kind} connection in the configuration."
        raise NotFoundError(message, action="Add one below `connections:`")
    return [one for name in names for one in await _on(gateway, name, for_s)]


async def _on(gateway: Gateway, name: str, for_s: float) -> list[Json]:
    supervisor = gateway.supervisors.get(name)
    driver = supervisor.driver if supervisor else None
    if driver is None:
        message = f"{name} is not open, so nothing can be looked for there."
        raise NoAnswerError(message, action="fieldpost status")
    if not isinstance(driver, Discovers):
        message = f"{name} cannot tell what is there beside its own devices."
        raise NotFoundError(message)
    try:
        async with asked(name, for_s + ANSWER_S):
            discovered = await driver.discover(for_s)
    except DriverError as error:
        message = f"{name}: {error.message}"
        raise NoAnswerError(message, action=error.action) from error
    return [{"connection": name, **dataclasses.asdict(one)} for one in discovered]


def _seconds(written: object) -> float:
    if not isinstance(written, int | float) or not 0 < written <= LONGEST_S:
        reason = f"has to be above 0 and at most {LONGEST_S:.0f}"
        raise ValidationError(field="seconds", reason=reason)
    return float(written)
