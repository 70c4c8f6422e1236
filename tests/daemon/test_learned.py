"""What devices taught the daemon stands in a file that `prepare` reads, and is rarely written."""

from pathlib import Path

from agent.daemon.learned import RARELY_S, Lessons
from agent.driver import Figures
from agent.driver.learned import FILE, Learned, recalled
from tests.daemon.health.bakery import ObedientClock, device, site

NAME = "main-meter"


def figures(latency_s: float, *refused: str) -> dict[str, Figures]:
    told = {NAME: refused} if refused else {}
    return {"rs485": Figures(0.1, latency_s={NAME: latency_s}, refused=told)}


def test_a_pace_is_kept_at_once_and_then_rarely(tmp_path: Path) -> None:
    clock = ObedientClock()
    lessons = Lessons(tmp_path, site(device(NAME)), clock)
    lessons.look({})
    assert not (tmp_path / FILE).exists()
    seen = []
    for latency_s, wait_s in ((0.02, 10), (0.09, RARELY_S), (0.05, RARELY_S), (0.051, 10)):
        lessons.look(figures(latency_s))
        clock.go(wait_s)
        seen.append(recalled(tmp_path / FILE)[NAME].latency_s)
    assert seen == [0.02, 0.02, 0.05, 0.05]


def test_a_refusal_is_kept_beyond_the_end_of_the_daemon(tmp_path: Path) -> None:
    plan, clock = site(device(NAME)), ObedientClock()
    Lessons(tmp_path, plan, clock).look(figures(0.02, "holding 0-71"))
    again = Lessons(tmp_path, plan, clock)
    again.look({})
    again.look(figures(0.02, "holding 80-99"))
    told = Learned("rs485", "2", 0.02, ("holding 0-71", "holding 80-99"))
    assert recalled(tmp_path / FILE) == {NAME: told}


def test_what_was_learned_elsewhere_is_forgotten(tmp_path: Path) -> None:
    clock = ObedientClock()
    Lessons(tmp_path, site(device(NAME)), clock).look(figures(0.02))
    Lessons(tmp_path, site(device(NAME, "lan")), clock).look({})
    assert recalled(tmp_path / FILE) == {}


def test_a_file_that_cannot_be_read_or_written_stops_nobody(tmp_path: Path) -> None:
    for content in ("", "[]", '{"format": 1, "devices": {"a": 5}}', '{"format": 99}'):
        (tmp_path / FILE).write_text(content)
        assert recalled(tmp_path / FILE) == {}
    Lessons(tmp_path / "gone", site(device(NAME)), ObedientClock()).look(figures(0.02))
