"""`fieldpost queue`: what waits for each cloud, what was refused, what was given up."""

from agent.cli import words
from agent.cli.session import Session
from agent.cli.table import Column, table
from agent.cli.verb import verb
from agent.plan import Json

COLUMNS = (
    Column("CLOUD", least=8, most=20),
    Column("STATE", least=5, state=True),
    Column("WAITING"),
    Column("OLDEST"),
    Column("DELIVERED"),
    Column("REFUSED"),
    Column("LOST"),
)
NONE = "none"


@verb("queue", example="fieldpost queue\nfieldpost queue --json")
def queue(session: Session) -> None:
    """What waits for each cloud, in readings, and how much room is left."""
    status = session.client.call("snapshot")["status"]
    destinations, store = status["destinations"], status["store"]
    if session.json:
        session.document("queue", {"destinations": destinations, "store": store})
        return
    now = status["gateway"]["time"]
    rows = [_row(name, found, now) for name, found in destinations.items()]
    session.write(table(COLUMNS, rows) if rows else "No clouds are configured.")
    session.write(_room(store))


def _row(name: str, found: Json, now: str) -> list[str]:
    oldest, waiting = found["oldest_at"], found["waiting_readings"]
    return [
        name,
        found["state"],
        words.spaced(waiting) if waiting else NONE,
        words.age(words.seconds_between(oldest, now)) if oldest else NONE,
        words.spaced(found["delivered_total"]),
        words.spaced(found["rejected_total"]),
        words.spaced(found["lost_total"]),
    ]


def _room(store: Json) -> str:
    used = f"{words.size(store['used_bytes'])} of {words.size(store['quota_bytes'])} used"
    room = "" if store["room_s"] is None else f", room for {words.age(store['room_s'])}"
    return f"Buffer: {used}{room}. A power cut loses at most {store['may_lose_s']:g} s."
