"""Settings of `kind: tesaiot`."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field, PlainValidator

from agent import plan
from agent.cloud.http.settings import Address, encrypted, named, trusted
from agent.cloud.tesaiot.encode import NAME_MAX, metric_name
from agent.cloud.tesaiot.opening import Plan
from agent.plan import Json
from agent.prepare.kinds import DestinationKind, DestinationSettings, Problem, Spot
from agent.prepare.types import (
    BundleName,
    Interval,
    Name,
    SecretOrPath,
    Switch,
    as_text,
    refuse,
    text,
)


class Live(StrEnum):
    """By which way the newest values travel."""

    HTTPS = "https"
    MQTT = "mqtt"


class MqttPayload(StrEnum):
    """What an installation expects in a live message."""

    FLAT = "flat"
    ENVELOPE = "envelope"


def server_name(value: Any) -> str:
    """A host name, as it stands in a certificate."""
    written = text(value)
    if "/" in written or ":" in written:
        fix = "write the name only, like platform.example.com"
        refuse(f"'{written}' is not the name of a server", fix=fix, code="host")
    return written


ServerName = Annotated[str, PlainValidator(server_name), as_text(r"^[\w.-]+$", "x.example.com")]


class TesaiotSettings(DestinationSettings):
    """`cloud.<name>` of `kind: tesaiot`."""

    bundle: BundleName
    url: Address | None = None
    certificate_url: Address | None = None
    server_name: ServerName | None = None
    identities: dict[Name, BundleName] = Field(default_factory=dict)
    live: Live = Live.HTTPS
    mqtt_payload: MqttPayload = MqttPayload.FLAT
    heartbeat: Interval = 60.0
    ca: SecretOrPath | None = None
    commands: Switch = False


def compiled(
    name: str,
    settings: DestinationSettings,
    _site: plan.Site,
    devices: Mapping[str, plan.Device],
) -> tuple[Json, Sequence[str], Sequence[Problem]]:
    """The spec of `kind: tesaiot`."""
    if not isinstance(settings, TesaiotSettings):
        raise TypeError(type(settings))
    trust = trusted(settings.ca, None, None)
    spec = Plan(
        bundle=settings.bundle,
        url=settings.url,
        certificate_url=settings.certificate_url,
        server_name=settings.server_name,
        identities=settings.identities,
        heartbeat_s=settings.heartbeat,
        trust=trust,
    )
    secrets = named(settings.bundle, trust.ca_secret, *settings.identities.values())
    problems = [
        *(p for url in (settings.url, settings.certificate_url) if url
          for p in encrypted(name, url, "http", None)),
        *_unknown_identities(name, settings, devices),
        *_names(devices, settings.identities),
        *_not_yet(name, settings),
    ]  # fmt: skip
    return plan.to_json(spec), secrets, problems


def _unknown_identities(
    name: str, settings: TesaiotSettings, devices: Mapping[str, plan.Device]
) -> Iterator[Problem]:
    for device in settings.identities:
        if device not in devices:
            message = f"there is no device called '{device}'"
            note = f"devices in this file: {', '.join(devices)}"
            path = ("cloud", name, "identities", device)
            yield Problem(path, message, note=note, spot=Spot.KEY, code="reference")


def _names(
    devices: Mapping[str, plan.Device], identities: Mapping[str, object]
) -> Iterator[Problem]:
    """Names that meet, or grow too long, once `<device>_<point>` is one word."""
    taken: dict[str, tuple[str, str]] = {}
    flat = [
        (device, point)
        for device in devices
        if device not in identities
        for point in devices[device].points
    ]
    for device, point in flat:
        sent = metric_name(device, point)
        other = taken.setdefault(sent, (device, point))
        if other != (device, point):
            message = (
                f"'{other[0]}' with point '{other[1]}' and '{device}' with point '{point}'"
                f" would both be sent as '{sent}'"
            )
            path = ("devices", device)
            yield Problem(path, message, "rename one device", spot=Spot.KEY, code="flattened")
        if len(device) + 1 + len(point) > NAME_MAX:
            message = f"'{device}' with point '{point}' is too long a name for the platform"
            note = f"{NAME_MAX} characters at most, as <device>_<point>"
            fix = "give the device a shorter name"
            yield Problem(("devices", device), message, fix, note, spot=Spot.KEY, code="flattened")


def _not_yet(name: str, settings: TesaiotSettings) -> Iterator[Problem]:
    for key, asked in (("live", settings.live is Live.MQTT), ("commands", settings.commands)):
        if asked:
            message = f"'{key}' cannot be switched on in this version"
            fix = f"leave the line  {key}:  out"
            yield Problem(("cloud", name, key), message, fix, spot=Spot.KEY, code="not_yet")


KIND: Final = DestinationKind(TesaiotSettings, "agent.cloud.tesaiot:open_cloud", compiled)
