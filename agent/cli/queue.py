"""`fieldpost queue`: what waits for each cloud, what was refused, what was given up."""

import textwrap
from collections.abc import Iterator

import click

from agent.cli import words
from agent.cli.queue_export import export
from agent.cli.queue_held import drop, rejected, replay, try_now
from agent.cli.session import Session
from agent.cli.table import WIDTH, Column, table
from agent.cli.verb import verb
from agent.plan import Json

COLUMNS = (
    Column("CLOUD", least=8, most=20, gives_way=True),
    Column("STATE", least=5, state=True),
    Column("WAITING"),
    Column("OLDEST"),
    Column("RATE"),
    Column("LAST OK"),
    Column("REFUSED"),
    Column("LOST"),
)
INDENT = "   "
NONE = "none"
REMOVED = "removed"
DAY = 10  # characters of a moment that are its day
LOSSES = {
    "unclean_stop": "not whole on the card at a power cut or crash",
    "thinned": "thinned out for lack of room",
    "dropped": "dropped for lack of room",
    "refused_new": "not taken in for lack of room",
    "expired": "kept longer than keep_offline",
    "corruption": "damaged on the card",
    "rolled_back": "in a store that was deleted, or is an older copy",
    "rejected_overflow": "refused, and no room to keep them",
    "ram_overflow": "no room in RAM while the disk failed",
    "ram_lost": "only in RAM when it stopped",
    "dropped_by_operator": "given up by hand",
}


class Queue(click.Group):
    """Without a verb behind it, it shows."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let options alone belong to what is shown."""
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs behind it."""
        return [name for name in super().list_commands(ctx) if name != "show"]


@click.group("queue", cls=Queue, no_args_is_help=False)
def queue() -> None:
    """What waits for each cloud; without a verb, shows it."""


@verb("show", example="fieldpost queue\nfieldpost queue --json")
def show(session: Session) -> None:
    """What waits for each cloud, what it refused and what was lost, in readings."""
    found = session.client.call("queue")
    destinations, store = found["destinations"], found["store"]
    if session.json:
        shown = {"destinations": destinations, "store": store, "unread": found.get("unread")}
        session.document("queue", shown)
        return
    rows = [_row(name, one, found["time"]) for name, one in destinations.items()]
    session.write(table(COLUMNS, rows) if rows else "No clouds are configured.")
    for name, one in destinations.items():
        for remark in _remarks(name, one):
            session.write(remark if remark.startswith(INDENT) else _folded(remark))
    if unread := found.get("unread"):
        session.write(_folded(f"{unread} Refused samples are not shown:  fieldpost doctor"))
    session.write(_room(store, in_ram=bool(found.get("unread"))))


for _command in (show, rejected, replay, try_now, drop, export):
    queue.add_command(_command)


def _folded(remark: str) -> str:
    return textwrap.fill(remark, WIDTH, subsequent_indent=INDENT, break_on_hyphens=False)


def _row(name: str, found: Json, now: str) -> list[str]:
    waiting = found["waiting"] or {"readings": 0, "oldest_at": None}
    oldest = waiting["oldest_at"]
    # a line of the ledger may be damaged; what was numbered is counted at its cursor as well
    lost = max(sum(line["readings"] for line in found["lost"]), found.get("lost_total", 0))
    refused = found["rejected"]["readings"] if found["rejected"] else 0
    return [
        name,
        found.get("state", REMOVED),
        _amount(waiting),
        words.age(words.seconds_between(oldest, now)) if oldest else NONE,
        _rate(found.get("rate_per_s")),
        words.age(found.get("last_ack_age_s")),
        words.spaced(refused),
        words.spaced(lost),
    ]


def _amount(waiting: Json) -> str:
    """`1 240, 9.0 kB`: as much as it takes on the card."""
    if not waiting["readings"]:
        return NONE
    return f"{words.spaced(waiting['readings'])}, {words.size(waiting['bytes'])}"


def _rate(per_s: float | None) -> str:
    if not per_s:
        return NONE
    return f"{words.spaced(per_s, 0 if per_s >= DAY else 1)}/s"


def _remarks(name: str, found: Json) -> Iterator[str]:
    """What the table has no room for, one sentence each."""
    if found.get("message"):
        again = found.get("next_try_s")
        then = f" Next try in {words.age(again)}." if again else ""
        yield f"{name}: {words.sentence(found['message'], name)}.{then}"
        if found["action"] and found["state"] != "rejecting":  # what was refused has its own line
            yield _folded(f"{INDENT}{found['action']}")
    if budget := found.get("budget"):
        until = f", resets {words.moment(budget['resets_at'])}" if budget["resets_at"] else ""
        used, allowed = words.size(budget["used_bytes"]), words.size(budget["allowed_bytes"])
        yield f"{name}: {used} of this month's {allowed} used{until}."
    if not found["configured"] and found["waiting"]:
        kept = words.amount(found["waiting"]["readings"], "reading")
        yield f"{name} is no longer in the configuration, and {kept} wait for it. To free them:"
        yield f"   fieldpost queue drop {name}"
    if refused := found["rejected"]:
        again = f", {refused['going_again']} of them going again" if refused["going_again"] else ""
        count = words.amount(refused["samples"], "refused sample")
        yield f"{name}: {count}{again}:"
        yield f"   fieldpost queue rejected {name}"
    for line in found["lost"]:
        bound = "" if line["exact"] else "at most "
        lost = f"{bound}{words.amount(line['readings'], 'reading')} lost"
        yield f"{name}: {lost}, {LOSSES.get(line['reason'], line['reason'])},"
        yield f"   {_span(line)}"


def _span(line: Json) -> str:
    """`2026-11-23 12:04 to 13:10`, in the zone of this machine."""
    to = words.moment(line["to"]) if line["to"] else "an unknown time"
    if not line["from"]:
        return f"until {to}"
    since = words.moment(line["from"])
    return f"{since} to {to[DAY + 1 :] if since[:DAY] == to[:DAY] else to}"


def _room(store: Json, *, in_ram: bool) -> str:
    used = f"{words.size(store['used_bytes'])} of {words.size(store['quota_bytes'])} used"
    room = "" if store["room_s"] is None else f", room for {words.age(store['room_s'])}"
    at_most = "what is in RAM" if in_ram else f"at most {store['may_lose_s']:g} s"
    return f"Buffer: {used}{room}. A power cut loses {at_most}."
