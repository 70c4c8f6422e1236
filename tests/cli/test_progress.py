"""How long a search still takes."""

from agent.cli.progress import SETTLED, Pace


def test_the_rest_is_guessed_until_the_pace_is_known_and_then_follows_it() -> None:
    pace = Pace(60.0)
    assert pace.needs(10) == "10 min"
    for _ in range(SETTLED):
        pace.step()
    assert pace.needs(10) != "10 min"
    assert pace.needs(0) == "1 s"
