"""Every packaged profile for lines of text reads its own golden line."""

import pytest

from agent.plan import from_json
from drivers.serial_line.plan import Found, LinePlan
from drivers.serial_line.profile import LinesProfile
from drivers.serial_line.settings import KIND
from drivers.serial_line.text import reader
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
    lines = profile.test.line.split(" ") if speaker.nmea else [profile.test.line]
    found = {p.point: one for line in lines for p, one in reader(speaker).decode(line)}
    for point, expected in profile.test.expect.items():
        one = found[point]
        assert isinstance(one, Found), one
        if isinstance(one.value, str):
            assert one.value == expected
        else:
            assert one.value == pytest.approx(float(expected)), point
