"""What the socket can be asked, and who may ask it: questions in, answers of the gateway out."""

import dataclasses
import os
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

import agent
from agent.client.role import Role
from agent.daemon import discovery, lending, recent, write_verb
from agent.daemon.audit import Audit
from agent.daemon.conversation import Peer, StreamVerb, Verb
from agent.daemon.gateway import Gateway
from agent.daemon.queue_verbs import QueueVerbs
from agent.daemon.supervisor import asked
from agent.daemon.tokens import Tokens, as_json
from agent.driver import DeviceFault, DriverError, Reads
from agent.errors import DeviceNotFoundError, NoAnswerError, NotFoundError, ValidationError
from agent.plan import Json


@dataclass(frozen=True, slots=True)
class Answers:
    """The gateway behind the verbs."""

    gateway: Gateway
    tokens: Tokens
    audit: Audit

    def verbs(self) -> Mapping[str, Verb | StreamVerb]:
        """Every verb by name."""
        return {
            **QueueVerbs(self.gateway).verbs(),
            "ping": Verb(Role.VIEWER, self.ping),
            "snapshot": Verb(Role.VIEWER, self.snapshot),
            "settings": Verb(Role.VIEWER, self.settings),
            "history": Verb(Role.VIEWER, self.history),
            "events": Verb(Role.OPERATOR, self.events, status=True),
            "read": Verb(Role.OPERATOR, self.read),
            "write": Verb(Role.OPERATOR, self.write, changes=True),
            "discover": Verb(Role.OPERATOR, self.discover),
            "lends": Verb(Role.OPERATOR, self.lends),
            "ask": Verb(Role.OPERATOR, self.ask),
            "monitor": StreamVerb(Role.OPERATOR, self.monitor),
            "tokens": Verb(Role.ADMIN, self.list_tokens, status=True),
            "token.used": Verb(Role.ADMIN, self.token_used, status=True),
            "token.add": Verb(Role.ADMIN, self.token_add, changes=True),
            "token.revoke": Verb(Role.ADMIN, self.token_revoke, changes=True),
            "audit": Verb(Role.ADMIN, self.list_audit, status=True),
            "audit.note": Verb(Role.ADMIN, self.audit_note, status=True),
        }

    async def ping(self, _args: Json, _peer: Peer) -> Json:
        """That the loop turns."""
        return {"version": agent.__version__, "pid": os.getpid()}

    async def snapshot(self, _args: Json, _peer: Peer) -> Json:
        """Everything the page and `fieldpost status` show."""
        return self.gateway.snapshot()

    async def settings(self, _args: Json, _peer: Peer) -> Json:
        """What the status service needs to know of the plan."""
        plan = self.gateway.plan
        return {"site": dataclasses.asdict(plan.site), "status": dataclasses.asdict(plan.status)}

    async def history(self, args: Json, _peer: Peer) -> Json:
        """The newest samples of one device, from RAM."""
        return recent.answer(self.gateway.history, self._device(args), args)

    async def events(self, args: Json, _peer: Peer) -> Json:
        """The last changes of state, one sentence each."""
        device = args.get("device")
        return {"events": self.gateway.health.events(subject=device)}

    async def read(self, args: Json, _peer: Peer) -> Json:
        """One device or point, read now, between the scheduled reads."""
        device = self.gateway.plan.devices[self._device(args)]
        supervisor = self.gateway.supervisors.get(device.connection)
        reader = supervisor.driver if supervisor else None
        if reader is None:
            message = f"{device.connection} is not open, so {device.name} cannot be read."
            raise NoAnswerError(message, action="fieldpost status")
        if not isinstance(reader, Reads):
            message = f"{device.name} speaks on its own; it cannot be asked."
            raise NoAnswerError(message, action=f"fieldpost status shows what {device.name} said")
        try:
            async with asked(device.connection):
                readings = await reader.read(device.name, self._point(args, device.points))
        except (DeviceFault, DriverError) as error:
            message = f"{device.name}: {error.message}"
            raise NoAnswerError(message, action=error.action) from error
        return {"readings": [write_verb.as_json(r) for r in readings]}

    async def write(self, args: Json, _peer: Peer) -> Json:
        """One point changed, once, and read back."""
        return await write_verb.write(self.gateway, args)

    async def discover(self, args: Json, _peer: Peer) -> Json:
        """What is there on all connections of one kind, configured or not."""
        return {"found": await discovery.found(self.gateway, args)}

    async def lends(self, args: Json, _peer: Peer) -> Json:
        """Whether a connection is the daemon's, and which devices it reads there."""
        return await lending.lends(self.gateway, args)

    async def ask(self, args: Json, _peer: Peer) -> Json:
        """One harmless question to one unit of a wire."""
        return await lending.ask(self.gateway, args)

    def monitor(self, args: Json, _peer: Peer) -> AsyncGenerator[Json, None]:
        """What passes on a connection, as it happens."""
        return lending.traffic(self.gateway, args)

    async def list_tokens(self, _args: Json, _peer: Peer) -> Json:
        """Hashes, never tokens."""
        return {"tokens": [as_json(token) for token in self.tokens.all()]}

    async def token_used(self, args: Json, _peer: Peer) -> Json:
        """The status service let somebody in."""
        self.tokens.used(str(args.get("id")))
        return {}

    async def token_add(self, args: Json, _peer: Peer) -> Json:
        """A new token; its text is in this answer and nowhere else."""
        token, text = self.tokens.add(
            str(args.get("name")), str(args.get("role")), args.get("expires")
        )
        return {"token": text, **as_json(token)}

    async def token_revoke(self, args: Json, _peer: Peer) -> Json:
        """Whoever holds that token is out."""
        return as_json(self.tokens.revoke(str(args.get("name"))))

    async def list_audit(self, _args: Json, _peer: Peer) -> Json:
        """The newest lines of the audit log."""
        return {"lines": list(self.audit.newest())}

    async def audit_note(self, args: Json, _peer: Peer) -> Json:
        """What the status service let in or kept out."""
        facts = args.get("facts")
        self.audit.note(
            str(args.get("who")),
            str(args.get("what")),
            facts if isinstance(facts, dict) else {},
            str(args.get("result")),
        )
        return {}

    def _device(self, args: Json) -> str:
        name = str(args.get("device", ""))
        if name not in self.gateway.plan.devices:
            message = f"There is no device '{name}'."
            known = ", ".join(self.gateway.plan.devices)
            raise DeviceNotFoundError(message, action=f"Devices here: {known}")
        return name

    def _point(self, args: Json, points: Mapping[str, object]) -> str | None:
        point = args.get("point")
        if point is None:
            return None
        if not isinstance(point, str):
            raise ValidationError(field="point", reason="not a text")
        if points and point not in points:
            message = f"{args['device']} has no point '{point}'."
            raise NotFoundError(message, action=f"Points here: {', '.join(points)}")
        return point
