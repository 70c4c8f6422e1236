"""What the documents say is true: samples are files, verbs exist, links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli.app import VERBS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*/**/*.md")]
    if not {".venv", ".pytest_cache", "bundles"} & set(path.parts)
)
# a code block whose text stands in a file is preceded by a comment that names it
EMBEDDED = re.compile(r"<!-- from (\S+) -->\n+```\w*\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
VERB = re.compile(r"(?<![\w/.-])fieldpost (?!fieldpost)([a-z][a-z-]+)")
EVERY = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))


def samples() -> list[tuple[str, str]]:
    found = [EMBEDDED.findall(path.read_text(encoding="utf-8")) for path in DOCUMENTS]
    return [sample for of_one in found for sample in of_one]


@pytest.mark.parametrize(("name", "text"), samples(), ids=[name for name, _ in samples()])
def test_a_sample_in_a_document_is_the_file_it_names(name: str, text: str) -> None:
    assert text == (ROOT / name).read_text(encoding="utf-8")


def test_the_readme_embeds_its_first_configuration() -> None:
    assert "config/first.yaml" in dict(EMBEDDED.findall(README.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", ["config/first.yaml", "config/gateway.yaml"])
def test_a_configuration_we_show_is_one_that_runs(name: str) -> None:
    command = [sys.executable, "-m", "agent.prepare", "--offline", "--config", str(ROOT / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("driver", sorted(ROOT.glob("drivers/*/README.md")), ids=str)
def test_a_drivers_readme_shows_its_sample(driver: Path) -> None:
    sample = (driver.parent / "sample.yaml").read_text(encoding="utf-8")
    assert f"```yaml\n{sample}```" in driver.read_text(encoding="utf-8")


@EVERY
def test_every_verb_in_a_document_exists(path: Path) -> None:
    code = " ".join(CODE.findall(path.read_text(encoding="utf-8")))
    assert set(VERB.findall(code)) <= set(VERBS)


@EVERY
def test_every_link_leads_to_a_file(path: Path) -> None:
    links = LINK.findall(path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_readme_says_of_every_verb_what_its_help_says() -> None:
    rows = re.findall(
        r"^\| `([a-z-]+)` \| (.*) \|$", README.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert dict(rows) == {name: text for name, (_, text) in VERBS.items()}


def test_the_readme_needs_two_commands_to_begin() -> None:
    first = re.search(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert first is not None
    commands = [line.split("#")[0].strip() for line in first[1].splitlines()]
    assert commands == ["scripts/demo", "scripts/test"]
    assert all((ROOT / command).stat().st_mode & 0o111 for command in commands)
