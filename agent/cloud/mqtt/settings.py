"""Settings of `kind: mqtt`."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import PlainValidator

from agent import plan
from agent.cloud.http.settings import address_like, encrypted, named, paired, secrets_of, trusted
from agent.cloud.mqtt.destination import Plan
from agent.plan import Json
from agent.prepare.kinds import DestinationKind, DestinationSettings, Problem, Spot
from agent.prepare.types import (
    Interval,
    Seconds,
    SecretName,
    SecretOrPath,
    Switch,
    as_text,
    refuse,
    text,
)

PORT: Final = 1883
PORT_ENCRYPTED: Final = 8883
REPLAY_S: Final = 2400.0  # mosquitto writes its file every 1800 s, unless it is told otherwise
PLACEHOLDERS: Final = ("{site}", "{device}")


class Version(StrEnum):
    """Of the protocol; with 5, a broker that only speaks 3.1.1 is understood as well."""

    FIVE = "5"
    THREE = "3.1.1"


class Payload(StrEnum):
    """How records are laid out."""

    COLUMNS = "columns"
    SAMPLES = "samples"


class Names(StrEnum):
    """How often the names of points travel."""

    ONCE = "once"
    EACH = "each"


def topic(value: Any) -> str:
    """A topic to publish to."""
    written = text(value)
    rest = written
    for placeholder in PLACEHOLDERS:
        rest = rest.replace(placeholder, "")
    if "{" in rest or "}" in rest:
        note = "placeholders: {site}, {device}"
        refuse(f"'{written}' has a placeholder we do not know", note=note, code="topic")
    if not written or any(character in written for character in "+#\0"):
        refuse(f"'{written}' cannot be a topic: + and # are only for readers", code="topic")
    return written


Topic = Annotated[str, PlainValidator(topic), as_text(r"^[^+#]+$", "fieldpost/{site}/{device}")]
Broker = Annotated[
    str,
    PlainValidator(partial(address_like, "mqtts://broker.example.com")),
    as_text(r"^[a-z]+://\S+$", "mqtts://broker.example.com"),
]
Plain = Annotated[str, PlainValidator(text), as_text(r"^.+$", "ES-0231")]


class MqttSettings(DestinationSettings):
    """`cloud.<name>` of `kind: mqtt`."""

    every: Interval = 10.0
    url: Broker
    client_id: Plain | None = None
    username: Plain | None = None
    password: SecretName | None = None
    topic: Topic = "fieldpost/{site}/{device}"
    certificate: SecretName | None = None
    private_key: SecretName | None = None
    ca: SecretOrPath | None = None
    version: Version = Version.FIVE
    payload: Payload = Payload.COLUMNS
    names: Names = Names.ONCE
    compress: Switch = True
    status_topic: Topic | None = None
    replay: Seconds = REPLAY_S
    commands: Switch = False


def compiled(
    name: str,
    settings: DestinationSettings,
    site: plan.Site,
    _devices: Mapping[str, plan.Device],
) -> tuple[Json, Sequence[str], Sequence[Problem]]:
    """The spec of `kind: mqtt`."""
    if not isinstance(settings, MqttSettings):
        raise TypeError(type(settings))
    parts = urlsplit(settings.url)
    secure = parts.scheme != "mqtt"
    trust = trusted(settings.ca, settings.certificate, settings.private_key)
    status = settings.status_topic
    spec = Plan(
        host=parts.hostname or "",
        port=parts.port or (PORT_ENCRYPTED if secure else PORT),
        encrypted=secure,
        client_id=settings.client_id or site.id,
        topic=settings.topic.replace("{site}", site.id),
        username=settings.username,
        password=settings.password,
        trust=trust,
        version=settings.version.value,
        payload=settings.payload.value,
        names=settings.names.value,
        compress=settings.compress,
        status_topic=status.replace("{site}", site.id) if status else None,
    )
    problems = [
        *encrypted(name, settings.url, "mqtt", PORT_ENCRYPTED),
        *paired(name, settings.certificate, settings.private_key),
        *_odd(name, settings),
    ]
    return plan.to_json(spec), named(settings.password, *secrets_of(trust)), problems


def _odd(name: str, settings: MqttSettings) -> Iterator[Problem]:
    if settings.password and not settings.username:
        message = "'password' is here but 'username' is not"
        fix = "they belong together: add  username: ..."
        yield Problem(("cloud", name, "password"), message, fix, spot=Spot.KEY, code="pair")
    if settings.status_topic and "{device}" in settings.status_topic:
        message = "the status is the gateway's, so its topic cannot name a device"
        fix = "leave {device} out"
        yield Problem(("cloud", name, "status_topic"), message, fix, code="topic")
    if settings.commands:
        message = "'commands' cannot be switched on in this version"
        fix = "leave the line  commands:  out"
        path = ("cloud", name, "commands")
        yield Problem(path, message, fix, spot=Spot.KEY, code="not_yet")


KIND: Final = DestinationKind(MqttSettings, "agent.cloud.mqtt:open_cloud", compiled)
