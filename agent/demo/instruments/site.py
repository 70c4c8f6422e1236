"""What is physically going on at the demo's site: a pure function of seed and elapsed time.

A day passes in ten minutes, so that the daily curve of sun, ovens and cold room can be seen moving
while one looks. Counters integrate on a fixed grid: the same seed gives the same site, however
often and whenever it is asked.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

DAY_S = 600.0  # of running time for one day of the site
START_H = 9.0  # the demo begins in the morning, where every curve is on its way
STEP_S = 0.1  # grid of the energy counters, running seconds
HOURS_PER_S = 24.0 / DAY_S

PV_PEAK_W = 8200.0
OVEN_W = 2350.0
PHASE_BASE_W = (640.0, 480.0, 920.0)
OPEN_H = (5.0, 19.0)
BAKING_H = (4.0, 13.0)
OVEN_CYCLE_S, OVEN_ON_S = 18.0, 12.0  # the thermostat, in running seconds


@dataclass(frozen=True, slots=True)
class State:
    """The site at one instant, in SI units unless the name says otherwise."""

    hour: float
    sun: float  # 0..1 of a clear noon
    volts: tuple[float, float, float]
    frequency_hz: float
    phase_w: tuple[float, float, float]  # what the shop draws, before the sun helps
    oven_w: float
    pv_w: float
    outside_c: float
    wind_m_s: float
    wind_from_deg: float
    pressure_hpa: float
    humidity: float  # % outside
    cold_room_c: float
    freezer_c: float
    shop_c: float
    shop_humidity: float
    store_c: float
    store_humidity: float

    @property
    def grid_w(self) -> float:
        """Power at the main meter; negative while the sun feeds in."""
        return sum(self.phase_w) + self.oven_w - self.pv_w


@dataclass(frozen=True, slots=True)
class Energy:
    """Counters since the meters were installed, kWh."""

    bought: float
    sold: float
    oven: float
    pv: float


class Site:
    """One bakery.

    Args:
        seed: chooses weather, loads and meter readings.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._steps = 0
        base = 10_000.0 + 9_000.0 * _unit(seed, "bought", 0)
        self._kwh = [base, base * 0.21, base * 0.172, base * 0.6]

    def at(self, elapsed_s: float) -> State:
        """The site so many seconds after the demo's start."""
        hour = (START_H + elapsed_s * HOURS_PER_S) % 24.0
        clouds = 0.55 + 0.45 * self._wave("clouds", elapsed_s, 20.0)
        sun = max(0.0, math.sin((hour - 6.0) / 12.0 * math.pi)) ** 1.3 * clouds
        warm = math.sin((hour - 9.0) / 12.0 * math.pi)  # warmest at three in the afternoon
        noise = self._noise
        return State(
            hour=hour,
            sun=sun,
            volts=_three(lambda n: _volts(noise(f"volt {n}", elapsed_s, 2.0), sun)),
            frequency_hz=50.0 + 0.03 * noise("frequency", elapsed_s, 3.0),
            phase_w=_three(lambda n: self._phase_w(n, hour, elapsed_s)),
            oven_w=self._oven_w(hour, elapsed_s),
            pv_w=PV_PEAK_W * sun * (1.0 + 0.02 * noise("pv", elapsed_s, 1.0)),
            outside_c=12.0 + 5.0 * warm + 0.4 * noise("outside", elapsed_s, 15.0),
            wind_m_s=max(0.0, 3.6 + 1.8 * warm + 1.6 * noise("wind", elapsed_s, 4.0)),
            wind_from_deg=(245.0 + 40.0 * noise("from", elapsed_s, 12.0)) % 360.0,
            pressure_hpa=1013.0 + 6.0 * noise("pressure", elapsed_s, 120.0),
            humidity=62.0 - 14.0 * warm + 2.0 * noise("humidity", elapsed_s, 10.0),
            cold_room_c=4.0 + 0.9 * math.sin(elapsed_s / 11.0) + 0.1 * noise("cold", elapsed_s, 1),
            freezer_c=-18.5 + 1.1 * math.sin(elapsed_s / 17.0) + 0.1 * noise("ice", elapsed_s, 1),
            shop_c=21.0 + 1.5 * warm + 0.2 * noise("shop", elapsed_s, 5.0),
            shop_humidity=45.0 - 5.0 * warm + noise("damp", elapsed_s, 5.0),
            store_c=16.5 + 0.8 * warm + 0.1 * noise("store", elapsed_s, 5.0),
            store_humidity=52.0 + 1.5 * noise("flour", elapsed_s, 9.0),
        )

    def energy(self, elapsed_s: float) -> Energy:
        """Counter readings; they never go back while `elapsed_s` does not."""
        while (self._steps + 1) * STEP_S <= elapsed_s:
            self._steps += 1
            state = self.at(self._steps * STEP_S)
            kwh_per_w = STEP_S * HOURS_PER_S / 1000.0
            flows = (max(state.grid_w, 0.0), max(-state.grid_w, 0.0), state.oven_w, state.pv_w)
            self._kwh = [kwh + w * kwh_per_w for kwh, w in zip(self._kwh, flows, strict=True)]
        return Energy(*self._kwh)

    def _phase_w(self, phase: int, hour: float, elapsed_s: float) -> float:
        open_ = 1.0 if _within(OPEN_H, hour) else 0.35
        swing = 1.0 + 0.25 * self._noise(f"phase {phase}", elapsed_s, 6.0)
        return PHASE_BASE_W[phase] * open_ * swing

    def _oven_w(self, hour: float, elapsed_s: float) -> float:
        """The thermostat: on two thirds of the time while there is baking, else only the lamp."""
        on = _within(BAKING_H, hour) and elapsed_s % OVEN_CYCLE_S < OVEN_ON_S
        return (OVEN_W if on else 12.0) * (1.0 + 0.01 * self._noise("oven", elapsed_s, 0.5))

    def _wave(self, name: str, elapsed_s: float, period_s: float) -> float:
        """Slow noise made of two octaves, -1..1."""
        slow = self._noise(name, elapsed_s, period_s)
        return 0.7 * slow + 0.3 * self._noise(name + " fine", elapsed_s, period_s / 4)

    def _noise(self, name: str, elapsed_s: float, period_s: float) -> float:
        """Smooth noise, -1..1, that takes about `period_s` from one value to the next."""
        step, part = divmod(elapsed_s / period_s, 1.0)
        left, right = (_unit(self._seed, name, int(step) + n) for n in (0, 1))
        ease = part * part * (3.0 - 2.0 * part)
        return 2.0 * (left + (right - left) * ease) - 1.0


def _three(phase: Callable[[int], float]) -> tuple[float, float, float]:
    return phase(0), phase(1), phase(2)


def _within(hours: tuple[float, float], hour: float) -> bool:
    return hours[0] <= hour < hours[1]


def _volts(noise: float, sun: float) -> float:
    return 229.5 + 1.8 * noise + 2.5 * sun  # what feeds in lifts the voltage


def _unit(seed: int, name: str, step: int) -> float:
    """A number in 0..1 that only these three decide."""
    digest = hashlib.blake2b(f"{seed}/{name}/{step}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) / 0xFFFFFFFF
