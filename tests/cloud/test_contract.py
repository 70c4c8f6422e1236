"""What every destination promises, against a real peer of each kind."""

import asyncio

import pytest

from agent.cloud import Batch, Cloud, Receipt, Unreachable
from tests.cloud.conftest import Peer
from tests.cloud.records import batch, ids, record


async def deliver(cloud: Cloud, sent: Batch) -> list[Receipt]:
    """Send until everything is answered, as the uplink does."""
    receipts = []
    waiting = list(sent.records)
    while waiting:
        receipt = await cloud.send(Batch(waiting))
        assert receipt.accepted or receipt.refused
        receipts.append(receipt)
        named = {*receipt.accepted, *receipt.refused}
        waiting = [one for index, one in enumerate(waiting) if index not in named]
    return receipts


async def test_what_is_accepted_has_arrived_under_its_name(peer: Peer) -> None:
    sent = batch(5)
    receipt = await peer.cloud.send(sent)
    assert sorted(receipt.accepted) == [0, 1, 2, 3, 4]
    assert not receipt.refused
    arrived = await peer.arrived(5)
    assert sorted(name for name, _, _ in arrived) == sorted(ids(sent))


async def test_values_arrive_as_they_were(peer: Peer) -> None:
    await peer.cloud.send(Batch([record(1, a=-5, b=2.5, c=True, d="läuft: 3 °C", e=2**62)]))
    [(_, _, values)] = await peer.arrived(1)
    assert list(values.values()) == [-5, 2.5, True, "läuft: 3 °C", 2**62]
    assert [type(value) for value in values.values()] == [int, float, bool, str, int]


async def test_devices_epochs_and_shapes_may_be_mixed(peer: Peer) -> None:
    sent = Batch(
        [
            record(1, "oven-meter"),
            record(2, "cold-room", temperature=4.1),
            record(3, "oven-meter", power=1.0),
            record(7, "oven-meter", epoch="0a" * 16),
            record(8, "cold-room", epoch="0a" * 16),
        ]
    )
    await deliver(peer.cloud, sent)
    arrived = await peer.arrived(5)
    assert sorted(name for name, _, _ in arrived) == sorted(ids(sent))


async def test_a_full_batch_is_delivered(peer: Peer) -> None:
    sent = Batch(batch(peer.cloud.limits.records).records)
    await deliver(peer.cloud, sent)
    arrived = await peer.arrived(len(sent.records))
    assert sorted(name for name, _, _ in arrived) == sorted(ids(sent))


async def test_an_absent_peer_is_unreachable_and_found_again(peer: Peer) -> None:
    await peer.proxy.away()
    with pytest.raises(Unreachable) as caught:
        await peer.cloud.send(batch(2))
    assert f"127.0.0.1:{peer.proxy.port}" in caught.value.message
    await peer.proxy.back()
    receipt = await peer.cloud.send(batch(2))
    assert sorted(receipt.accepted) == [0, 1]


async def test_a_cut_connection_costs_one_failed_request(peer: Peer) -> None:
    await peer.cloud.send(batch(2))
    peer.proxy.cut()
    await asyncio.sleep(0.05)
    for _ in range(2):
        try:
            receipt = await peer.cloud.send(batch(2, first=3))
        except Unreachable:
            continue
        break
    else:
        pytest.fail("not delivered at the second try")
    assert sorted(receipt.accepted) == [0, 1]


async def test_a_silent_peer_does_not_hold_up_a_stop(peer: Peer) -> None:
    await peer.cloud.send(batch(1))
    peer.proxy.silent = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await peer.cloud.send(batch(1, first=2))
    async with asyncio.timeout(8):
        await peer.cloud.aclose()


async def test_an_answer_that_is_cut_short_is_no_receipt(peer: Peer) -> None:
    await peer.cloud.send(batch(1))
    peer.proxy.deaf = True
    async with asyncio.TaskGroup() as group:
        group.create_task(cut_later(peer), name="cut")
        with pytest.raises(Unreachable):
            await peer.cloud.send(batch(2, first=2))
    peer.proxy.deaf = False
    receipt = await peer.cloud.send(batch(2, first=2))
    assert sorted(receipt.accepted) == [0, 1]


async def test_closing_twice_is_no_harm_and_opens_again(peer: Peer) -> None:
    await peer.cloud.aclose()
    await peer.cloud.send(batch(1))
    await peer.cloud.aclose()
    await peer.cloud.aclose()
    receipt = await peer.cloud.send(batch(1, first=2))
    assert list(receipt.accepted) == [0]


async def cut_later(peer: Peer) -> None:
    await asyncio.sleep(0.3)
    peer.proxy.cut()
