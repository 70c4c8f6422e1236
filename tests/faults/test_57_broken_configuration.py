"""Fault 57: a configuration that is half written, hostile, huge, or means something else in YAML.

`check` and the daemon's compiler refuse it with file, line and column; what runs goes on running,
and a start runs the last good plan. What the reader makes of each hostile text, within which time
and memory, is in `tests/prepare/test_reader.py`.
"""

import io
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agent.prepare.compile import prepare
from agent.prepare.report import human
from agent.prepare.source import BrokenFileError, parse_text
from agent.prepare.tree import compose, plain
from tests.daemon.plant import GATEWAY, Site, ended, slave
from tests.lab.hostile_yaml import DOCUMENTS, REFUSED, Document
from tests.lab.mosquitto import free_port

PLACED = re.compile(r"gateway\.yaml:\d+:\d+: error: .+")
WHOLE_FILE = {
    "larger than allowed",
    "nothing",
    "one word",
    "not UTF-8 (surrogate)",
}  # no one place is to blame
SMALL = 5000  # characters; on more of it a plain loader takes minutes
GOOD = GATEWAY.format(modbus=502, mqtt=1883)
WRONG = {  # in a file that is good otherwise: what is written, and what stands in the sentence
    "half a line": (GOOD[: GOOD.index("cloud:") + 15], "cloud"),
    "an unknown key": (GOOD.replace("via:", "viax:"), "did you mean 'via'?"),
    "a block for a value": (GOOD.replace("id: bench-01", "id: {a: b}"), "id"),
    "a value for a block": (GOOD.replace("  meter:\n", "  meter: 5\n  other:\n"), "meter"),
    "a list for a block": (GOOD.replace("  plc:", "  - plc:"), "list"),
    "a clock time": (GOOD.replace("every: 100ms", "every: 12:30"), "12:30"),
    "an octal number": (GOOD.replace("address: 1", "address: 0o10"), "0o10"),
    "no number": (GOOD.replace("address: 1", "address: no"), "no"),
    "a key twice": (GOOD.replace("    address: 1", "    address: 1\n    address: 2"), "address"),
    "a Tab": (GOOD.replace("    via:", "\tvia:"), "Tab"),
}


def ours(text: str) -> object:
    try:
        return plain(compose(parse_text(Path("gateway.yaml"), _bytes(text))).root)
    except BrokenFileError:
        return None


def plain_loader(text: str) -> object:
    """Broken: what everybody does, with the same parser."""
    try:
        return YAML(typ="safe", pure=True).load(io.BytesIO(_bytes(text)))
    except (YAMLError, ValueError, RecursionError):
        return None


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


@pytest.mark.parametrize("loader", [ours, plain_loader])
def test_nothing_hostile_is_taken_and_nothing_written_means_something_else(
    loader: Callable[[str], object],
) -> None:
    documents = [each for each in DOCUMENTS if len(each.text) < SMALL]
    wrong = {each.name for each in documents if loader(each.text) != each.wanted}
    if loader is ours:
        assert wrong == set()
    else:
        assert wrong >= {"alias bomb", "a leading zero", "digits with underscores", "a version"}


@pytest.mark.parametrize("document", REFUSED, ids=lambda each: each.name)
def test_it_is_refused_with_file_line_and_column(
    document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("gateway.yaml")
    file.write_bytes(_bytes(document.text))
    outcome = prepare(file, environment={})
    said = human(outcome.problems)
    assert outcome.plan is None
    assert said.startswith("gateway.yaml")
    assert PLACED.match(said) or document.name in WHOLE_FILE, said


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_at_its_place(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Site(tmp_path, 1883)
    text, word = WRONG[what]
    Path("gateway.yaml").write_text(text)
    outcome = prepare(Path("gateway.yaml"), offline=True, environment={})
    said = human(outcome.problems)
    assert outcome.plan is None
    assert PLACED.match(said), said
    assert word in said


def test_a_name_that_yaml_would_read_as_something_else_stays_as_it_is_written(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, 1883)
    for name in ("no", "010", "12:30", "1e3", "0x1F", "2026-11-23"):
        site.config.write_text(GOOD.replace("name: Test bench", f"name: {name}"))
        plan = prepare(site.config, offline=True, environment={}).plan
        assert plan is not None
        assert plan.site.name == name


@pytest.mark.timeout(60)
async def test_a_running_daemon_does_not_notice_and_one_that_was_killed_goes_on(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, free_port())
    async with slave(site.modbus):
        daemon = site.run()
        await site.until(lambda s: s["devices"]["meter"]["state"] == "ok")
        site.config.write_bytes(_bytes(REFUSED[0].text))
        assert site.snapshot()["devices"]["meter"]["state"] == "ok"
        daemon.send_signal(signal.SIGKILL)
        daemon.communicate()
        again = site.run()
        try:
            await site.until(lambda s: s["devices"]["meter"]["state"] == "ok")
            configuration = site.snapshot()["status"]["configuration"]
        finally:
            ended(again)
    assert configuration["version"] == 1
    assert PLACED.search(configuration["rejected"])
