"""What every driver owes its user and the supervisor: one suite for all that are installed."""

import asyncio
import contextlib
import importlib.metadata
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self, get_args

import pytest
from pydantic import BaseModel

from agent.demo.bluez import stand_in
from agent.driver import DriverError, Opens, Reads
from agent.errors import NotFoundError
from agent.plan import Connection
from agent.prepare.compile import Outcome, prepare
from agent.prepare.kinds import ConnectionKind
from tests.lab.pty import Pty
from tests.lab.sink import KeepingSink

KINDS = sorted(point.name for point in importlib.metadata.entry_points(group="fieldpost.drivers"))
EVERY = pytest.mark.parametrize("kind", KINDS)
NOWHERE = {"port": "/nonexistent/port", "host": "127.0.0.1:9", "adapter": "hci9"}
GIVES_UP_S = 5.0
STOPS_S = 1.0
TOUCHES = ("open", "os.listdir", "os.scandir", "socket.", "subprocess.")
FENCED = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Package:
    """One driver as it is installed.

    Attributes:
        folder: its README and sample lie here.
    """

    opens: Opens
    settings: ConnectionKind
    folder: Path


def package(kind: str) -> Package:
    (opens,) = importlib.metadata.entry_points(group="fieldpost.drivers", name=kind)
    (settings,) = importlib.metadata.entry_points(group="fieldpost.settings", name=kind)
    module = opens.load().__module__
    return Package(opens.load(), settings.load(), Path(str(sys.modules[module].__file__)).parent)


def compiled(kind: str, folder: Path, **places: str) -> Connection:
    """The sample's connection of this kind, with its hardware somewhere else."""
    text = (package(kind).folder / "sample.yaml").read_text(encoding="utf-8")
    for key, place in places.items():
        text = re.sub(rf"(?m)^(\s+{key}:) .*$", rf"\1 {place}", text)
    (folder / "gateway.yaml").write_text(text, encoding="utf-8")
    return connection(prepare(folder / "gateway.yaml", offline=True), kind)


def connection(outcome: Outcome, kind: str) -> Connection:
    assert outcome.plan is not None, outcome.problems
    found = [one for one in outcome.plan.connections.values() if one.kind == kind]
    assert found, f"the sample shows no {kind}"
    return found[0]


class Watched:
    """Notices every file, socket and process that is touched inside the block."""

    touched: list[str]
    _watching = False

    def __enter__(self) -> Self:
        self.touched = []
        self._watching = True
        sys.addaudithook(self._hook)  # it cannot be taken off again, so it is switched
        return self

    def __exit__(self, *_: object) -> None:
        self._watching = False

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._watching and event.startswith(TOUCHES):
            self.touched.append(f"{event} {arguments[:1]}")


@contextlib.asynccontextmanager
async def silent_peer(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[dict[str, str]]:
    """Something that can be opened and never says a word."""
    keys = package(kind).settings.settings.model_fields
    if "port" in keys:
        with Pty(folder / "adapter") as pty:
            yield {"port": str(pty.path)}
    elif "host" in keys:
        async with _silent_host() as host:
            yield {"host": host}
    elif "adapter" in keys and shutil.which("dbus-daemon"):
        async with stand_in() as bluez:
            monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bluez.address)
            yield {"adapter": "hci0"}
    else:
        pytest.skip(f"nothing here can stand in for the hardware of {kind}")


@contextlib.asynccontextmanager
async def _silent_host() -> AsyncIterator[str]:
    ends = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ends.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ends.set()


@EVERY
def test_its_sample_is_a_configuration_without_a_single_problem(kind: str) -> None:
    outcome = prepare(package(kind).folder / "sample.yaml", offline=True)
    assert outcome.problems == ()
    connection(outcome, kind)


@EVERY
def test_its_readme_shows_the_very_sample(kind: str) -> None:
    folder = package(kind).folder
    shown = FENCED.findall((folder / "README.md").read_text(encoding="utf-8"))
    assert (folder / "sample.yaml").read_text(encoding="utf-8") in shown


@EVERY
def test_its_readme_names_every_setting(kind: str) -> None:
    readme = (package(kind).folder / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)`", readme))
    settings = package(kind).settings
    written = {key for model in (settings.settings, settings.device) for key in keys(model)}
    assert written - named == set()


@EVERY
def test_its_readme_names_every_key_of_a_profile_that_is_its_own(kind: str) -> None:
    readme = (package(kind).folder / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)`", readme))
    profile = package(kind).settings.profile
    of_all = {"profile", "title", "kind", "extends", "every"}
    assert set(keys(profile)) - of_all - named == set()
    assert set(keys(point(profile))) - of_all - named == set()


def keys(model: type[BaseModel]) -> Iterator[str]:
    """As they are written in a file."""
    for name, field in model.model_fields.items():
        yield field.alias or name


def point(profile: type[BaseModel]) -> type[BaseModel]:
    """The model of one point of a profile."""
    models = get_args(profile.model_fields["points"].annotation)
    found: list[type[BaseModel]] = [model for model in models if issubclass(model, BaseModel)]
    return found[0]


@EVERY
def test_making_it_touches_nothing(kind: str, tmp_path: Path) -> None:
    line = compiled(kind, tmp_path, **NOWHERE)
    opens = package(kind).opens
    opens(line.spec, {})  # its modules are read the first time
    with Watched() as watched:
        opens(line.spec, {})
    assert watched.touched == []


@EVERY
async def test_without_its_hardware_it_gives_up_in_words(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    line = compiled(kind, tmp_path, **NOWHERE)
    driver = package(kind).opens(line.spec, {})
    async with asyncio.timeout(GIVES_UP_S):
        with pytest.raises(DriverError) as caught:
            await driver.run(KeepingSink())
    assert caught.value.action, "it says what to do"
    assert "\n" not in caught.value.message


@EVERY
@pytest.mark.parametrize("after_s", [0.0, 0.3])
async def test_it_stops_within_a_second(
    kind: str, after_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with silent_peer(kind, tmp_path, monkeypatch) as place:
        driver = package(kind).opens(compiled(kind, tmp_path, **place).spec, {})
        async with asyncio.TaskGroup() as group:
            running = group.create_task(driver.run(KeepingSink()), name=kind)
            await asyncio.sleep(after_s)
            assert not running.done()
            running.cancel()
            done, _ = await asyncio.wait([running], timeout=STOPS_S)
            assert running in done
            assert running.cancelled()


@EVERY
async def test_it_runs_again_after_it_was_stopped(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with silent_peer(kind, tmp_path, monkeypatch) as place:
        driver = package(kind).opens(compiled(kind, tmp_path, **place).spec, {})
        for _ in range(2):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    await driver.run(KeepingSink())


@EVERY
async def test_asked_for_a_device_it_does_not_have_it_says_so(kind: str, tmp_path: Path) -> None:
    driver = package(kind).opens(compiled(kind, tmp_path, **NOWHERE).spec, {})
    if not isinstance(driver, Reads):
        pytest.skip(f"{kind} is not read on demand")
    with pytest.raises(NotFoundError):
        await driver.read("nobody", None)
