"""`fieldpost netcheck`: facts about the way to each cloud."""

from collections.abc import Iterator
from dataclasses import asdict

import click

from agent.cli import words
from agent.cli.direct import compiled
from agent.cli.failure import FOUND
from agent.cli.session import Session
from agent.cli.table import word
from agent.cli.verb import verb
from agent.cli.way import Step, steps
from agent.client.places import in_full
from agent.cloud import Placed
from agent.daemon.parts import cloud_of
from agent.errors import FieldpostError, NotFoundError
from agent.plan import Destination, Json, Plan

NAME_WIDTH = 13
REFUSED = "refused"
MARKS = {"warn": "warn", "fail": "FAIL"}


@verb("netcheck", example="fieldpost netcheck\nsudo fieldpost netcheck platform")
@click.argument("name", required=False)
def netcheck(session: Session, *, name: str | None) -> int:
    """The way to each cloud: name, connection, certificate, clock, credentials."""
    plan = compiled(session.config_path)
    if name is not None and name not in plan.destinations:
        message = f"There is no destination '{name}'."
        raise NotFoundError(message, action=f"Destinations here: {', '.join(plan.destinations)}")
    wanted = [d for n, d in plan.destinations.items() if name in (None, n)]
    known = _known(session)
    found = {one.name: list(_steps(session, plan, one, known)) for one in wanted}
    failed = any(step.state == "fail" for way in found.values() for step in way)
    if session.json:
        ways = {one: [asdict(step) for step in way] for one, way in found.items()}
        session.document("netcheck", {"destinations": ways})
        return FOUND if failed else 0
    for one, way in found.items():
        if len(found) > 1:
            session.write(f"{one}:")
        for step in way:
            _show(session, step)
    session.write("There is something in the way." if failed else "Everything on the way works.")
    return FOUND if failed else 0


def _known(session: Session) -> Json:
    """What the daemon knows of its destinations; nothing when it does not run."""
    try:
        known: Json = session.client.call("snapshot")["status"]["destinations"]
    except FieldpostError:
        return {}
    return known


def _steps(session: Session, plan: Plan, one: Destination, known: Json) -> Iterator[Step]:
    try:
        cloud = cloud_of(one, plan.site.id, session.config_path.absolute().parent)
    except FieldpostError as error:
        yield Step("credentials", "fail", error.message, action=error.action)
        return
    if isinstance(cloud, Placed):
        yield from steps(cloud.place)
    if one.name in known:
        yield _credentials(known[one.name])


def _credentials(found: Json) -> Step:
    """As the running daemon has it: nothing is sent for this."""
    if found["state"] == REFUSED:
        fact = found["message"] or "not accepted"
        return Step("credentials", "fail", fact, action=found["action"])
    if found["last_ack_age_s"] is None:
        return Step("credentials", "ok", "nothing was acknowledged since the daemon started")
    age = words.age(found["last_ack_age_s"])
    return Step("credentials", "ok", f"accepted, readings were acknowledged {age} ago")


def _show(session: Session, step: Step) -> None:
    judged = "" if step.state == "ok" else f"{word(MARKS[step.state])}  "
    session.write(f"* {step.name:<{NAME_WIDTH}}{judged}{step.fact}")
    if step.action:
        session.write(f"  {' ' * NAME_WIDTH}{in_full(step.action, session.command)}")
