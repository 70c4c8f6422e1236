"""`fieldpost log`: what happened, one sentence each."""

from collections.abc import Iterator

import click

from agent.cli import words
from agent.cli.pause import pause
from agent.cli.session import Session
from agent.cli.table import word
from agent.cli.verb import verb
from agent.errors import UnavailableError
from agent.plan import Json

EVERY_S = 1.0  # the daemon keeps the newest events; looking each second misses none of them
INDENT = " " * 18  # under the sentence, beside the time


@verb("log", example="fieldpost log\nfieldpost log oven-meter\nfieldpost log -f --json")
@click.argument("device", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens next, until Ctrl-C.")
def log(session: Session, *, device: str | None, follow: bool) -> None:
    """The newest events of the gateway or of one device."""
    news = _News(session, device)
    found = list(news.fresh())
    if not (found or session.json or follow):
        session.write("Nothing happened since the daemon started.")
    try:
        while True:
            for event in found:
                _show(session, event)
            if not follow:
                return
            pause(EVERY_S)
            found = list(news.patiently())
    except KeyboardInterrupt:
        return  # the usual way to end it


class _News:
    """What has not been shown yet."""

    def __init__(self, session: Session, device: str | None) -> None:
        self._client = session.client
        self._asked = {"device": device} if device else {}
        self._shown: set[tuple[str, str, str]] = set()

    def fresh(self) -> Iterator[Json]:
        told = self._client.call("events", self._asked)["events"]
        keys = [(event["time"], event["event"], event["subject"]) for event in told]
        yield from (e for e, key in zip(told, keys, strict=True) if key not in self._shown)
        self._shown = set(keys)

    def patiently(self) -> Iterator[Json]:
        try:
            yield from self.fresh()
        except UnavailableError:
            self._shown.clear()  # a daemon that starts again begins with nothing


def _show(session: Session, event: Json) -> None:
    if session.json:
        session.document("event", event, line=True)
        return
    alarm = f"{word('PROBLEM')}  " if event["severity"] == "fail" else ""
    session.write(f"{words.moment(event['time'])}  {alarm}{event['message']}")
    if event["action"]:
        session.write(f"{INDENT}{event['action']}")
