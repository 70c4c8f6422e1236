"""Every verb is documented, has help with an example, and loads no more than it needs."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import agent.cli
from agent.cli.app import VERBS, app
from agent.cli.verb import Verb
from tests.cli.conftest import Fieldpost

README = (Path(agent.cli.__file__).parent / "README.md").read_text(encoding="utf-8")


def commands(group: click.Group, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)
        else:
            yield (*above, name), command


ALL = list(commands(app))
EVERY = pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)


@EVERY
def test_every_verb_has_help_with_an_example(fieldpost: Fieldpost, path: tuple[str, ...]) -> None:
    said = fieldpost(*path, "--help")
    command = dict(ALL)[path]
    assert said.code == 0
    assert command.help
    assert isinstance(command, Verb)
    assert all(line.split("fieldpost ")[1].startswith(" ".join(path))
               for line in command.example.splitlines())  # fmt: skip
    assert "Example:" in said.out
    assert max(len(line) for line in said.out.splitlines()) <= 80


@EVERY
def test_every_verb_is_in_the_readme(path: tuple[str, ...]) -> None:
    rows = [
        line
        for line in README.splitlines()
        if line.startswith((f"| `{path[0]} ", f"| `{path[0]}`"))
    ]
    assert rows
    assert path[-1] in rows[0]


@EVERY
def test_every_verb_that_reads_speaks_json(path: tuple[str, ...]) -> None:
    silent = {"init", "run", "prepare", "set", "rm", "revoke", "migrate", "enroll"}
    options = {name for p in dict(ALL)[path].params for name in p.opts}
    assert ("--json" in options) == (path[-1] not in silent)


def test_a_typing_error_has_a_neighbour(fieldpost: Fieldpost) -> None:
    said = fieldpost("versio")
    assert (said.code, "Did you mean 'version'?" in said.err) == (2, True)


def test_the_order_of_the_help_is_the_order_of_the_work(fieldpost: Fieldpost) -> None:
    lines = [line.split()[0] for line in fieldpost("--help").out.splitlines() if line]
    shown = lines[lines.index("Verbs:") + 1 : lines.index("More")]
    assert shown == list(VERBS)


def loaded(*arguments: str) -> set[str]:
    """The modules a command has loaded when it is done."""
    code = (
        "import atexit, sys\n"
        "from agent.cli import main\n"
        "atexit.register(lambda: print('\\n'.join(sys.modules), file=sys.stderr))\n"
        f"sys.argv = ['fieldpost', *{arguments!r}]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=8
    )
    return set(done.stderr.splitlines())


def test_the_daemon_never_loads_the_command_line(tmp_path: Path) -> None:
    modules = loaded("run", "--config", str(tmp_path / "none.yaml"), "--state", str(tmp_path))
    assert "agent.daemon.app" in modules
    forbidden = ("argparse", "click", "pydantic", "ruamel", "fastapi", "agent.prepare")
    assert [name for name in (*forbidden, "agent.cli.app") if name in modules] == []


def test_asking_the_daemon_loads_neither_compiler_nor_loop() -> None:
    modules = loaded("--socket", "/nowhere.sock", "status")
    assert "agent.cli.status" in modules
    for name in ("asyncio", "pydantic", "agent.prepare", "agent.daemon"):
        assert name not in modules, name
