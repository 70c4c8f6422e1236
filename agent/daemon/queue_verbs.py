"""Verbs about what is held for the clouds: shown, sent again, given up, carried out on a stick."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass

from agent.client.role import Role
from agent.clock import from_iso, iso
from agent.cloud import Record
from agent.daemon.buffer import Backlog, Held, LostLine, SetAside
from agent.daemon.buffer.model import Count
from agent.daemon.conversation import Peer, StreamVerb, Verb
from agent.daemon.gateway import Gateway
from agent.errors import NotFoundError, UnavailableError, ValidationError
from agent.plan import Json
from agent.sample import Value

LIMIT, LIMIT_MAX = 100, 1000
TOGETHER = 100  # samples in one line of an export
MS_NS = 1_000_000
WORD_BITS = 64


@dataclass(frozen=True, slots=True)
class QueueVerbs:
    """The buffer behind the verbs."""

    gateway: Gateway

    def verbs(self) -> Mapping[str, Verb | StreamVerb]:
        """Every verb by name."""
        return {
            "queue": Verb(Role.VIEWER, self.queue),
            "queue.rejected": Verb(Role.OPERATOR, self.rejected, status=True),
            "queue.replay": Verb(Role.OPERATOR, self.replay, changes=True),
            "queue.try": Verb(Role.OPERATOR, self.try_now),
            "queue.drop": Verb(Role.ADMIN, self.drop, changes=True),
            "queue.export": StreamVerb(Role.OPERATOR, self.export, patient=True),
        }

    async def queue(self, _args: Json, peer: Peer) -> Json:
        """What waits, what was refused and what was lost, for each cloud the store knows.

        For people to the moment; a page that looks again and again must not cost the card a
        commit each time, and sees what was answered up to ten seconds ago.
        """
        views = self.gateway.buffer.views
        if not peer.status:
            await views.settle()
        unread = None
        try:
            held, lost = await views.held(), await views.lost()
            backlogs = await views.backlogs()
        except UnavailableError as error:  # what is counted in memory is shown all the same
            held, lost, backlogs, unread = {}, self._lost(), self._backlogs(), error.message
        status = self.gateway.snapshot()["status"]
        names = [*backlogs, *sorted({line.destination for line in lost} - set(backlogs))]
        return {
            "time": status["gateway"]["time"],
            "unread": unread,
            "store": status["store"],
            "destinations": {
                name: status["destinations"].get(name, {})
                | _shown(backlogs.get(name), held.get(name))
                | {"lost": [_lost(line) for line in lost if line.destination == name]}
                for name in names
            },
        }

    async def rejected(self, args: Json, _peer: Peer) -> Json:
        """What was refused and why, the newest first; `destination`, `limit` and `skip`."""
        name = _text(args, "destination")
        limit = _number(args, "limit", LIMIT, LIMIT_MAX)
        skip = _number(args, "skip", 0, 1 << 40)
        views = self.gateway.buffer.views
        await views.settle()
        held = await views.held()
        if name and name not in held and name not in self.gateway.buffer.facts().destinations:
            message = f"There is no destination '{name}'."
            raise NotFoundError(message, action="fieldpost queue shows all of them")
        rows = await views.newest(name, limit, skip)
        total = sum(each.count.samples for known, each in held.items() if name in ("", known))
        return {"total": total, "rejected": [self._refused(row) for row in rows]}

    async def replay(self, args: Json, _peer: Peer) -> Json:
        """Refused samples go out again; `destination`, and `ids` (`SEQ` or `EPOCH:SEQ`) or all."""
        ids = args.get("ids")
        wanted = None if ids is None else [_id(one) for one in ids]
        count = await self.gateway.buffer.requeue.replay(_text(args, "destination"), wanted)
        return {"samples": count.samples, "readings": count.readings}

    async def try_now(self, _args: Json, _peer: Peer) -> Json:
        """Whoever pauses after a failure tries at once; a wish of the cloud to wait is kept."""
        for uplink in self.gateway.uplinks.values():
            uplink.try_now()
        return {"destinations": list(self.gateway.uplinks)}

    async def drop(self, args: Json, _peer: Peer) -> Json:
        """Give up what is held for a `destination`; `what`: `waiting`, `rejected`, or both."""
        what = _text(args, "what")
        dropped = await self.gateway.buffer.requeue.drop(
            _text(args, "destination"), waiting=what != "rejected", rejected=what != "waiting"
        )
        return {
            "waiting_readings": dropped.waiting.readings,
            "rejected_readings": dropped.rejected.readings,
            "forgotten": dropped.forgotten,
        }

    async def export(self, args: Json, _peer: Peer) -> AsyncGenerator[Json, None]:
        """Samples as they would leave, some at a time; nothing moves.

        `what` is `waiting` or `rejected`; `destination` one of them, or any; `since` a time.
        """
        since_ns = _time_ns(args)
        together: list[Json] = []
        async for record, more in self._held(_text(args, "destination"), _text(args, "what")):
            if record.time_ns >= since_ns:
                together.append(self._sample(record) | more)
            if len(together) >= TOGETHER:
                yield {"samples": together}
                together = []
        if together:
            yield {"samples": together}

    async def _held(self, name: str, what: str) -> AsyncIterator[tuple[Record, Json]]:
        views = self.gateway.buffer.views
        if what != "rejected":
            async for record in views.waiting(name or None):
                yield record, {}
            return
        await views.settle()
        for known in [name] if name else await views.held():
            async for row in views.set_aside(known):
                if row.record is not None:
                    yield row.record, {"destination": row.destination, "reason": row.reason}

    def _refused(self, row: SetAside) -> Json:
        record = row.record
        return {
            "destination": row.destination,
            "msg_id": self._name(row.epoch, row.seq),
            "epoch": row.epoch,
            "seq": row.seq,
            "time": iso(row.at_ms * MS_NS),
            "device": record.device if record else None,
            "reason": row.reason,
            "readings": row.readings,
            "values": _values(record) if record else None,
            "again": row.again,
        }

    def _backlogs(self) -> dict[str, Backlog]:
        """What waits, without a look at the card."""
        names = self.gateway.plan.destinations
        waiting = {name: self.gateway.buffer.outbox(name).waiting() for name in names}
        return {
            name: Backlog(
                configured=True,
                count=Count(each.samples, each.readings),
                bytes=each.bytes,
                oldest_ms=each.oldest_ns // MS_NS if each.oldest_ns else None,
            )
            for name, each in waiting.items()
        }

    def _lost(self) -> list[LostLine]:
        """What is known of losses, without a look at the card."""
        facts = self.gateway.buffer.facts().destinations
        return [
            LostLine(name, reason, Count(0, readings), None, 0, exact=False)
            for name, told in facts.items()
            for reason, readings in told.lost_by_reason.items()
        ]

    def _sample(self, record: Record) -> Json:
        return {
            "msg_id": self._name(record.epoch, record.seq),
            "device": record.device,
            "time": iso(record.time_ns),
            "quality": str(record.time),
            "values": _values(record),
        }

    def _name(self, epoch: str, seq: int) -> str:
        return f"{self.gateway.plan.site.id}:{epoch}:{seq}"


def _shown(backlog: Backlog | None, held: Held | None) -> Json:
    shown: Json = {
        "configured": backlog is not None and backlog.configured,
        "waiting": None,
        "rejected": None,
    }
    if backlog is not None:
        shown["waiting"] = {
            "samples": backlog.count.samples,
            "readings": backlog.count.readings,
            "bytes": backlog.bytes,
            "oldest_at": _iso(backlog.oldest_ms),
        }
    if held is not None:
        shown["rejected"] = {
            "samples": held.count.samples,
            "readings": held.count.readings,
            "going_again": held.again,
            "from": _iso(held.from_ms),
            "to": _iso(held.to_ms),
        }
    return shown


def _lost(line: LostLine) -> Json:
    return {
        "reason": line.reason,
        "samples": line.count.samples,
        "readings": line.count.readings,
        "from": _iso(line.from_ms),
        "to": _iso(line.to_ms),
        "exact": line.exact,
    }


def _values(record: Record) -> Json:
    """What JSON of 64 bits cannot hold is written as text."""
    return {point: _plain(value) for point, value in record.values.items()}


def _plain(value: Value) -> Value:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return str(value) if isinstance(value, int) and value.bit_length() >= WORD_BITS else value


def _iso(ms: int | None) -> str | None:
    return iso(ms * MS_NS) if ms else None


def _text(args: Json, name: str) -> str:
    given = args.get(name) or ""
    if not isinstance(given, str):
        raise ValidationError(field=name, reason="not a text")
    return given


def _number(args: Json, name: str, usual: int, most: int) -> int:
    given = args.get(name, usual)
    if type(given) is not int or not 0 <= given <= most:
        raise ValidationError(field=name, reason=f"not a number from 0 to {most}")
    return given


def _id(given: object) -> tuple[str, int]:
    """Beginning of the epoch, and seq."""
    epoch, _, seq = str(given).rpartition(":")
    if not (seq.isascii() and seq.isdigit()):
        message = f"'{given}' is no id of a sample: write 1204, or 6f0d3a:1204."
        raise ValidationError(field="ids", reason="malformed", message=message)
    return epoch.rpartition(":")[2], int(seq)


def _time_ns(args: Json) -> int:
    since = _text(args, "since")
    if not since:
        return 0
    try:
        return from_iso(since)
    except ValueError as error:
        message = "since: write a time such as 2026-11-23T14:46:50Z"
        raise ValidationError(field="since", reason="malformed", message=message) from error
