"""Speakers and plans that the tests of serial lines share."""

from functools import reduce
from pathlib import Path

from drivers.serial_line.plan import LinePlan, Pick, Speaker


def nmea(body: str) -> bytes:
    """A sentence with its checksum and line end."""
    checksum = reduce(lambda a, b: a ^ ord(b), body, 0)
    return f"${body}*{checksum:02X}\r\n".encode()


WIND = Pick(
    "wind_speed",
    "wind_speed",
    sentence="MWV",
    unit_field="wind_speed_units",
    unit="m/s",
    low=0,
    high=60,
)
DIRECTION = Pick("wind_direction", "wind_angle", sentence="MWV", unit="deg")
HEAT = Pick("temperature", "air_temp", sentence="MDA", unit="Cel")
WEATHER = Speaker("weather", [WIND, DIRECTION, HEAT], lines="nmea")
ROOM = Speaker(
    "room",
    [Pick("temperature", "t"), Pick("humidity", "h")],
    pattern=r"T=(?P<t>-?\S+) H=(?P<h>\S+)",
)


def line_plan(port: Path, *speakers: Speaker) -> LinePlan:
    return LinePlan(str(port), 4800, 8, "N", 1, speakers or [WEATHER])
