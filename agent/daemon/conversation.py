"""One client of the daemon's socket: each request judged by its role and answered in order."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass

import orjson

from agent import logging
from agent.client.places import spelled
from agent.client.role import Role
from agent.errors import FieldpostError, ForbiddenError, NotFoundError, ValidationError
from agent.plan import Json

LINE_WITHIN_S = 5.0  # from its first byte to its end: a half request must not keep a place
PATIENCE_S = 120.0  # a stick may stop taking bytes for long; nobody stops for ever
WAITING_BYTES_MAX = 1_000_000  # unread answers: whoever lets more pile up is not listening
# what a verb may stumble over when it reads its arguments: a bug worth a log line, not the daemon
STUMBLES = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)

log = logging.get("socket")


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end, as the kernel vouches for it (SO_PEERCRED).

    Attributes:
        status: it is the status process.
    """

    pid: int
    uid: int
    role: Role
    status: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """A question with one answer.

    Attributes:
        role: the lowest that may ask.
        answer: raises FieldpostError for what it refuses.
        status: the status process may ask too, whatever its role: it judges its own clients.
        changes: something is different afterwards, so a line goes into the audit log.
    """

    role: Role
    answer: Callable[[Json, Peer], Awaitable[Json]]
    status: bool = False
    changes: bool = False


@dataclass(frozen=True, slots=True)
class StreamVerb:
    """A question with many answers; the iterator is closed when the client goes away.

    Attributes:
        role: the lowest that may ask.
        items: an async generator; it raises FieldpostError for what it refuses.
        status: the status process may ask too.
        patient: it goes on when the client has read; else one that reads too slowly is closed.
    """

    role: Role
    items: Callable[[Json, Peer], AsyncGenerator[Json, None]]
    status: bool = False
    patient: bool = False


Verbs = Mapping[str, Verb | StreamVerb]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a request.

    Attributes:
        code: `ok` or an error code.
        detail: the sentence that the client was told; empty when it is fine.
    """

    code: str = "ok"
    detail: str = ""


Audit = Callable[[Peer, str, Json, Result], None]


class Conversation:
    """Answers one client until it leaves or misbehaves.

    Args:
        audit: told peer, verb, arguments and result of everything that changes something.
        command: what to type before a verb that is to mean this daemon.
    """

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        peer: Peer,
        verbs: Verbs,
        audit: Audit | None,
        command: str,
    ) -> None:
        self._reader, self._writer = streams
        self._peer = peer
        self._verbs = verbs
        self._audit = audit
        self._command = command

    async def run(self) -> None:
        """Take request after request; returns when the connection is to be closed."""
        while line := await self._line():
            if not await self._request(line):
                return

    def refuse(self, error: FieldpostError, number: object = None) -> bool:
        """Say why not; false when the client no longer listens."""
        said: Json = {"code": error.code, "message": error.message}
        if isinstance(error, ValidationError):
            said["details"] = {"field": error.field, "reason": error.reason}
        if error.action is not None:
            said["action"] = error.action
        return self._say({"id": number, "ok": False, "error": said})

    async def _line(self) -> bytes | None:
        first = await self._reader.read(1)  # between two requests a client may take its time
        try:
            async with asyncio.timeout(LINE_WITHIN_S):
                return first + await self._reader.readuntil(b"\n") if first else None
        except asyncio.LimitOverrunError:
            self.refuse(ValidationError("request", "too long", "This request is too long."))
        except TimeoutError:
            self.refuse(ValidationError("request", "too slow", "This request took too long."))
        except asyncio.IncompleteReadError:
            pass  # the client left in the middle
        return None

    async def _request(self, line: bytes) -> bool:
        number = None
        try:
            number, name, args = _parse(line)
            verb = self._verb(name)
            if isinstance(verb, StreamVerb):
                self._permit(verb)
                return await self._stream(number, self._items(verb, args))
            return self._say({"id": number, "ok": True, "data": await self._ask(verb, name, args)})
        except FieldpostError as error:
            return self.refuse(error, number)
        except STUMBLES as error:
            return self._stumbled(number, error)

    def _verb(self, name: str) -> Verb | StreamVerb:
        verb = self._verbs.get(name)
        if verb is None:
            message = f"This daemon knows no verb '{name}'."
            raise NotFoundError(message)
        return verb

    def _permit(self, verb: Verb | StreamVerb) -> None:
        if self._peer.role < verb.role and not (self._peer.status and verb.status):
            message = f"Only {_WHO[verb.role]} may do this."
            raise ForbiddenError(message, action="Run it again with sudo")

    async def _ask(self, verb: Verb, name: str, args: Json) -> Json:
        result = Result()
        try:
            self._permit(verb)
            return await verb.answer(args, self._peer)
        except FieldpostError as error:
            result = Result(error.code, error.message)
            raise
        finally:
            if verb.changes:
                self._note(name, args, result)

    async def _stream(self, number: object, items: AsyncGenerator[Json, None]) -> bool:
        """Send items until they end or the client does anything: what it sends ends the stream."""
        async with asyncio.TaskGroup() as group:
            pump = group.create_task(self._pump(number, items), name="socket stream")
            leaves = group.create_task(self._stirs(), name="socket stream reader")
            await asyncio.wait({pump, leaves}, return_when=asyncio.FIRST_COMPLETED)
            leaves.cancel()
            pump.cancel()
        return leaves.cancelled() and not pump.cancelled() and pump.result()

    async def _items(self, verb: StreamVerb, args: Json) -> AsyncGenerator[Json, None]:
        """Each item, when the client has room for it."""
        async with aclosing(verb.items(args, self._peer)) as items:
            async for item in items:
                yield item
                if verb.patient and not await self._has_read():
                    return

    async def _has_read(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._writer.drain()
        except OSError:  # it is gone, or time is up, which is a kind of OSError too
            self._writer.transport.abort()
            return False
        return True

    async def _stirs(self) -> None:
        with suppress(OSError):  # it is gone: the same to us as a word from it
            await self._reader.read(1)

    async def _pump(self, number: object, items: AsyncGenerator[Json, None]) -> bool:
        try:
            return await self._all(number, items)
        except FieldpostError as error:
            return self.refuse(error, number)
        except STUMBLES as error:
            return self._stumbled(number, error)

    async def _all(self, number: object, items: AsyncGenerator[Json, None]) -> bool:
        async with aclosing(items):
            async for item in items:
                if not self._say({"id": number, "ok": True, "data": item}):
                    return False
        return self._say({"id": number, "ok": True, "end": True})

    def _stumbled(self, number: object, error: Exception) -> bool:
        log.error(
            "A request failed inside the daemon.", event_type="socket.stumbled", exc_info=error
        )
        message = "This went wrong inside the daemon; its log says more."
        return self.refuse(FieldpostError(message), number)

    def _say(self, said: Json) -> bool:
        transport = self._writer.transport
        if transport.is_closing():
            return False
        if transport.get_write_buffer_size() > WAITING_BYTES_MAX:
            transport.abort()
            return False
        self._writer.write(orjson.dumps(spelled(said, self._command)) + b"\n")
        return True

    def _note(self, verb: str, args: Json, result: Result) -> None:
        if self._audit is not None:
            self._audit(self._peer, verb, args, result)


_WHO = {
    Role.VIEWER: "viewers",
    Role.OPERATOR: "members of the group fieldpost",
    Role.ADMIN: "an administrator",
}


def _parse(line: bytes) -> tuple[object, str, Json]:
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValidationError(field="request", reason="not JSON") from error
    match read:
        case {"verb": str(verb), **rest} if isinstance(args := rest.get("args", {}), dict):
            return rest.get("id"), verb, args
    raise ValidationError(field="request", reason="not a request")
