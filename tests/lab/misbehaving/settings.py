"""What may stand in the file for a driver that misbehaves."""

from collections.abc import Mapping, Sequence

from agent import plan
from agent.prepare.kinds import (
    Compiled,
    ConnectionKind,
    DeviceInput,
    DeviceSettings,
    ProfileSettings,
    Settings,
)

EVERY_S = 1.0


class Connection(Settings):
    """`connections.<name>`."""

    does: str


class Profile(ProfileSettings):
    """A profile of one point."""

    points: Mapping[str, Mapping[str, str]]


def compiled(name: str, settings: Settings, devices: Sequence[DeviceInput]) -> Compiled:
    assert isinstance(settings, Connection)
    found = {device.name: _device(name, device) for device in devices}
    return Compiled("nowhere", {"does": settings.does, "device": next(iter(found))}, found)


def _device(connection: str, device: DeviceInput) -> plan.Device:
    return plan.Device(
        name=device.name,
        profile=device.settings.profile,
        connection=connection,
        address="",
        every_s=EVERY_S,
        enabled=True,
        points={"level": plan.Point()},
    )


KIND = ConnectionKind("misbehaving", Connection, DeviceSettings, Profile, compiled)
