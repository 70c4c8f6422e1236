"""Fault 54: a broker that takes small packets only, and one that is slow."""

from pathlib import Path

import pytest

from agent.cloud import Batch, Receipt, Unreachable
from agent.cloud.mqtt.destination import MqttCloud
from agent.cloud.mqtt.link import Link, Session
from tests.cloud.conftest import BrokerPeer
from tests.cloud.records import batch, ids, record
from tests.faults.clouds import mqtt
from tests.lab.mosquitto import Broker, Reader
from tests.lab.proxy import Proxy


async def test_a_batch_is_split_to_what_the_broker_takes(tmp_path: Path) -> None:
    lines = ["allow_anonymous true", "max_packet_size 600"]
    sent = batch(60)
    async with (
        Broker(tmp_path, lines) as broker,
        Reader(broker.port) as reader,
        Proxy(broker.port) as proxy,
        mqtt(proxy.port, compress="") as cloud,
    ):
        receipt = await cloud.send(sent)
        assert sorted(receipt.accepted) == list(range(60))
        arrived = await BrokerPeer(cloud, proxy, reader).arrived(60)
    assert sorted(name for name, _, _ in arrived) == sorted(ids(sent))


class Overfills(MqttCloud):
    """Does not heed the largest packet a broker takes."""

    async def _publish(self, link: Link, batch: Batch) -> Receipt:
        self._session = Session(present=True)
        return await super()._publish(link, batch)


async def test_a_batch_that_is_not_split_is_caught(tmp_path: Path) -> None:
    lines = ["allow_anonymous true", "max_packet_size 600"]
    async with (
        Broker(tmp_path, lines) as broker,
        mqtt(broker.port, compress="", made_of=Overfills) as cloud,
    ):
        with pytest.raises(Unreachable):
            await cloud.send(batch(60))


async def test_a_record_that_fits_no_packet_is_set_aside_and_the_rest_goes(tmp_path: Path) -> None:
    lines = ["allow_anonymous true", "max_packet_size 600"]
    sent = Batch([record(1), record(2, text="x" * 1000), record(3)])
    async with Broker(tmp_path, lines) as broker, mqtt(broker.port, compress="") as cloud:
        receipt = await cloud.send(sent)
    assert sorted(receipt.accepted) == [0, 2]
    assert "600 bytes" in receipt.refused[1]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_slow_line_only_takes_longer(tmp_path: Path, version: str) -> None:
    async with Broker(tmp_path) as broker, Proxy(broker.port) as proxy:
        proxy.delay_s = 0.2
        async with mqtt(proxy.port, answer_s=30, version=version) as cloud:
            receipt = await cloud.send(batch(500))
    assert len(receipt.accepted) == 500


async def test_nothing_piles_up_behind_a_broker_that_does_not_answer(tmp_path: Path) -> None:
    async with (
        Broker(tmp_path) as broker,
        Proxy(broker.port) as proxy,
        mqtt(proxy.port, answer_s=1.5) as cloud,
    ):
        await cloud.send(batch(1))
        for _ in range(2):
            proxy.deaf = True
            with pytest.raises(Unreachable):
                await cloud.send(batch(100, first=2))
            proxy.deaf = False
            receipt = await cloud.send(batch(100, first=2))
            assert len(receipt.accepted) == 100
        # every failure threw its connection away, with all that it held
        assert proxy.connections == 3
