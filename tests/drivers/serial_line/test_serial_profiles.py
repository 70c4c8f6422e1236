"""Every packaged profile for lines of text reads its own golden line."""

import pytest

from agent.plan import from_json
from drivers.serial_line.dsmr import crc16
from drivers.serial_line.plan import Found, LinePlan, Speaker
from drivers.serial_line.profile import LinesProfile
from drivers.serial_line.readers import reader
from drivers.serial_line.settings import KIND
from tests.drivers.profiles import device, load, names


@pytest.mark.parametrize("name", names("serial-lines"))
def test_a_profile_reads_its_golden_line(name: str) -> None:
    _, profile = load(name)
    assert isinstance(profile, LinesProfile)
    assert profile.test is not None, "a profile shows what its device sends"
    compiled = KIND.compile(
        "line", KIND.settings.model_validate({"port": "/dev/x"}), [device(name)]
    )
    (speaker,) = from_json(LinePlan, compiled.spec).speakers
    lines = sent(speaker, profile.test.line)
    found = {p.point: one for line in lines for p, one in reader(speaker).decode(line)}
    for point, expected in profile.test.expect.items():
        one = found[point]
        assert isinstance(one, Found), one
        if isinstance(one.value, str):
            assert one.value == expected
        else:
            assert one.value == pytest.approx(float(expected)), point


def sent(speaker: Speaker, golden: str) -> list[str]:
    """What the driver is given, piece by piece."""
    if speaker.lines == "nmea":
        return golden.split(" ")
    if speaker.lines == "dsmr":
        head, *rest = golden.split(" ")
        body = "\r\n".join([head, "", *rest, "!"])
        return [f"{body}{crc16(body.encode()):04X}\r\n"]
    return [golden]
