"""`fieldpost status`: one screen, once or again and again."""

import sys
from collections.abc import Callable

import click

from agent.cli import words
from agent.cli.overview import overview
from agent.cli.pause import pause
from agent.cli.session import Session
from agent.cli.spark import STEP_S, STEPS, spark
from agent.cli.values import course_point
from agent.cli.verb import verb
from agent.client import BlockingClient
from agent.errors import FieldpostError, UnavailableError
from agent.plan import Json

EVERY_S = 2.0  # a snapshot is made at most once a second
COURSE_S = 30.0  # the course of half an hour moves slowly
RAW_LIMIT = 600  # the newest samples the daemon keeps
COARSE_LIMIT = 8  # five-minute steps in half an hour, and one at each end
CLEAR = "\x1b[H\x1b[J"  # cursor home, and everything below it away


@verb("status", example="fieldpost status\nfieldpost status --watch\nfieldpost status --json")
@click.option("--watch", is_flag=True, help="Again every two seconds, until Ctrl-C.")
def status(session: Session, *, watch: bool) -> None:
    """One screen: devices, clouds and the gateway itself."""
    look = _document(session) if session.json else _screen(session)
    if not watch:
        look()
        return
    try:
        while True:
            _again(session, look)
    except KeyboardInterrupt:
        return  # the usual way to end it


def _again(session: Session, look: Callable[[], None]) -> None:
    if session.live and not session.json:
        click.echo(CLEAR, nl=False)
    try:
        look()
    except UnavailableError as error:
        session.write(error.message)  # it may come back while we watch
    pause(EVERY_S)


def _document(session: Session) -> Callable[[], None]:
    return lambda: session.document("status", session.client.call("snapshot"))


def _screen(session: Session) -> Callable[[], None]:
    courses: dict[str, str] = {}
    left_s = 0.0

    def look() -> None:
        nonlocal courses, left_s
        snapshot = session.client.call("snapshot")
        if left_s <= 0 and _drawable():
            courses, left_s = _courses(session.client, snapshot), COURSE_S
        left_s -= EVERY_S
        session.write(overview(snapshot, courses))

    return look


def _drawable() -> bool:
    return "utf" in (sys.stdout.encoding or "").lower()


def _courses(client: BlockingClient, snapshot: Json) -> dict[str, str]:
    """Half an hour of every device; a daemon that will not tell leaves the column out."""
    now = snapshot["status"]["gateway"]["time"]
    try:
        return {n: _course(client, n, found, now) for n, found in snapshot["devices"].items()}
    except FieldpostError:
        return {}


def _course(client: BlockingClient, name: str, device: Json, now: str) -> str:
    raw = client.call("history", {"device": name, "limit": RAW_LIMIT})
    steps: Json = {"samples": []}
    if words.seconds_between(raw["complete_since"], now) < STEPS * STEP_S:
        asked = {"device": name, "limit": COARSE_LIMIT, "resolution": "5min"}
        steps = client.call("history", asked)
    return spark(raw["samples"], steps["samples"], course_point(device), now)
