"""`fieldpost queue export`: samples on standard output, for whoever carries them out on a stick.

JSON lines hold a sample each; CSV holds a value each, because devices have different points. Both
are written as they come: neither we nor the daemon ever hold more than a few hundred samples.
"""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TypedDict, Unpack

import click
import orjson

from agent.cli import words
from agent.cli.duration import Duration
from agent.cli.session import Session
from agent.cli.verb import verb
from agent.clock import SystemClock, from_iso, iso
from agent.plan import Json

HEAD = ("time", "device", "point", "value", "unit", "quality", "msg_id", "destination", "reason")
NS = 1_000_000_000

Write = Callable[[list[Json]], None]


class Since(Duration):
    """So long ago, or a time: `2d`, `2026-11-23`, `2026-11-23T14:00:00Z`; as nanoseconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it."""
        text = str(value)
        if "-" not in text:
            return SystemClock().now().wall_ns - super().convert(value, param, ctx) * NS
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"'{text}' is no time: write 2d, or 2026-11-23T14:00:00Z", param, ctx)
        return from_iso(moment.astimezone().isoformat())


class Options(TypedDict):
    """What `queue export` takes."""

    destination: str | None
    form: str
    what: str | None
    since_ns: float | None


@verb(
    "export",
    example="fieldpost queue export platform > /media/stick/platform.jsonl\n"
    "fieldpost queue export --since 2d --format csv > week.csv",
)
@click.argument("destination", required=False)
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl")
@click.option("--waiting", "what", flag_value="waiting", help="What was not sent yet; the default.")
@click.option("--rejected", "what", flag_value="rejected", help="What was refused.")
@click.option("--since", "since_ns", type=Since(), help="Only samples taken since: 2d, or a time.")
def export(session: Session, **options: Unpack[Options]) -> None:
    """Write what is held to standard output; it stays held.

    Without a cloud: what any of them waits for. When it has arrived by other means:
    fieldpost queue drop
    """
    asked: Json = {
        "what": options["what"] or "waiting",
        "destination": options["destination"] or "",
    }
    if options["since_ns"]:
        asked["since"] = iso(int(options["since_ns"]))
    write: Write = _lines
    if options["form"] == "csv" and not session.json:
        write = _csv(session)
    samples = readings = 0
    for together in session.client.stream("queue.export", asked):
        write(together["samples"])
        samples += len(together["samples"])
        readings += sum(len(sample["values"]) for sample in together["samples"])
    sys.stdout.flush()
    count = words.amount(readings, "reading")
    session.remark(f"{words.amount(samples, 'sample')}, {count}; they are still held.")


def _lines(samples: Iterable[Json]) -> None:
    text = b"".join(orjson.dumps(sample) + b"\n" for sample in samples)
    sys.stdout.buffer.write(text)


def _csv(session: Session) -> Write:
    """One line for each value, with the unit it has in the configuration of today."""
    devices = session.client.call("snapshot")["devices"]
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(HEAD)

    def write(samples: list[Json]) -> None:
        rows.writerows(row for sample in samples for row in _rows(sample, devices))

    return write


def _rows(sample: Json, devices: Json) -> Iterator[tuple[object, ...]]:
    points = devices.get(sample["device"], {}).get("points", {})
    for point, value in sample["values"].items():
        yield (
            sample["time"],
            sample["device"],
            point,
            value,
            points.get(point, {}).get("unit"),
            sample["quality"],
            sample["msg_id"],
            sample.get("destination"),
            sample.get("reason"),
        )
