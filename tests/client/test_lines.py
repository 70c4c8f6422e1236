"""What a program says when the daemon says nothing."""

import pytest

from agent.client import lines
from agent.errors import UnavailableError


def test_a_silent_daemon_is_not_asked_for_its_own_log() -> None:
    """`fieldpost log` would wait for the same daemon."""
    with pytest.raises(UnavailableError) as caught:
        lines.answer(b"")
    assert "fieldpost log" not in str(caught.value.action)
    assert "journalctl" in str(caught.value.action)
