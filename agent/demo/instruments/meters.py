"""What the three Modbus instruments show in their registers, as their makers document them.

Sources: Eastron SDM630-Modbus and SDM120-Modbus protocol documents (input registers, float32, high
word first); SunSpec Alliance, models 1 (common) and 103 (three phase inverter), based at 40000.
Registers a maker leaves undefined answer 0, as the real ones do.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from agent.demo.instruments.site import Energy, State

Words = dict[int, int]

POWER_FACTOR = 0.97
DC_VOLTS = 615.0
EFFICIENCY = 0.975
INVERTER_OFF, INVERTER_SLEEPING, INVERTER_MPPT = 1, 2, 4  # model 103, point St
NOT_IMPLEMENTED = 0x8000  # SunSpec: an int16 that this device does not have
NOT_IMPLEMENTED_U = 0xFFFF  # the same for uint16


@dataclass(frozen=True, slots=True)
class Image:
    """All registers of one unit: input and holding, by zero-based address."""

    input: Mapping[int, int]
    holding: Mapping[int, int]


def sdm630(state: State, energy: Energy) -> Image:
    """The main meter: three phases, import and export."""
    sun_each = state.pv_w / 3
    watts = [w - sun_each for w in state.phase_w]
    watts[0] += state.oven_w
    amps = [abs(w) / v / POWER_FACTOR for w, v in zip(watts, state.volts, strict=True)]
    shows: dict[int, float] = {}
    for phase in range(3):
        volts, current, power = state.volts[phase], amps[phase], watts[phase]
        apparent = volts * current
        values = (volts, current, power, apparent, _reactive(power), POWER_FACTOR, 14.0)
        shows |= {6 * row + 2 * phase: value for row, value in enumerate(values)}
    total = sum(watts)
    shows |= {42: sum(state.volts) / 3, 46: sum(amps) / 3, 48: sum(amps), 52: total}
    shows |= {56: abs(total) / POWER_FACTOR, 60: _reactive(total), 62: POWER_FACTOR, 66: 14.0}
    shows |= {70: state.frequency_hz, 72: energy.bought, 74: energy.sold}
    shows |= {76: energy.bought * 0.25, 78: energy.sold * 0.25}
    shows |= {200 + 2 * n: v * 3**0.5 for n, v in enumerate(state.volts)}
    shows |= {206: sum(state.volts) / 3**0.5, 224: 0.4}
    shows |= {342: energy.bought + energy.sold, 344: (energy.bought + energy.sold) * 0.25}
    return Image(_floats(shows), _serial_number(0x0630_1007))


def sdm120(state: State, energy: Energy) -> Image:
    """The oven's meter: one phase."""
    volts, watts = state.volts[0], state.oven_w
    shows = {0: volts, 6: watts / volts / POWER_FACTOR, 12: watts, 18: watts / POWER_FACTOR}
    shows |= {24: _reactive(watts), 30: POWER_FACTOR, 36: 14.0, 70: state.frequency_hz}
    shows |= {72: energy.oven, 74: 0.0, 76: energy.oven * 0.25, 78: 0.0}
    shows |= {342: energy.oven, 344: energy.oven * 0.25}
    return Image(_floats(shows), _serial_number(0x0120_2016))


def sunspec(state: State, energy: Energy) -> Image:
    """The inverter: `SunS`, model 1, model 103, end mark."""
    words = _text(40000, "SunS", 2) | {40002: 1, 40003: 66}
    words |= _text(40004, "Heliotrop", 16) | _text(40020, "H8-3P", 16) | _text(40036, "", 8)
    words |= _text(40044, "2.14", 8) | _text(40052, "H8P0042317", 16) | {40068: 1, 40069: 0}
    words |= {40070: 103, 40071: 50} | {40072 + n: NOT_IMPLEMENTED for n in range(50)}
    words |= _model_103(state, energy)
    return Image({}, words | {40122: NOT_IMPLEMENTED_U, 40123: 0})


def _model_103(state: State, energy: Energy) -> Words:
    watts = state.pv_w
    amps = [watts / 3 / v for v in state.volts]
    words = _row(40072, [sum(amps) * 100, *(a * 100 for a in amps), -2])
    words |= _row(40077, [*(v * 3**0.5 * 10 for v in state.volts)])
    words |= _row(40080, [*(v * 10 for v in state.volts), -1])
    words |= _row(40084, [watts, 0, state.frequency_hz * 100, -2, watts / 0.99, 0])
    words |= _row(40090, [watts * 0.1, 0, 99.0, -2])
    high, low = divmod(round(energy.pv * 1000), 0x10000)
    words |= {40094: high % 0x10000, 40095: low, 40096: 0}
    dc_watts = watts / EFFICIENCY
    words |= _row(40097, [dc_watts / DC_VOLTS * 100, -2, DC_VOLTS * 10, -1, dc_watts, 0])
    words |= _row(40103, [(state.outside_c + 12 + 18 * state.sun) * 10])
    words[40107] = -1 & 0xFFFF
    words[40108] = INVERTER_MPPT if watts > 0 else INVERTER_SLEEPING
    return words | {40109 + n: 0 for n in range(13)}


def _reactive(watts: float) -> float:
    return abs(watts) * 0.25


def _floats(values: Mapping[int, float]) -> Words:
    """Big-endian float32, high word first."""
    words: Words = {}
    for address, value in values.items():
        words[address], words[address + 1] = struct.unpack(">HH", struct.pack(">f", value))
    return words


def _serial_number(number: int) -> Words:
    return {64512: number >> 16, 64513: number & 0xFFFF}


def _row(address: int, values: list[float]) -> Words:
    return {address + n: round(value) & 0xFFFF for n, value in enumerate(values)}


def _text(address: int, text: str, words: int) -> Words:
    raw = text.encode("ascii").ljust(2 * words, b"\0")
    return {address + n: int.from_bytes(raw[2 * n : 2 * n + 2]) for n in range(words)}
