"""What the two talking instruments print: NMEA 0183 sentences and a logger's delimited lines."""

import math
from functools import reduce

from agent.demo.instruments.site import State

KNOTS = 1.943844  # per m/s
INCHES_PER_HPA = 0.0295300  # of mercury
MAGNUS_B, MAGNUS_C = 17.62, 243.12  # WMO No. 8, annex 4.B: over water


def weather(state: State) -> str:
    """One cycle of the station: MWV (wind) and MDA (everything), as the sentences stand there."""
    wind = f"WIMWV,{state.wind_from_deg:.1f},R,{state.wind_m_s:.1f},M,A"
    bar = state.pressure_hpa / 1000
    pressure = f"{state.pressure_hpa * INCHES_PER_HPA:.4f},I,{bar:.4f},B"
    dew_c = dew_point(state.outside_c, state.humidity)
    air = f"{state.outside_c:.1f},C,,,{state.humidity:.1f},,{dew_c:.1f},C"
    blows = f"{state.wind_from_deg:.1f},T,,M"
    speed = f"{state.wind_m_s * KNOTS:.1f},N,{state.wind_m_s:.1f},M"
    return nmea(wind) + nmea(f"WIMDA,{pressure},{air},{blows},{speed}")


def store(state: State, number: int) -> str:
    """The flour store's logger: number; temperature; humidity; battery."""
    volts = 3.61 - 0.00001 * number
    return f"{number};{state.store_c:.2f};{state.store_humidity:.1f};{volts:.2f}\r\n"


def nmea(body: str) -> str:
    """A sentence with its checksum and line end (NMEA 0183, 5.3)."""
    checksum = reduce(lambda sum_, char: sum_ ^ ord(char), body, 0)
    return f"${body}*{checksum:02X}\r\n"


def dew_point(celsius: float, humidity: float) -> float:
    """Magnus formula, degrees Celsius."""
    gamma = math.log(humidity / 100) + MAGNUS_B * celsius / (MAGNUS_C + celsius)
    return MAGNUS_C * gamma / (MAGNUS_B - gamma)
