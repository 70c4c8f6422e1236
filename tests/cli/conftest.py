"""The command line beside a twin of the daemon."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from agent.cli.app import command_line
from agent.plan import Json
from tests.cli import bakery
from tests.cli.twin import Twin, running


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        read: Json = orjson.loads(self.out)
        return read

    @property
    def lines(self) -> list[Json]:
        return [orjson.loads(line) for line in self.out.splitlines()]


Fieldpost = Callable[..., Said]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("STATE_DIRECTORY", "FIELDPOST_SOCKET", "FIELDPOST_CONFIG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def fieldpost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Fieldpost:
    """Run a command as its user would, at the twin's socket."""

    def run(*arguments: str) -> Said:
        code = command_line(["--socket", str(tmp_path / "fieldpost.sock"), *arguments])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[Twin]:
    """A daemon with the bakery's answers."""
    twin = Twin(tmp_path / "fieldpost.sock")
    twin.answers = {"snapshot": bakery.snapshot(), "history": history}
    with running(twin):
        yield twin


def history(args: Json) -> Json:
    courses: dict[str, tuple[str, list[float | None]]] = {
        "main-meter": ("power", [3.0, 3.1, 3.6, 3.5, 4.0, 4.3, 4.9, 5.2, 5.6, 5.1, 4.7, 4.3]),
        "oven-meter": ("power", [0.2, 0.2, 2.1, 2.1, 0.2, 0.2, 2.1, 2.1, 0.2, 0.2, 2.1, 2.1]),
        "inverter": ("power", [2.0, 2.0, 2.0, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, None]),
        "freezer": ("temperature", [-18.4] * 12),
    }
    point, values = courses.get(args["device"], ("", []))
    return bakery.history(args["device"], point, values)
