"""The platform's own ways, against the sandbox that keeps its contract."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import secret
from agent.clock import SystemClock
from agent.cloud import Batch, Beats, Cloud, Misconfigured, Record, TimeQuality, Unreachable, Vitals
from agent.cloud.tesaiot import open_cloud
from agent.cloud.tesaiot.account import Pace
from agent.cloud.tesaiot.archive import unpack
from agent.cloud.tesaiot.destination import KeyCloud, made
from agent.cloud.tesaiot.encode import encoded, metric_name
from agent.cloud.tesaiot.opening import BundleError, Plan
from agent.demo.sandbox import Sandbox
from agent.demo.sandbox.authority import zipped
from agent.plan import to_json
from agent.secret import Secret, SecretError
from tests.cloud.carrying import carry
from tests.cloud.records import EPOCH, batch, record
from tests.lab.scripted import Scripted, always, reply

DAY_NS = 86_400 * 10**9


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as found:
        yield found


@pytest.fixture
async def cloud(sandbox: Sandbox) -> AsyncIterator[KeyCloud]:
    found = opened(sandbox)
    yield found
    await found.aclose()


def opened(sandbox: Sandbox, **identities: str) -> KeyCloud:
    secrets = {"b": Secret("b", sandbox.bundle("fp-demo-01"))}
    secrets |= {name: Secret(name, sandbox.bundle(name)) for name in identities.values()}
    found = made(Plan("b", identities=identities), secrets, Pace(0.0))
    assert isinstance(found, KeyCloud)
    return found


def old(one: Record, age_ns: int) -> Record:
    return Record(one.epoch, one.seq, one.device, one.time_ns - age_ns, one.values)


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_metric_name_is_always_one_the_platform_takes(device: str, point: str) -> None:
    name = metric_name(device, point)
    assert re.fullmatch(r"[a-z0-9_]{1,100}", name)
    assert not name.startswith("metadata_")
    assert not metric_name(None, "metadata_" + point).startswith("metadata_")


def test_a_record_is_flat_and_named_for_ever() -> None:
    one = Record(EPOCH, 7, "oven-meter", 1_795_455_484_593_123_456, {"power": 1.5, "on": True})
    assert encoded(one, "fp-demo-01", own=False) == {
        "device_id": "fp-demo-01",
        "timestamp": "2026-11-23T17:38:04.593Z",
        "data": {"oven_meter_power": 1.5, "oven_meter_on": True},
        "metadata": {"agent": "fieldpost", "epoch": EPOCH, "seq": 7},
    }


def test_what_would_hide_a_sample_from_the_charts_is_left_out() -> None:
    one = Record(
        EPOCH,
        1,
        "d",
        0,
        {"big": 2**63, "small": -(2**63), "edge": 2**63 - 1, "text": "a\0b"},
        TimeQuality.ESTIMATED,
    )
    entry = encoded(one, "fp-demo-01", own=True)
    assert entry is not None
    assert entry["data"] == {"edge": 2**63 - 1, "text": "ab"}
    assert entry["metadata"]["time"] == "estimated"


async def test_a_heartbeat_carries_whole_numbers(sandbox: Sandbox, cloud: KeyCloud) -> None:
    assert isinstance(cloud, Beats)
    assert cloud.beat_every_s == 60.0
    await cloud.beat(Vitals(3600, "1.4.0", 1024))
    device = sandbox.store.devices["fp-demo-01"]
    assert device.online
    assert device.heartbeat == {"uptime": 3600, "firmware_version": "1.4.0", "free_memory": 1024}


async def test_last_seen_is_repaired_once_a_backlog_has_drained(
    sandbox: Sandbox, cloud: KeyCloud
) -> None:
    await cloud.beat(Vitals(1, "1.4.0", 1))
    device = sandbox.store.devices["fp-demo-01"]
    await cloud.send(Batch([old(record(1), DAY_NS)]))
    seen = device.last_seen
    assert seen is not None
    assert device.last_heartbeat is not None
    assert seen < device.last_heartbeat
    beat_before = device.last_heartbeat
    await cloud.send(batch(1, first=2))
    assert device.last_heartbeat > beat_before


async def test_a_sample_of_the_future_is_held_back(sandbox: Sandbox, cloud: KeyCloud) -> None:
    future = old(record(2), -DAY_NS)
    receipt = await cloud.send(Batch([record(1), future]))
    assert list(receipt.accepted) == [0]
    with pytest.raises(Unreachable, match="clock"):
        await cloud.send(Batch([future]))
    assert sandbox.store.count() == 1


async def test_devices_with_their_own_bundle_go_under_their_own_name(sandbox: Sandbox) -> None:
    cloud = opened(sandbox, **{"cold-room": "fp-cold-02"})
    sent = Batch([record(1), record(2, "cold-room", temperature=4.1), record(3)])
    receipt = await cloud.send(sent)
    await cloud.beat(Vitals(1, "1", 1))
    await cloud.aclose()
    assert sorted(receipt.accepted) == [0, 1, 2]
    [row] = sandbox.store.telemetry("fp-cold-02", 0, 10, None)
    assert row["data"] == {"temperature": 4.1}
    assert sandbox.store.count("fp-demo-01") == 2
    assert all(device.online for device in sandbox.store.devices.values())


async def test_one_account_that_is_refused_does_not_hold_up_the_others(sandbox: Sandbox) -> None:
    cloud = opened(sandbox, **{"cold-room": "ab-cold-02"})
    sandbox.store.devices["ab-cold-02"].status = "revoked"
    receipt = await cloud.send(Batch([record(1, "cold-room", a=1), record(2)]))
    await cloud.aclose()
    assert list(receipt.accepted) == [1]


async def test_two_ids_that_begin_alike_are_explained(sandbox: Sandbox) -> None:
    """The platform takes only one of their keys, for ever; nobody could guess."""
    sandbox.register("fp-demo-01-old")
    cloud = opened(sandbox)
    with pytest.raises(Exception, match="does not accept the credentials") as caught:
        await cloud.send(batch(1))
    await cloud.aclose()
    assert "same 8 letters" in str(getattr(caught.value, "action", ""))


async def test_a_key_of_another_device_is_a_mistake_of_configuration(sandbox: Sandbox) -> None:
    sandbox.control.set(status=403, code="DEVICE_ID_MISMATCH")
    cloud = opened(sandbox)
    with pytest.raises(Misconfigured, match="another device than fp-demo-01"):
        await cloud.send(batch(1))
    await cloud.aclose()


async def test_what_was_stored_only_partly_is_counted_and_never_sent_again(
    sandbox: Sandbox,
) -> None:
    body = (
        b'{"success":true,"results":{"total":2,"errors":[],"telemetry_ids":'
        b'[{"index":0,"timeseries_stored":true},{"index":1,"timeseries_stored":true}],'
        b'"warnings":[{"index":1,"warning":"timeseries_write_failed"}]}}'
    )
    async with Scripted(always(*reply(200, body))) as server:
        plan = Plan("b", url=server.url)
        other = made(plan, {"b": Secret("b", sandbox.bundle("fp-demo-01"))}, Pace(0.0))
        carried = await carry(other, batch(2))
        await other.aclose()
    assert carried.partly == 1
    assert sorted(carried.accepted) == [1, 2]


async def test_a_batch_too_large_for_the_server_shrinks(sandbox: Sandbox, cloud: KeyCloud) -> None:
    sandbox.control.set(status=413, times=3)
    carried = await carry(cloud, batch(200))
    assert len(carried.accepted) == 200
    assert carried.aside == {}


async def test_a_poisonous_record_is_found_by_certificate_too(sandbox: Sandbox) -> None:
    secrets = {"b": Secret("b", sandbox.certificate_bundle("fp-demo-01"))}
    cloud = made(Plan("b"), secrets, Pace(0.0))
    assert not isinstance(cloud, Beats)
    sandbox.control.set(poison="oven_meter_poison")
    records = list(batch(6).records)
    records[2] = record(3, poison=1)
    carried = await carry(cloud, Batch(records))
    await cloud.aclose()
    assert sorted(carried.accepted) == [1, 2, 4, 5, 6]
    assert list(carried.aside) == [3]


async def test_requests_keep_their_distance(sandbox: Sandbox) -> None:
    secrets = {"b": Secret("b", sandbox.bundle("fp-demo-01"))}
    cloud = made(Plan("b"), secrets, Pace(0.2))
    clock = SystemClock()
    began = clock.monotonic_s()
    for first in range(1, 4):
        await cloud.send(batch(1, first=first))
    await cloud.aclose()
    assert clock.monotonic_s() - began >= 0.4


def bad(secrets: Mapping[str, Secret]) -> BundleError:
    with pytest.raises(BundleError) as caught:
        open_cloud("gw", to_json(Plan("b")), secrets)
    assert caught.value.action
    return caught.value


def test_a_bundle_that_cannot_be_used_is_told_in_words() -> None:
    bundles = Path(__file__).parent / "bundles"

    def of(name: str) -> dict[str, Secret]:
        files = {
            str(p.relative_to(bundles / name)): p.read_bytes()
            for p in (bundles / name).rglob("*")
            if p.is_file()
        }
        return {"b": Secret(name, b"", files)}

    assert "is not a certificate" in bad(of("bad-mtls-ca-placeholder")).message
    assert "damaged" in bad({"b": Secret("b", b"no zip")}).message
    assert "MQTT only" in bad(of("ok-servertls-mqtt")).message
    assert "does not say where" in bad(of("warn-mtls-combined")).message


def test_a_bundle_may_be_an_unpacked_folder(tmp_path: Path) -> None:
    place = tmp_path / "secrets" / "unpacked"
    place.mkdir(parents=True, mode=0o700)
    for name, content in unpack(zipped({"a.txt": b"1", "b.txt": b"2"})).items():
        (place / name).write_bytes(content)
        (place / name).chmod(0o600)
    assert dict(secret.read("unpacked", tmp_path).files()) == {"a.txt": b"1", "b.txt": b"2"}
    (place / "b.txt").chmod(0o644)
    with pytest.raises(SecretError, match="other users"):
        secret.read("unpacked", tmp_path)


async def test_a_destination_that_only_has_a_certificate_is_slow_and_says_so(
    sandbox: Sandbox,
) -> None:
    secrets = {"b": Secret("b", sandbox.certificate_bundle("fp-demo-01"))}
    cloud: Cloud = open_cloud("gw", to_json(Plan("b")), secrets)
    assert cloud.limits.records == 20
    await cloud.aclose()
