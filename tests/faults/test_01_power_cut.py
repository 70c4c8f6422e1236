"""Fault 1 and 10: the power of a real ext4 is cut at random moments, under a running store."""

import random

import pytest

from tests.lab.loopfs import LoopFs
from tests.lab.plant import Told, judge
from tests.lab.running import Running

CUTS = 20
CONTROL_CUTS = 6


def cut_once(dice: random.Random, build: str = "sound", recuts: int = 0) -> tuple[str, Told]:
    """Run, cut, and judge what the next mount finds."""
    told = Told()
    with LoopFs("64M") as fs:
        folder = fs.path / "store"
        folder.mkdir()
        for cut in range(recuts + 1):
            options = ("--build", build, "--since", str(cut * 3600))
            with Running(folder, told, *options) as writer:
                if cut:
                    writer.listen(dice.uniform(0.2, 0.8), after_first_line=False)
                else:
                    writer.listen(dice.uniform(0.1, 0.4))
                fs.cut_power()
            fs.remount()
        return judge(folder, told), told


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.usefixtures("loop_devices")
def test_a_power_cut_loses_nothing_that_was_committed() -> None:
    dice = random.Random(1)  # noqa: S311 - repeatable
    for _ in range(CUTS):
        verdict, told = cut_once(dice)
        assert verdict == "ok", told.committed


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.usefixtures("loop_devices")
def test_a_store_that_does_not_wait_for_the_disk_is_caught() -> None:
    dice = random.Random(1)  # noqa: S311 - repeatable
    verdicts = [cut_once(dice, "normal")[0] for _ in range(CONTROL_CUTS)]
    assert any(verdict.startswith("lost") for verdict in verdicts)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.usefixtures("loop_devices")
def test_a_brown_out_of_many_cuts_converges() -> None:
    verdict, told = cut_once(random.Random(10), recuts=8)  # noqa: S311 - repeatable
    assert verdict == "ok", told.committed
