"""Wires lent to people who look for something: questions in between, and what passes."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agent.daemon.gateway import Gateway
from agent.daemon.supervisor import asked
from agent.driver import Asks, DeviceFault, Driver, DriverError, Monitors, Question
from agent.errors import NoAnswerError, NotFoundError, ValidationError
from agent.plan import Json

LOOK_AGAIN_S = 0.5
FIELDS = frozenset(field.name for field in dataclasses.fields(Question))


async def ask(gateway: Gateway, args: Json) -> Json:
    """One harmless question to one unit.

    Args:
        gateway: whose connections.
        args: `connection`, and the fields of a `Question`; its `body` in hex.

    Returns:
        `body` in hex, or `fault` and `message` where no answer came.

    Raises:
        NotFoundError: the daemon does not run this connection.
        NoAnswerError: the wire is not there, or its driver cannot be asked.
        BusyError: it is in use, and `force` is not among the arguments.
        ValidationError: this is no question.
    """
    name = str(args.get("connection"))
    driver = _driver(gateway, name)
    if not isinstance(driver, Asks):
        message = f"{name} cannot be asked: its devices speak on their own."
        raise NoAnswerError(message)
    question = _question(args)
    try:
        async with asked(name), driver.asking() as asker:
            return {"body": (await asker.ask(question)).hex()}
    except DeviceFault as fault:
        return {"fault": str(fault.reason), "message": fault.message}
    except DriverError as error:
        raise _not_there(name, error) from error


async def traffic(gateway: Gateway, args: Json) -> AsyncGenerator[Json, None]:
    """What passes on a connection from now on.

    Raises:
        NotFoundError: the daemon does not run this connection.
        NoAnswerError: it is not open, or its driver cannot tell.
    """
    name = str(args.get("connection"))
    driver: object = _driver(gateway, name)
    if not isinstance(driver, Monitors):
        message = f"{name} cannot tell what passes on it."
        raise NoAnswerError(message)
    while isinstance(driver, Monitors):
        async with aclosing(driver.traffic()) as passing:
            async for one in passing:
                yield one.told()
        driver = await _next_life(gateway, name, driver)


async def lends(gateway: Gateway, args: Json) -> Json:
    """Whether the daemon has this connection, and what is on it.

    Raises:
        NotFoundError: it has not.
        NoAnswerError: it is not open.
    """
    name = str(args.get("connection"))
    _driver(gateway, name)
    devices = gateway.plan.devices.values()
    return {"devices": [d.name for d in devices if d.connection == name and d.enabled]}


def _driver(gateway: Gateway, name: str) -> Driver:
    if name not in gateway.supervisors:
        message = f"The daemon does not use a connection '{name}'."
        known = ", ".join(gateway.supervisors)
        raise NotFoundError(message, action=f"Connections in use: {known}")
    driver = gateway.supervisors[name].driver
    if driver is None:
        message = f"{name} is not open: its adapter or host is not there."
        raise NoAnswerError(message, action="fieldpost status")
    return driver


async def _next_life(gateway: Gateway, name: str, last: Monitors) -> object:
    """A lost adapter ends a driver; the supervisor runs another one."""
    while True:
        driver: object = gateway.supervisors[name].driver
        if driver is not None and driver is not last:
            return driver
        await asyncio.sleep(LOOK_AGAIN_S)


def _question(args: Json) -> Question:
    given = {key: value for key, value in args.items() if key in FIELDS}
    try:
        body = bytes.fromhex(given.pop("body"))
        return Question(body=body, **given)
    except (KeyError, TypeError, ValueError) as error:
        raise ValidationError(field="body", reason="is no question") from error


def _not_there(name: str, error: DriverError) -> NoAnswerError:
    return NoAnswerError(f"{name}: {error.message}", action=error.action)
