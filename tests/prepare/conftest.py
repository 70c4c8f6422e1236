"""The bench of this room."""

from pathlib import Path

import pytest

from tests.prepare.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
