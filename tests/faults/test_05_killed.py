"""Fault 5: kill -9 at any moment, again and again; the ledger of what was claimed is outside."""

import random
from pathlib import Path

import pytest

from tests.lab.plant import Told, judge
from tests.lab.running import Running

KILLS = 25


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_process_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    dice, told = random.Random(5), Told()  # noqa: S311 - repeatable
    for kill in range(KILLS):
        with Running(tmp_path, told, "--since", str(kill * 3600)) as writer:
            writer.listen(dice.uniform(0.0, 0.12))
    assert told.committed > KILLS
    assert judge(tmp_path, told) == "ok"
