"""How a value may move, from a register to a cloud: counters, limits, deadbands, silence.

A pymodbus server gives the next value of a script with each answer, so what has to arrive depends
on the script and not on how fast anybody is. The whole daemon is between it and the cloud.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from tests.lab.mosquitto import free_port
from tests.lab.whole import Whole, ending

PATIENCE_S = 60.0  # of the whole daemon on a busy machine
CONFIGURATION = """\
version: 1
site: {name: Lab, id: lab-01}
connections:
  plc: {kind: modbus-tcp, host: "127.0.0.1:METER", timeout: 10s}
devices:
  meter: {profile: moving, via: plc, address: 1}
cloud:
  keeper: {kind: http, url: "http://127.0.0.1:CLOUD/in", every: 100ms}
status: {listen: none}
"""
PROFILE = """\
profile: moving
title: Follows a script
kind: modbus
every: 100ms
points:
  number: {read: holding 0, as: uint16}
  pulses: {read: holding 1, as: uint16, counter: yes, max_change: 100/s}
  energy: {read: holding 2, as: uint16, scale: 0.1, counter: yes}
  digits: {read: holding 3, as: bcd, counter: yes}
  replaced: {read: holding 4, as: uint16, counter: yes}
  level: {read: holding 5, as: int16, max_change: 0.001/h}
  valve: {read: holding 6, as: int16, deadband: 5}
  power: {read: holding 7, as: int16, deadband: 10%}
  state: {read: holding 8, as: uint16, deadband: 0, values: {0: closed, 1: open}}
  still: {read: holding 9, as: uint16, deadband: 0, silence: 2s}
"""
SCRIPT: Mapping[str, Sequence[int]] = {
    "pulses": (65533, 65535, 2, 5, 30000, 7, 8),
    "energy": (65000, 65535, 3, 9, 9, 9, 9),
    "digits": (0x9998, 0x9999, 0x0001, 0x0002, 0x0002, 0x0002, 0x0002),
    "replaced": (31000, 31001, 0, 3, 3, 3, 3),
    "level": (20, 20, 900, 20, 20, 20, 20),
    "valve": (10, 14, 15, 16, 16, 12, 10),
    "power": (1000, 1099, 901, 1101, 1200, 1211, 1212),
    "state": (0, 0, 1, 1, 0, 0, 0),
    "still": (7, 7, 7, 7, 7, 7, 7),
}
ARRIVES: Mapping[str, Sequence[object]] = {
    "pulses": (65533, 65535, 2, 5, 7, 8),  # three on from 65535 is 2; 30000 is a spike
    "energy": (6500, 6553.5, 0.3, 0.9, 0.9, 0.9, 0.9),
    "digits": (9998, 9999, 1, 2, 2, 2, 2),
    "replaced": (31000, 31001, 0, 3, 3, 3, 3),
    "level": (20, 20, 20, 20, 20, 20),
    "valve": (10, 16, 10),
    "power": (1000, 1101, 1212),
    "state": ("closed", "open", "closed"),
}
ROUNDS = len(SCRIPT["pulses"])


class Script:
    """A slave whose registers are the next line of the script with each answer."""

    def __init__(self) -> None:
        self.port = free_port()
        self.answers = 0

    def server(self) -> ModbusTcpServer:
        words = [SimData(0, values=[0] * (1 + len(SCRIPT)), datatype=DataType.REGISTERS)]
        device = SimDevice(1, words, action=self._answer)
        return ModbusTcpServer([device], address=("127.0.0.1", self.port))

    async def _answer(
        self, code: int, start: int, address: int, count: int, registers: list[int], *_: object
    ) -> None:
        del code, start, address, count
        line = min(self.answers, ROUNDS - 1)
        self.answers += 1
        registers[0] = self.answers
        registers[1:] = [values[line] & 0xFFFF for values in SCRIPT.values()]


async def moved(folder: Path) -> tuple[list[Mapping[str, Any]], list[str], Mapping[str, int]]:
    """The values that arrived in order, what the log says of counters, and what was wrong."""
    site, script = Whole(folder), Script()
    (folder / "profiles" / "moving.yaml").write_text(PROFILE)
    server = script.server()
    async with site.cloud:
        await server.listen()
        try:
            text = CONFIGURATION.replace("METER", str(script.port))
            site.config.write_text(text.replace("CLOUD", str(site.cloud.port)))
            with ending(site.start()):
                async with asyncio.timeout(PATIENCE_S):
                    while sum("still" in record["values"] for record in kept(site)) < 2:
                        await asyncio.sleep(0.05)
                told = await site.ask("snapshot")
                said = [event["message"] for event in (await site.ask("events"))["events"]]
        finally:
            await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus has no types here
    again = [sentence for sentence in said if "counts from" in sentence]
    return (
        [record["values"] for record in kept(site)],
        again,
        told["devices"]["meter"]["counters"]["errors_total"],
    )


def kept(site: Whole) -> list[dict[str, Any]]:
    records = sorted(site.archive.records(), key=lambda record: record[0])
    return [record for _, record in records if record["device"] == "meter"]


@pytest.mark.timeout(PATIENCE_S + 10)
async def test_what_moves_arrives_as_far_as_it_can_be_true_and_is_worth_it(tmp_path: Path) -> None:
    values, again, wrong = await moved(tmp_path)
    first = [each for each in values if each["number"] <= ROUNDS]
    assert [each["number"] for each in first] == [*range(1, ROUNDS + 1)]
    came = {point: tuple(v[point] for v in first if point in v) for point in ARRIVES}
    assert came == ARRIVES
    assert again == ["meter: replaced counts from 0 again; it was 31001."]
    assert wrong["out_of_range"] == 2
    assert "not_a_number" not in wrong
    assert "still" not in values[1]
