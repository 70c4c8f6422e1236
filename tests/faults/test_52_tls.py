"""Fault 52: certificates that must not be believed; no data and no key leaves."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.cloud import Batch, Cloud, Misconfigured, Unauthorized, Unreachable
from agent.cloud.http.client import HttpClient
from agent.cloud.http.destination import HttpCloud
from agent.cloud.http.destination import Plan as HttpPlan
from agent.cloud.mqtt.destination import MqttCloud, options_of
from agent.cloud.tls import CertificateError, Pair, Trust, context
from agent.demo.sandbox import Authority, Period
from agent.errors import FieldpostError
from agent.secret import Secret
from tests.cloud.conftest import GATEWAY, mqtt_plan
from tests.cloud.records import batch
from tests.lab.mosquitto import Broker

LOOPBACK = ("localhost", "127.0.0.1")
PAST = Period(dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2021, 1, 1, tzinfo=dt.UTC))
ALWAYS = Period()
FUTURE = Period(dt.datetime(2110, 1, 1, tzinfo=dt.UTC), dt.datetime(2120, 1, 1, tzinfo=dt.UTC))


@asynccontextmanager
async def server(
    folder: Path, authority: Authority, names: Sequence[str] = LOOPBACK, period: Period = ALWAYS
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A TLS server that keeps whatever it is told."""
    pair = authority.server(names, period)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (folder / "both.pem").write_bytes(pair.private_key + pair.certificate)
    tls.load_cert_chain(folder / "both.pem")
    told: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.append(await reader.read(1000))
        writer.close()

    listening = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=tls)
    yield listening.sockets[0].getsockname()[1], told
    listening.close()
    await asyncio.sleep(0.1)


@asynccontextmanager
async def clouds(port: int, ca: bytes, *, verified: bool = True) -> AsyncIterator[list[Cloud]]:
    url = f"https://127.0.0.1:{port}"
    plan = mqtt_plan(port, encrypted=True, trust=Trust(ca_secret="ca"))  # noqa: S106 -- a name
    options = options_of(plan, {"ca": Secret("ca", ca)})
    tls = context([ca])
    for each in () if verified else (tls, options.tls):
        assert each is not None
        each.check_hostname, each.verify_mode = False, ssl.CERT_NONE
    made: list[Cloud] = [
        HttpCloud(GATEWAY, HttpPlan(url), HttpClient(url, tls), "tok"),
        MqttCloud(GATEWAY, plan, options),
    ]
    yield made
    for cloud in made:
        await cloud.aclose()


async def failed(cloud: Cloud, sent: Batch) -> FieldpostError:
    with pytest.raises(FieldpostError) as caught:
        await cloud.send(sent)
    return caught.value


CASES = {
    "another authority": (LOOPBACK, Period(), Misconfigured, "authority we do not trust"),
    "another name": (("platform.example",), Period(), Misconfigured, "for another name"),
    "expired": (LOOPBACK, PAST, Unreachable, "has expired"),
    "not yet valid": (LOOPBACK, FUTURE, Unreachable, "is not valid yet"),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_wrong_certificate_is_refused_with_its_reason(case: str, tmp_path: Path) -> None:
    names, period, kind, words = CASES[case]
    authority = Authority()
    trusted = Authority("somebody else") if case == "another authority" else authority
    async with (
        server(tmp_path, authority, names, period) as (port, told),
        clouds(port, trusted.pem) as both,
    ):
        for cloud in both:
            error = await failed(cloud, batch(1))
            assert type(error) is kind
            assert words in error.message
            assert error.action
    assert b"".join(told) == b""


@pytest.mark.parametrize("case", CASES)
async def test_without_verification_each_of_them_hears_something(case: str, tmp_path: Path) -> None:
    """The control: `told` stays empty above because of the certificate, and of nothing else."""
    names, period, _, _ = CASES[case]
    authority = Authority()
    trusted = Authority("somebody else") if case == "another authority" else authority
    async with (
        server(tmp_path, authority, names, period) as (port, told),
        clouds(port, trusted.pem, verified=False) as both,
    ):
        for cloud in both:
            await failed(cloud, batch(1))
    assert len([said for said in told if said]) == len(both)


async def test_a_clock_that_may_be_wrong_is_named(tmp_path: Path) -> None:
    authority = Authority()
    async with (
        server(tmp_path, authority, period=FUTURE) as (port, _),
        clouds(port, authority.pem) as both,
    ):
        error = await failed(both[0], batch(1))
    assert "clock" in error.message


async def test_a_self_signed_certificate_is_refused(tmp_path: Path) -> None:
    authority = Authority()
    async with server(tmp_path, authority) as (port, told), clouds(port, Authority().pem) as both:
        for cloud in both:
            assert isinstance(await failed(cloud, batch(1)), Misconfigured)
    assert b"".join(told) == b""


async def test_a_handshake_that_is_cut_is_a_connection_that_failed() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.close()

    listening = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with clouds(listening.sockets[0].getsockname()[1], Authority().pem) as both:
        for cloud in both:
            assert type(await failed(cloud, batch(1))) in (
                Unreachable,
                *Unreachable.__subclasses__(),
            )
    listening.close()
    await asyncio.sleep(0.1)


async def test_a_broker_that_wants_a_certificate_says_so(tmp_path: Path) -> None:
    authority, stranger = Authority(), Authority("somebody else")
    pair, own = authority.server(LOOPBACK), stranger.client(GATEWAY)
    for name, content in (
        ("ca.pem", authority.pem), ("cert.pem", pair.certificate), ("key.pem", pair.private_key),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
    lines = [
        f"cafile {tmp_path}/ca.pem", f"certfile {tmp_path}/cert.pem",
        f"keyfile {tmp_path}/key.pem", "require_certificate true", "allow_anonymous true",
    ]  # fmt: skip
    trust = Trust("ca", None, "c", "k")
    secrets = {
        "ca": Secret("ca", authority.pem), "c": Secret("c", own.certificate),
        "k": Secret("k", own.private_key),
    }  # fmt: skip
    async with Broker(tmp_path, lines) as broker:
        plan = mqtt_plan(broker.port, encrypted=True, trust=trust)
        cloud = MqttCloud(GATEWAY, plan, options_of(plan, secrets))
        error = await failed(cloud, batch(1))
        await cloud.aclose()
    assert isinstance(error, Unauthorized)
    assert "certificate" in error.message


def test_there_is_no_old_protocol_and_no_way_without_verification() -> None:
    tls = context()
    assert tls.minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls.verify_mode is ssl.CERT_REQUIRED
    assert tls.check_hostname


def test_an_unusable_ca_or_pair_is_told_in_words() -> None:
    authority = Authority()
    device, other = authority.client("a"), authority.client("b")
    for wrong, words in (
        (b"nonsense", "not a certificate"),
        (device.certificate, "no certificate authority"),
    ):
        with pytest.raises(CertificateError, match=words):
            context([wrong])
    with pytest.raises(CertificateError, match="does not belong"):
        context([], Pair(device.certificate, other.private_key))
    with pytest.raises(CertificateError, match="cannot be read"):
        context([], Pair(b"nonsense", other.private_key))


def test_an_intermediate_can_be_pinned_and_a_ca_given_twice() -> None:
    authority = Authority()
    assert len(context([authority.pem, authority.pem]).get_ca_certs()) >= 1
