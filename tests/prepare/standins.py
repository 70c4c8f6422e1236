"""Small kinds in the place of those that a checkout may lack."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from agent import plan
from agent.plan import Json
from agent.prepare.kinds import (
    Compiled,
    ConnectionKind,
    DestinationKind,
    DestinationSettings,
    DeviceInput,
    DeviceSettings,
    Problem,
    ProfileSettings,
    Settings,
)
from agent.prepare.registry import Kinds, installed
from agent.prepare.types import Mac, SecretName


class Radio(Settings):
    adapter: str = "hci0"
    scan: str = "passive"


class Sensor(DeviceSettings):
    mac: Mac
    key: SecretName | None = None


class SensorProfile(ProfileSettings):
    decoder: str | None = None
    points: dict[str, Any] = {}


def compile_radio(name: str, settings: Settings, devices: Sequence[DeviceInput]) -> Compiled:
    assert isinstance(settings, Radio)
    found = {
        d.name: plan.Device(d.name, d.profile.profile, name, "", None, d.settings.enabled, {})
        for d in devices
    }
    return Compiled(settings.adapter, {}, found)


class Broker(DestinationSettings):
    url: str
    certificate: SecretName | None = None
    private_key: SecretName | None = None
    topic: str = "fieldpost/{site}/{device}"


def compile_broker(
    name: str, settings: DestinationSettings, _: plan.Site, __: Mapping[str, plan.Device]
) -> tuple[Json, Sequence[str], Sequence[Problem]]:
    assert isinstance(settings, Broker)
    problems = []
    if settings.url.startswith("mqtt://"):
        message = "mqtt:// can be read by everybody on the way; only mqtts:// is allowed"
        fix = f"write mqtts://{settings.url.removeprefix('mqtt://')}:8883"
        problems.append(Problem(("cloud", name, "url"), message, fix))
    return {}, (), problems


RADIO = ConnectionKind("bluetooth", Radio, Sensor, SensorProfile, compile_radio)
BROKER = DestinationKind(Broker, "agent.cloud.mqtt:open_cloud", compile_broker)


def kinds() -> Kinds:
    """The installed kinds, with stand-ins where one is not there."""
    found = installed()
    connections: dict[str, Callable[[], ConnectionKind]] = dict(found.connections)
    destinations: dict[str, Callable[[], DestinationKind]] = dict(found.destinations)
    if find_spec("drivers.bluetooth.settings") is None:
        connections["bluetooth"] = lambda: RADIO
    if find_spec("agent.cloud.mqtt.settings") is None:
        destinations["mqtt"] = lambda: BROKER
    return replace(found, connections=connections, destinations=destinations)
