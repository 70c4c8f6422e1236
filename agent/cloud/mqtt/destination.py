"""`kind: mqtt`: batches as a few large messages to any broker; its PUBACK is the receipt."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from agent import logging
from agent.cloud import (
    Batch,
    BatchRefused,
    Ends,
    Limits,
    Place,
    Receipt,
    Record,
    Unreachable,
    Vitals,
)  # fmt: skip
from agent.cloud.expiry import der_ends_ns
from agent.cloud.metering import Meter
from agent.cloud.mqtt import reasons
from agent.cloud.mqtt.columns import Message, Shape, Writer, fitting, points_topic
from agent.cloud.mqtt.link import Answer, Dropped, Link, Lost, Options, Session
from agent.cloud.tls import Trust
from agent.errors import FieldpostError
from agent.plan import Json, from_json
from agent.secret import Secret

log = logging.get("cloud.mqtt")

ANSWER_S = 30.0  # for all PUBACKs of a batch
PRESENCE_S = 30.0
SHORT_LIFE_S = 10.0  # a connection that ends sooner was not ended by the network
SHORT_LIVES = 3  # of those in a row mean that somebody else uses our client id
ONLINE, OFFLINE = orjson.dumps({"status": "online"}), orjson.dumps({"status": "offline"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What the settings of `kind: mqtt` compile to; names of secrets, never secrets.

    Attributes:
        topic: `{site}` is filled in, `{device}` may be in it.
        version: 5 or 3.1.1.
        payload: columns or samples.
        names: of points, once per session (announced) or in each message.
        status_topic: where "online" and the last will go, retained; None = nowhere.
    """

    host: str
    port: int
    encrypted: bool
    client_id: str
    topic: str
    username: str | None = None
    password: str | None = None
    trust: Trust = field(default_factory=Trust)
    version: str = "5"
    payload: str = "columns"
    names: str = "once"
    compress: bool = True
    status_topic: str | None = None


class MqttCloud:
    """Publishes to one broker, over one connection at a time.

    Args:
        gateway: `site.id`.
        plan: the compiled settings.
        options: how to connect.
        answer_s: for all PUBACKs of a batch.
    """

    def __init__(
        self, gateway: str, plan: Plan, options: Options, *, answer_s: float = ANSWER_S
    ) -> None:
        self._answer_s = answer_s
        self._gateway = gateway
        self._plan = plan
        self._options = options
        self._version_5 = plan.version == "5"
        self._link: Link | None = None
        self._meter = Meter()
        self._ends = Ends(options.own_ends_ns)
        self._connecting = asyncio.Lock()
        self._session = Session(present=False)
        self._forgot = False
        self._announced: set[tuple[str, Shape]] = set()
        self._names_once = plan.names == "once" and plan.payload == "columns"
        self._opened_at = 0.0
        self._short_lives = 0

    @property
    def limits(self) -> Limits:
        """A thousand samples travel as one message per device."""
        return Limits()

    @property
    def place(self) -> Place:
        """The broker."""
        return Place(self._options.host, self._options.port, self._options.tls)

    @property
    def wire_bytes(self) -> int:
        """What it cost so far."""
        return self._meter.total

    @property
    def ends(self) -> Ends:
        """When certificates run out."""
        return self._ends

    async def send(self, batch: Batch) -> Receipt:
        """Publish a batch and wait for its PUBACKs; only their reason codes count."""
        link = await self._connected()
        try:
            async with asyncio.timeout(self._answer_s):
                return await self._publish(link, batch)
        except TimeoutError as error:
            await self._drop()
            message = f"{self._options.place} has not answered within {self._answer_s:.0f} s"
            raise Unreachable(message) from error

    @property
    def beat_every_s(self) -> float:
        """How often a lost connection is looked for, data or not."""
        return PRESENCE_S

    async def beat(self, vitals: Vitals) -> None:
        """Be connected: a broker that is away is noticed before there is something to send.

        Nothing is published; keep-alive and last will are the heartbeat of MQTT.
        """
        del vitals
        await self._connected()

    def forgot(self) -> bool:
        """Whether the broker did not know our session any more (MQTT 5.0, 3.2.2.1.1)."""
        forgot, self._forgot = self._forgot, False
        return forgot

    async def aclose(self) -> None:
        """Say goodbye."""
        await self._drop()

    async def _connected(self) -> Link:
        async with self._connecting:  # a heartbeat may come while a batch connects
            if self._link and self._link.failure is None:
                return self._link
            return await self._connect()

    async def _connect(self) -> Link:
        if self._link:
            await self._bury(self._link)
        link = Link(self._options, self._meter, version_5=self._version_5)
        try:
            self._session = await link.open()
        except BaseException as error:
            await link.close()
            if isinstance(error, reasons.OldProtocol | Dropped):
                self._change_version(error)
            raise
        self._forgot |= not self._session.present
        self._link, self._announced = link, set()
        self._ends = Ends(self._options.own_ends_ns, der_ends_ns(link.shown))
        self._opened_at = asyncio.get_running_loop().time()
        if self._plan.status_topic:
            await link.publish(self._plan.status_topic, ONLINE, retain=True)
        return link

    async def _bury(self, link: Link) -> None:
        """A connection has ended: by the network, or because somebody took our name?"""
        self._link = None
        lived = asyncio.get_running_loop().time() - self._opened_at
        self._short_lives = self._short_lives + 1 if lived < SHORT_LIFE_S else 0
        if link.taken_over or self._short_lives >= SHORT_LIVES:
            self._short_lives = 0
            raise reasons.taken_over(self._options.client_id)

    async def _drop(self) -> None:
        link, self._link = self._link, None
        if link:
            await link.close()

    def _change_version(self, error: FieldpostError) -> None:
        """MQTT 5 was not understood: 3.1.1 next; if that is not either, 5 again."""
        if self._plan.version != "5":
            return
        self._version_5 = not self._version_5
        version = "5" if self._version_5 else "3.1.1"
        log.warning(
            "The broker does not take this version of MQTT; trying the other one.",
            event_type="mqtt.version_changed", broker=self._options.place, version=version,
            reason=error.message,
        )  # fmt: skip

    async def _publish(self, link: Link, batch: Batch) -> Receipt:
        refused: dict[int, str] = {}
        messages = list(self._messages(batch, refused))
        await self._announce(link, messages)
        if not self._names_once and any(message.shapes for message in messages):
            messages = list(self._messages(batch, refused))  # the announcement was not allowed
        sent = []
        for message in messages:
            await link.room()
            sent.append((message, link.publish(message.topic, message.payload)))
        answers = [(message, await answer) for message, answer in sent]
        return self._receipt(answers, refused)

    def _receipt(
        self, answers: Sequence[tuple[Message, Answer]], refused: dict[int, str]
    ) -> Receipt:
        accepted: set[int] = set()
        errors: list[FieldpostError] = []
        for message, answer in answers:
            error = self._problem(message.topic, answer)
            if error is None:
                accepted |= set(message.indices)
            elif isinstance(error, BatchRefused):
                refused |= dict.fromkeys(message.indices, error.message)
            else:
                errors.append(error)
        if errors and not accepted and not refused:
            raise errors[0]
        return Receipt(accepted, refused)

    def _problem(self, topic: str, answer: Answer) -> FieldpostError | None:
        if isinstance(answer, FieldpostError):
            return answer
        return reasons.publishing(answer, self._options.place, topic)

    async def _announce(self, link: Link, messages: Sequence[Message]) -> None:
        """Make the names known, retained, before the first message that refers to them."""
        wanted = {(m.topic, shape) for m in messages for shape in m.shapes} - self._announced
        writer = self._writer()
        sent = []
        for key in sorted(wanted):
            await link.room()
            names = writer.announcement(key[1])
            sent.append((key, link.publish(points_topic(*key), names, retain=True)))
        for key, answer in sent:
            problem = self._problem(key[0], await answer)
            if isinstance(problem, Lost):
                raise problem
            self._announced |= set() if problem else {key}
            self._names_once &= problem is None
        if wanted and not self._names_once:
            log.warning(
                "The broker does not take announcements; each message names its points.",
                event_type="mqtt.names_each", broker=self._options.place,
            )  # fmt: skip

    def _messages(self, batch: Batch, refused: dict[int, str]) -> Iterator[Message]:
        groups: dict[tuple[str, str], dict[int, Record]] = {}
        for index, record in enumerate(batch.records):
            topic = self._plan.topic.replace("{device}", record.device)
            groups.setdefault((topic, record.epoch), {})[index] = record
        for (topic, _), records in groups.items():
            yield from fitting(self._write, self._session.packet_max, topic, records, refused)

    def _write(self, topic: str, records: Mapping[int, Record]) -> Message:
        writer = self._writer()
        columns = self._plan.payload == "columns"
        return (writer.columns if columns else writer.samples)(topic, records)

    def _writer(self) -> Writer:
        once = self._names_once and self._session.retains
        return Writer(self._gateway, self._plan.compress, once)


def open_cloud(gateway: str, spec: Json, secrets: Mapping[str, Secret]) -> MqttCloud:
    """Make the destination; nothing is sent yet.

    Raises:
        FieldpostError: a secret is missing or unusable.
    """
    plan = from_json(Plan, spec)
    return MqttCloud(gateway, plan, options_of(plan, secrets))


def options_of(plan: Plan, secrets: Mapping[str, Secret]) -> Options:
    """How a plan connects.

    Raises:
        FieldpostError: a secret is missing or unusable.
    """
    return Options(
        host=plan.host,
        port=plan.port,
        client_id=plan.client_id,
        tls=plan.trust.context(secrets) if plan.encrypted else None,
        username=plan.username,
        password=secrets[plan.password].reveal() if plan.password else None,
        will=(plan.status_topic, OFFLINE) if plan.status_topic else None,
        own_ends_ns=plan.trust.own_ends_ns(secrets),
    )
