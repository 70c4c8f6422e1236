"""What the sandbox has been sent: one row per record, in SQLite, never deduplicated.

Duplicates are the point of looking: `duplicates()` names every (epoch, seq) that came twice.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from sqlite_utils import Database

from agent.plan import Json

INSERT = "INSERT INTO telemetry (device_id, at, data, metadata, epoch, seq) VALUES (?,?,?,?,?,?)"
COLUMNS = {
    "id": int, "device_id": str, "at": str, "data": str, "metadata": str, "epoch": str, "seq": int
}  # fmt: skip


@dataclass(slots=True)
class Device:
    """A device of the sandbox; times are RFC 3339 text, empty when never."""

    id: str
    name: str
    api_key: str = field(repr=False, default="")
    status: str = "active"
    last_seen: str | None = None
    last_heartbeat: str | None = None
    online: bool = False
    heartbeat: Json = field(default_factory=dict)
    records: int = 0
    readings: int = 0
    last_telemetry: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One record as it was sent."""

    device_id: str
    at: str
    data: Json
    metadata: Json


class Store:
    """Rows of telemetry on disk, or in memory when no path is given."""

    def __init__(self, path: Path | None = None) -> None:
        self._db = Database(path, execute_plugins=False) if path else Database(memory=True)
        # a sandbox may forget after a power cut; it must not slow the demo down
        self._db.execute("PRAGMA synchronous=OFF")
        table = self._db.table("telemetry")
        table.create(COLUMNS, pk="id", if_not_exists=True)
        table.create_index(["device_id", "at"], if_not_exists=True)
        highest = next(self._db.query("SELECT max(id) AS id FROM telemetry"))["id"]
        self._ids = itertools.count((highest or 0) + 1)
        self.devices: dict[str, Device] = {}

    def add(self, rows: Sequence[Row]) -> list[int]:
        """Keep rows in one transaction; their ids in the same order."""
        ids = list(itertools.islice(self._ids, len(rows)))
        with self._db.atomic():
            self._db.conn.executemany(INSERT, [_values(row) for row in rows])
        for row in rows:
            self._touch(row)
        return ids

    def telemetry(self, device_id: str, skip: int, limit: int, since: str | None) -> list[Json]:
        """Records of one device, newest first, strictly after `since` when given."""
        sql = (
            "SELECT id, at, data, metadata FROM telemetry WHERE device_id = :device"
            " AND at > :since ORDER BY at DESC, id DESC LIMIT :limit OFFSET :skip"
        )
        given = {"device": device_id, "since": since or "", "limit": limit, "skip": skip}
        return [_record(row) for row in self._db.query(sql, given)]

    def count(self, device_id: str | None = None) -> int:
        """How many records are held, of one device or of all."""
        where = "WHERE device_id = ?" if device_id else ""
        sql = f"SELECT count(*) AS n FROM telemetry {where}"  # noqa: S608 -- two constant texts
        return int(next(self._db.query(sql, [device_id] if device_id else []))["n"])

    def duplicates(self) -> list[tuple[str, int, int]]:
        """(epoch, seq, times) of every record that came more than once."""
        sql = (
            "SELECT epoch, seq, count(*) AS n FROM telemetry WHERE seq IS NOT NULL"
            " GROUP BY epoch, seq HAVING n > 1"
        )
        return [(row["epoch"], row["seq"], row["n"]) for row in self._db.query(sql)]

    def holes(self) -> list[tuple[str, int, int]]:
        """(epoch, first, last) of every range of numbers that is missing inside an epoch."""
        sql = (
            "SELECT epoch, seq, lead(seq) OVER (PARTITION BY epoch ORDER BY seq) AS following"
            " FROM (SELECT DISTINCT epoch, seq FROM telemetry WHERE seq IS NOT NULL)"
        )
        found = self._db.query(f"SELECT * FROM ({sql}) WHERE following > seq + 1")  # noqa: S608 -- a constant text
        return [(row["epoch"], row["seq"] + 1, row["following"] - 1) for row in found]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _touch(self, row: Row) -> None:
        device = self.devices.setdefault(row.device_id, Device(row.device_id, row.device_id))
        device.records += 1
        device.readings += len(row.data)
        # as the platform does: the sample's time, even when it lies in the past
        device.last_seen = row.at
        device.last_telemetry = row.data


def _values(row: Row) -> tuple[object, ...]:
    epoch, seq = row.metadata.get("epoch"), row.metadata.get("seq")
    data, metadata = orjson.dumps(row.data).decode(), orjson.dumps(row.metadata).decode()
    return row.device_id, row.at, data, metadata, epoch, seq


def _record(row: Json) -> Json:
    return {
        "telemetry_id": f"{row['id']:024x}",
        "timestamp": row["at"],
        "data": orjson.loads(row["data"]),
        "metadata": orjson.loads(row["metadata"]),
    }
