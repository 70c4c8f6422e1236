"""Why there is no plan is a sentence, however `prepare` ended."""

from agent.daemon.plans import reason_of

TRACE = """Traceback (most recent call last):
  File "prepare.py", line 1, in <module>
KeyError: 'site'"""


def test_what_prepare_says_itself_stays_as_it_is() -> None:
    assert reason_of("gateway.yaml: 'addres' is not a setting of 'meter'", 1).startswith("gateway")


def test_a_prepare_that_breaks_down_gives_a_sentence_first() -> None:
    first = reason_of(f"a warning before it\n{TRACE}", 1).splitlines()[0]
    assert "Traceback" not in first
    assert "broke down" in first
    assert "KeyError: 'site'" in first


def test_a_prepare_that_was_killed_is_no_riddle() -> None:
    assert "signal 9" in reason_of("", -9)
