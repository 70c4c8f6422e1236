"""What a destination costs: held against what really passed through a proxy on the way."""

from pathlib import Path

import pytest

from agent.cloud import Batch, Certified, Cloud, Metered
from agent.cloud.expiry import der_ends_ns, ends_ns
from agent.demo.sandbox import Authority
from agent.errors import FieldpostError
from tests.cloud.conftest import Peer, mqtt_5, mqtt_plan
from tests.cloud.records import batch
from tests.faults.clouds import http, mqtt
from tests.faults.test_52_tls import ALWAYS, FUTURE, LOOPBACK, PAST

SEGMENT = 72  # bytes of headers, at most


def cost(cloud: Cloud) -> int:
    assert isinstance(cloud, Metered)
    return cloud.wire_bytes


async def test_every_kind_counts_what_really_went_over_the_wire(peer: Peer) -> None:
    """The proxy counts what is asked; with answers, headers and farewell it is some more."""
    await peer.cloud.send(batch(2))
    before, asked = cost(peer.cloud), peer.proxy.asked
    assert before >= asked > 0
    await peer.cloud.send(batch(20, first=10))
    grown, asked = cost(peer.cloud) - before, peer.proxy.asked - asked
    assert grown >= asked
    assert grown < 4 * asked + 100 * SEGMENT


async def test_what_fails_costs_as_well_and_stays_counted_after_the_end() -> None:
    async with http("http://127.0.0.1:9") as cloud:
        with pytest.raises(FieldpostError):
            await cloud.send(batch(1))
        assert cost(cloud) == 0  # refused: no connection was ever made


async def test_a_connection_that_is_closed_keeps_its_figure(peer: Peer) -> None:
    await peer.cloud.send(batch(2))
    before = cost(peer.cloud)
    await peer.cloud.aclose()
    assert cost(peer.cloud) >= before > 0


async def test_the_end_of_certificates_is_known_once_they_were_seen(tmp_path: Path) -> None:
    async with mqtt_5(tmp_path) as peer:
        assert isinstance(peer.cloud, Certified)
        before = peer.cloud.ends
        assert before.own is not None
        assert before.server is None
        await peer.cloud.send(Batch(batch(1).records))
        after = peer.cloud.ends
        assert after.server is not None
        assert after.own == before.own
        await peer.cloud.aclose()


async def test_without_tls_nothing_ends() -> None:
    assert not mqtt_plan(1).encrypted
    async with mqtt(9) as cloud:
        assert (cloud.ends.own, cloud.ends.server) == (None, None)


@pytest.mark.parametrize("period", [PAST, ALWAYS, FUTURE], ids=("utc", "now", "generalized"))
def test_the_end_is_read_from_the_certificate_itself(period: object) -> None:
    from cryptography import x509  # noqa: PLC0415 - the judge, and nobody else here

    pem = Authority().server(LOOPBACK, period).certificate  # type: ignore[arg-type]  # a Period
    end = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    assert ends_ns(pem) == int(end.timestamp()) * 10**9


@pytest.mark.parametrize(
    "nonsense", [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x02\x30\x00"]
)
def test_what_is_no_certificate_has_no_end(nonsense: bytes) -> None:
    assert der_ends_ns(nonsense) is None
    assert ends_ns(nonsense) is None
