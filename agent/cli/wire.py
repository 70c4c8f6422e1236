"""A wire to ask through: the daemon's while it has it, else one opened here."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError as Invalid

from agent.cli.session import Session
from agent.client import Client, socket_path
from agent.daemon.parts import driver_of
from agent.driver import Asker, Asks, DeviceFault, Question, Reason
from agent.errors import NoAnswerError, NotFoundError, UnavailableError, ValidationError
from agent.plan import Connection, Device, Json, Plan
from agent.prepare.compile import prepare
from agent.prepare.kinds import ConnectionKind, DeviceInput, ProfileSettings
from agent.prepare.registry import Kinds, installed

UNITS = "units"  # of a compiled spec: the devices; all else is the wire's own
PORT_KIND, HOST_KIND = "modbus-rtu", "modbus-tcp"


@dataclass(frozen=True, slots=True)
class Wire:
    """A connection of the configuration, or a port or host that is in none.

    Attributes:
        settings: what to write below `connections:`; empty when it is there.
    """

    connection: Connection
    kind: ConnectionKind
    devices: Sequence[Device]
    settings: dict[str, str]

    def device_at(self, address: int) -> str | None:
        """The configured device at this address."""
        return next((d.name for d in self.devices if d.address == str(address)), None)


def wire(session: Session, where: str | None) -> Wire:
    """What a person means by the name of a connection, a port or a host.

    Raises:
        NotFoundError: there is no such connection.
        ValidationError: it is no port or host either.
    """
    kinds, plan = installed(), _plan(session.config_path)
    connections = plan.connections if plan else {}
    fitting = {name: one for name, one in connections.items() if _finder(kinds, one.kind)}
    if where is None and len(fitting) == 1:
        where = next(iter(fitting))
    if plan and where and where in connections:
        return _configured(kinds, plan, connections[where])
    if where and ("/" in where or "." in where or ":" in where):
        same = [one for one in connections.values() if one.place == where]
        return _configured(kinds, plan, same[0]) if same and plan else _bare(kinds, where)
    message = f"There is no connection '{where}'." if where else "Which connection?"
    known = ", ".join(connections) or "none"
    action = f"Connections here: {known}. A port (/dev/...) or a host (192.168.1.40) may be named"
    raise NotFoundError(message, action=action)


@dataclass(frozen=True, slots=True)
class Daemon:
    """An `Asker` that is the daemon's wire.

    Attributes:
        devices: those that it reads on it.
    """

    client: Client
    connection: str
    devices: Sequence[str]

    async def ask(self, question: Question) -> bytes:
        """See `agent.driver.Asker`."""
        asked = asdict(question) | {"body": question.body.hex(), "connection": self.connection}
        answer = await self.client.call("ask", asked)
        if "fault" in answer:
            raise DeviceFault(Reason(answer["fault"]), answer["message"])
        return bytes.fromhex(answer["body"])


@asynccontextmanager
async def opened(session: Session, wire: Wire) -> AsyncIterator[Asker]:
    """The wire: the daemon's, as a `Daemon`, else opened here.

    Raises:
        NoAnswerError: it is not there, or cannot be asked.
    """
    connection = wire.connection
    client = Client(socket_path(session.socket, session.state))
    try:
        lent = await client.call("lends", {"connection": connection.name})
    except UnavailableError:
        session.remark(f"The daemon is not running: opening {connection.place} directly.")
    except NotFoundError:
        session.remark(f"The daemon does not use it: opening {connection.place} directly.")
    else:
        yield Daemon(client, connection.name, lent["devices"])
        return
    driver = driver_of(connection, session.config_path.absolute().parent)
    if not isinstance(driver, Asks):
        message = f"{connection.name} cannot be asked: its devices speak on their own."
        raise NoAnswerError(message)
    async with driver.asking() as asker:
        yield asker


def spec_with(there: Wire, name: str, address: str, profile: ProfileSettings) -> Json:
    """The compiled plan of one device with this profile, as if it were configured on a wire.

    Args:
        there: the wire.
        name: of the device.
        address: of it on the wire.
        profile: not the one it has in the file.
    """
    kind, place = there.kind, there.connection.place
    key = "port" if place.startswith("/") else "host"
    block = {"profile": profile.profile, "via": there.connection.name, "address": address}
    device = DeviceInput(name, kind.device.model_validate(block), profile)
    made = kind.compile(name, kind.settings.model_validate({key: place}), [device]).spec
    return {key: made[key] if key == UNITS else own for key, own in there.connection.spec.items()}


def _plan(config: Path) -> Plan | None:
    return prepare(config, offline=True).plan if config.exists() else None


def _finder(kinds: Kinds, kind: str) -> bool:
    return kinds.connections[kind]().finder is not None


def _configured(kinds: Kinds, plan: Plan, connection: Connection) -> Wire:
    devices = [d for d in plan.devices.values() if d.connection == connection.name]
    return Wire(connection, kinds.connections[connection.kind](), devices, {})


def _bare(kinds: Kinds, where: str) -> Wire:
    """A port or host as it would be with every setting at its default."""
    name = PORT_KIND if where.startswith("/") else HOST_KIND
    key = "port" if name == PORT_KIND else "host"
    kind = kinds.connections[name]()
    try:
        settings = kind.settings.model_validate({key: where})
    except Invalid as error:
        message = f"'{where}' is neither a connection nor a port nor a host"
        raise ValidationError(field="connection", reason="unknown", message=message) from error
    made = kind.compile(where, settings, [])
    connection = Connection(where, name, kinds.opens[name], made.place, made.spec, made.secrets)
    return Wire(connection, kind, [], {"kind": name, key: where})
