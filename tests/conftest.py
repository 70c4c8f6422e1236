"""What every test shares."""

import os
import signal
from collections.abc import Iterable

import pytest

PATIENCE = 3.0 if "CI" in os.environ else 1.0  # nobody knows what else such a machine has to do

# a shell starts background jobs with Ctrl-C ignored, and programs under test would inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Give each test as many times its time as the machine may need."""
    usual_s = float(config.getoption("timeout") or config.getini("timeout"))
    for item in items:
        marked = item.get_closest_marker("timeout")
        given_s = marked.args[0] if marked else usual_s
        item.add_marker(pytest.mark.timeout(PATIENCE * given_s), append=False)
