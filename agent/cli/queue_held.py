"""`fieldpost queue rejected`, `replay`, `drop`: what is held is shown, sent again or given up."""

import sys
from typing import TypedDict, Unpack

import click

from agent.cli import words
from agent.cli.session import Session
from agent.cli.table import Column, table
from agent.cli.verb import verb
from agent.errors import ValidationError
from agent.plan import Json

SHOWN = 50
COLUMNS = (
    Column("CLOUD", most=14),
    Column("TIME"),
    Column("ID"),
    Column("DEVICE", most=16),
    Column("REASON", least=10, gives_way=True),
)
AGAIN = "going again; "


class Replayed(TypedDict):
    """What `queue replay` takes."""

    destination: str
    ids: tuple[str, ...]
    everything: bool


class Dropped(TypedDict):
    """What `queue drop` takes."""

    destination: str
    what: str | None
    yes: bool


@verb("rejected", example="fieldpost queue rejected\nfieldpost queue rejected platform --limit 500")
@click.argument("destination", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=SHOWN, help="The newest so many.")
def rejected(session: Session, *, destination: str | None, limit: int) -> None:
    """What a cloud refused and why; nothing of it is lost.

    Once the cause is mended, send it again:  fieldpost queue replay
    """
    asked: Json = {"limit": limit} | ({"destination": destination} if destination else {})
    found = session.client.call("queue.rejected", asked)
    if session.json:
        session.document("queue.rejected", found)
        return
    rows = found["rejected"]
    if not rows:
        session.write("Nothing that was refused is held.")
        return
    session.write(table(COLUMNS, [_row(row) for row in rows]))
    if len(rows) < found["total"]:
        session.remark(f"{words.amount(found['total'], 'sample')} in all; --limit shows more.")


@verb("replay", example="fieldpost queue replay platform --all\nfieldpost queue replay platform 17")
@click.argument("destination")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All that it refused.")
def replay(session: Session, **options: Unpack[Replayed]) -> None:
    """Send refused samples again, under the names they had.

    They stay set aside until the cloud has them; refused again, they stay with the newer reason.
    IDs are those of `queue rejected`.
    """
    if options["everything"] == bool(options["ids"]):
        message = "Which of them: give ids from `fieldpost queue rejected`, or --all."
        raise ValidationError(field="ids", reason="missing", message=message)
    asked: Json = {"destination": options["destination"]}
    asked["ids"] = None if options["everything"] else list(options["ids"])
    found = session.client.call("queue.replay", asked)
    if session.json:
        session.document("queue.replay", found)
    elif found["samples"]:
        count = words.amount(found["samples"], "sample")
        session.write(f"{count} going to {options['destination']} again: fieldpost queue")
        if strange := max(0, len(options["ids"]) - found["samples"]):
            session.remark(f"{words.amount(strange, 'id')} not found among what it refused.")
    else:
        session.write("Nothing of that is set aside: fieldpost queue rejected")


@verb("try", example="fieldpost queue try")
def try_now(session: Session) -> None:
    """Try every cloud at once that is waited for, instead of when its pause is over.

    For the moment when the cable is back or a key was renewed. A cloud that asked us to wait is
    left in peace.
    """
    found = session.client.call("queue.try")
    if session.json:
        session.document("queue.try", found)
        return
    names = ", ".join(found["destinations"])
    if not names:
        session.write("No clouds.")
        return
    session.write(f"Asked to try now: {names}. See: fieldpost queue")
    session.remark("A cloud that asked us to wait is left in peace until then.")


@verb("drop", example="sudo fieldpost queue drop platform\nsudo fieldpost queue drop old --yes")
@click.argument("destination")
@click.option("--waiting", "what", flag_value="waiting", help="Only what was not sent yet.")
@click.option("--rejected", "what", flag_value="rejected", help="Only what it refused.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(session: Session, **options: Unpack[Dropped]) -> None:
    """Give up what is held for a cloud; for others nothing changes.

    It is counted in the ledger and in the audit log. A cloud that is not in the file any more is
    forgotten with it.
    """
    name, what = options["destination"], options["what"] or "all"
    if not options["yes"] and not _agreed(session, name, what):
        session.remark("Nothing was given up.")
        return
    found = session.client.call("queue.drop", {"destination": name, "what": what})
    if session.json:
        session.document("queue.drop", found)
        return
    lost = words.amount(found["waiting_readings"] + found["rejected_readings"], "reading")
    session.write(f"{lost} of {name} given up; the ledger has them: fieldpost queue")
    if found["forgotten"]:
        session.write(f"{name} is forgotten.")


def _agreed(session: Session, name: str, what: str) -> bool:
    if not sys.stdin.isatty():
        message = "drop asks before it gives anything up, and nobody is here to answer."
        raise ValidationError(field="yes", reason="missing", message=f"{message} Add --yes.")
    found = session.client.call("queue")["destinations"].get(name, {})
    parts = {"waiting": "waiting", "rejected": "refused"}
    held = [
        f"{words.amount((found.get(part) or {'readings': 0})['readings'], 'reading')} {word}"
        for part, word in parts.items()
        if what in ("all", part)
    ]
    export = f"{session.command} queue export {name}"
    first = [f"{export} --{part}" for part in parts if what in ("all", part) and found.get(part)]
    if first:
        session.remark("To carry them out first:")
    for command in first:
        session.remark(f"   {command}")
    return click.confirm(f"Give up {' and '.join(held)} for {name}, for ever?", err=True)


def _row(row: Json) -> list[str]:
    reason = f"{AGAIN}{row['reason']}" if row["again"] else row["reason"]
    device = row["device"] or "damaged"
    return [row["destination"], words.moment(row["time"]), str(row["seq"]), device, reason]
