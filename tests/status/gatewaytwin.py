"""A daemon that is not there: its real socket and real health, a made-up bakery behind them.

Run as a program it serves until stopped: `python -m tests.status.gatewaytwin SOCKET`.
"""

import asyncio
import dataclasses
import hashlib
import math
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from agent import plan
from agent.client import Role
from agent.cloud import Unreachable
from agent.daemon import recent
from agent.daemon.conversation import Peer, Verb
from agent.daemon.health import (
    Card,
    ClockFacts,
    Configuration,
    Health,
    Machine,
    Memory,
    Power,
    Queue,
    Store,
    Surroundings,
    Throttling,
)
from agent.daemon.history import History
from agent.daemon.socket import Roles, SocketServer
from agent.driver import DeviceFault, Reason
from agent.errors import DeviceNotFoundError
from agent.plan import Json, Point
from agent.sample import Sample, Value
from tests.daemon.health.bakery import ObedientClock

SITE = plan.Site("Bakery North", "ES-0231", "Europe/Madrid", 2_000_000_000, 1.0)
TOKENS = {  # by role
    Role.VIEWER: "fp_viewer23_" + "v" * 43,
    Role.OPERATOR: "fp_operat23_" + "o" * 43,
    Role.ADMIN: "fp_adminx23_" + "a" * 43,
}
EXPIRED = "fp_expired2_" + "e" * 43
HOUR_S = 3600
METER = {
    "voltage": Point("V", 5.0, 180, 280),
    "power": Point("kW", 5.0, -50, 50),
    "energy": Point("kWh", 5.0, 0, counter=True),
}
DEVICES = {
    "main-meter": ("eastron-sdm630", "rs485", "1", 5.0, METER),
    "oven-meter": ("eastron-sdm120", "rs485", "2", 10.0, METER),
    "inverter": ("sunspec-inverter", "inverter-lan", "1", 10.0, {"power": Point("kW", 10.0)}),
    "weather": (
        "nmea-weather", "weather-mast", "", None,
        {"temperature": Point("Cel", low=-40, high=60), "wind_speed": Point("m/s")},
    ),
    "cold-room": (
        "ruuvitag", "radio", "CB:B8:33:4C:88:4F", None,
        {"temperature": Point("Cel", low=-40, high=85), "humidity": Point("%"),
         "battery": Point("V")},
    ),
    "freezer": ("bthome", "radio", "A4:C1:38:A1:B2:C3", None, {"temperature": Point("Cel")}),
    "shop-floor": (
        "govee-h5075", "radio", "A4:C1:38:00:27:62", None,
        {"temperature": Point("Cel"), "humidity": Point("%"), "battery": Point("%")},
    ),
    "vibration": ("acme-vib-gatt", "radio", "E1:5C:0A:77:20:9D", 300.0, {"rms": Point("mm/s")}),
}  # fmt: skip
CONNECTIONS = {
    "rs485": ("modbus-rtu", "/dev/serial/by-id/usb-FTDI_USB-RS485_Cable_FT4XY12A-if00-port0"),
    "inverter-lan": ("modbus-tcp", "192.168.1.40:502"),
    "weather-mast": ("serial-lines", "/dev/serial/by-id/usb-Prolific-if00-port0"),
    "radio": ("bluetooth", "hci0"),
}
DESTINATIONS = {"platform": ("tesaiot", 60.0), "scada": ("mqtt", 10.0), "archive": ("http", 300.0)}
MACHINE = Machine(
    model="Raspberry Pi 4 Model B Rev 1.5",
    boot_uptime_s=529_702,
    card=Card(
        24_696_061_952, 30_156_980_224, read_only=False, written_bytes=90_000_000_000,
        written_bytes_day=1_190_000_000, agent_written_bytes_day=960_000_000,
        projected_life_years=23.0, assumed_endurance_bytes=10_000_000_000_000,
    ),
    clock=ClockFacts(synchronized=True, steps_24h=0, rtc=False),
    power=Power(low_now=False, low_24h=2),
    throttling=Throttling((), ()),
    celsius=51.1,
    memory=Memory(372_244_480, 446_693_376, 33_477_376),
    load_1min=0.42,
)  # fmt: skip
WAITING = {"samples": 206, "readings": 412, "bytes": 9000, "oldest_at": None}
LOST = {
    "reason": "thinned", "samples": 60, "readings": 120, "exact": True,
    "from": "2026-11-20T00:00:00.000Z", "to": "2026-11-21T00:00:00.000Z",
}  # fmt: skip
REJECTED = {
    "destination": "archive", "msg_id": "ES-0231:6f0d:17", "epoch": "6f0d", "seq": 17,
    "time": "2026-11-23T12:04:00.000Z", "device": "oven-meter", "reason": "value too large",
    "readings": 1, "values": {"power": 1e9}, "again": False,
}  # fmt: skip
REFUSES = DeviceFault(
    Reason.REFUSES_CONNECTION, "heard, but it refuses connections",
    action="Another program or phone may be connected to this sensor",
)  # fmt: skip
NO_PORT = DeviceFault(
    Reason.REFUSES_CONNECTION, "192.168.1.40 is there but refuses port 502",
    action="Enable Modbus TCP in its menu, or end the other program that is connected",
)  # fmt: skip


def running() -> plan.Plan:
    """The plan of the bakery in the configuration's example."""
    return plan.Plan(
        plan.FORMAT,
        plan.Origin("0", {}),
        SITE,
        {n: plan.Device(n, p, c, a, e, True, pts) for n, (p, c, a, e, pts) in DEVICES.items()},  # noqa: FBT003 - enabled
        {n: plan.Connection(n, kind, "x:y", place, {}) for n, (kind, place) in CONNECTIONS.items()},
        {
            n: plan.Destination(n, k, "x:y", every, None, {})
            for n, (k, every) in DESTINATIONS.items()
        },
        plan.Status(names=("gateway.bakery.lan",)),
    )


def values(device: str, at_s: float) -> Mapping[str, Value]:
    """What a device says at that second: days and ovens in sines."""
    day = math.sin(2 * math.pi * at_s / 86_400)
    oven = 1.0 if at_s % 14_400 < 8000 else 0.1
    ripple = math.sin(at_s / 2900) + 0.5 * math.sin(at_s / 1130) + 0.2 * math.sin(at_s / 170)
    said: dict[str, Mapping[str, Value]] = {
        "main-meter": {
            "voltage": round(231.4 + ripple, 1), "power": round(4.3 + 1.5 * day + 0.3 * ripple, 2),
            "energy": round(18_400 + at_s / 800, 1),
        },
        "oven-meter": {
            "voltage": round(230.9 + ripple, 1), "power": round(2.1 * oven + 0.05 * ripple, 2),
            "energy": round(3180 + at_s / 3000, 1),
        },
        "inverter": {"power": round(max(0.0, 5 * day + 0.2 * ripple), 2)},
        "weather": {"temperature": round(11 + 4 * day, 1), "wind_speed": round(4 + ripple, 1)},
        "cold-room": {
            "temperature": round(4.1 + 0.3 * ripple, 1), "humidity": round(71 + ripple),
            "battery": 2.98,
        },
        "freezer": {"temperature": round(-18.4 + 0.2 * ripple, 1)},
        "shop-floor": {
            "temperature": round(21.3 + day, 1), "humidity": round(40 + 4 * day), "battery": 100,
        },
    }  # fmt: skip
    return said.get(device, {})


class GatewayTwin:
    """A bakery that has been running for a day; every word of it comes from the real health.

    Args:
        past_s: how much of its past to live through; short is quick.
    """

    def __init__(self, past_s: float = HOUR_S) -> None:
        self.clock = ObedientClock(500_000.0)
        self.clock.step_wall(-past_s)
        self.plan = running()
        self.health = Health(self.plan, self.clock)
        self.history = History(self.plan, self.clock)
        self.used: list[str] = []
        self.asked: dict[str, int] = {}
        self.noted: list[Json] = []
        self.rejected_asked: Json = {}
        self._live(past_s)

    def surroundings(self) -> Surroundings:
        """The machine, the store and the queues."""
        return Surroundings(
            MACHINE,
            Store("6f0d1c2b", SITE.buffer_bytes, 1_310_720, 31_882_140, 0),
            {
                "platform": Queue(delivered_total=31_882_140),
                "scada": Queue(delivered_total=31_882_140),
                "archive": Queue(412, 9000, self.clock.wall_ns - 185 * 10**9, 31_881_728),
            },
            Configuration(41, self.clock.wall_ns - 200_000 * 10**9, "pi", edited_not_applied=True),
        )

    def verbs(self) -> Mapping[str, Verb]:
        """What the status service asks."""
        return {
            "snapshot": Verb(Role.VIEWER, self._snapshot),
            "settings": Verb(Role.VIEWER, self._settings),
            "history": Verb(Role.VIEWER, self._history),
            "events": Verb(Role.OPERATOR, self._events, status=True),
            "queue": Verb(Role.VIEWER, self._queue),
            "queue.rejected": Verb(Role.OPERATOR, self._rejected, status=True),
            "tokens": Verb(Role.ADMIN, self._tokens, status=True),
            "token.used": Verb(Role.ADMIN, self._token_used, status=True),
            "audit": Verb(Role.ADMIN, self._audit, status=True),
            "audit.note": Verb(Role.ADMIN, self._audit_note, status=True),
        }

    def say(self, device: str) -> None:
        """One sample of one device."""
        said = values(device, self.clock.monotonic_s())
        if said:
            sample = Sample(device, self.clock.now(), said)
            self.health.sample(sample, checked=sum(p in said for p in ("voltage", "temperature")))
            self.history.record(sample)

    def _live(self, past_s: float) -> None:
        steps = int(past_s // 10)
        for step in range(steps):
            self.clock.go(10)
            for name in DEVICES:
                silent = name == "inverter" and (step > steps - 5 or step % 26 == 0)
                self.health.fault(name, None, NO_PORT) if silent else self.say(name)
            if step % 30 == 0:
                self.health.fault("vibration", None, REFUSES)
            for name in DESTINATIONS:
                self.health.delivered(name, 100)
            if step % 6 == 0:
                self.health.look(self.surroundings())
        self.health.look(self.surroundings())

    async def _snapshot(self, _args: Json, _peer: Peer) -> Json:
        self.asked["snapshot"] = self.asked.get("snapshot", 0) + 1
        return self.health.snapshot(self.surroundings())

    async def _settings(self, _args: Json, _peer: Peer) -> Json:
        return {"site": dataclasses.asdict(SITE), "status": dataclasses.asdict(self.plan.status)}

    async def _history(self, args: Json, _peer: Peer) -> Json:
        if args["device"] not in DEVICES:
            message = f"There is no device '{args['device']}'."
            raise DeviceNotFoundError(message)
        return recent.answer(self.history, args["device"], args)

    async def _events(self, _args: Json, _peer: Peer) -> Json:
        return {"events": self.health.events()}

    async def _queue(self, _args: Json, _peer: Peer) -> Json:
        status = self.health.snapshot(self.surroundings())["status"]
        held = {"configured": True, "waiting": WAITING, "rejected": None, "lost": [LOST]}
        found = {name: one | held for name, one in status["destinations"].items()}
        return {"store": status["store"], "destinations": found}

    async def _rejected(self, args: Json, _peer: Peer) -> Json:
        self.rejected_asked = args
        return {"total": 12, "rejected": [REJECTED]}

    async def _tokens(self, _args: Json, _peer: Peer) -> Json:
        known = [_token(text, role.word) for role, text in TOKENS.items()]
        return {"tokens": [*known, _token(EXPIRED, "viewer", "2026-01-01T00:00:00Z")]}

    async def _token_used(self, args: Json, _peer: Peer) -> Json:
        self.used.append(args["id"])
        return {}

    async def _audit(self, _args: Json, _peer: Peer) -> Json:
        return {"lines": self.noted}

    async def _audit_note(self, args: Json, _peer: Peer) -> Json:
        self.noted.append(args)
        return {}


def _token(text: str, role: str, expires: str | None = None) -> Json:
    return {
        "id": text[3:11],
        "name": f"the-{role}",
        "role": role,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "created": "2026-11-01T08:00:00Z",
        "last_used": None,
        "expires": expires,
    }


@asynccontextmanager
async def listening(twin: GatewayTwin, path: Path) -> AsyncIterator[None]:
    """The twin behind the daemon's real socket."""
    server = SocketServer(path, twin.verbs(), Roles(os.geteuid()))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run(), name="daemon twin")
        await server.ready.wait()
        yield
        task.cancel()


async def _serve(path: Path) -> None:
    twin = GatewayTwin(24 * HOUR_S)
    twin.health.destination_failed("archive", Unreachable("no route to ingest.example.com"), 114)
    async with listening(twin, path):
        while True:
            await asyncio.sleep(5)
            twin.clock.go(5)
            for name in DEVICES:
                if name != "inverter":
                    twin.say(name)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
