"""A folder with the complete sample in it, to be changed line by line."""

import re
from collections.abc import Mapping
from pathlib import Path

from agent.prepare.compile import Outcome, prepare
from agent.prepare.registry import Kinds

HERE = Path(__file__).parent
SAMPLE = (HERE / "gateway.yaml").read_text(encoding="utf-8")
SECRETS = (
    "ES-0231-servertls-complete-bundle-20261123094500.zip",
    "archive-token",
    "freezer-key",
    "scada-cert",
    "scada-key",
)
EXCERPT = re.compile(r" {0,4}(\d+) \| ?(.*)")
NOT_PLUGGED_IN = "port_missing"  # no test bench has these adapters


def changed(text: str, lines: Mapping[int, str]) -> str:
    """The text with some lines replaced, or added behind the last one."""
    rows = text.splitlines()
    rows += [""] * (max(lines, default=0) - len(rows))
    for number, line in lines.items():
        rows[number - 1] = line
    return "\n".join(rows) + "\n"


def excerpted(text: str) -> dict[int, str]:
    """Lines as an excerpt shows them, by number."""
    matches = (EXCERPT.fullmatch(line) for line in text.splitlines())
    return {int(m[1]): m[2].replace("→", "\t") for m in matches if m and "********" not in m[2]}


class Bench:
    """A configuration folder: the file, profiles and secrets beside it."""

    def __init__(self, folder: Path, kinds: Kinds | None = None) -> None:
        self.file = folder / "gateway.yaml"
        self._kinds = kinds
        (folder / "profiles").mkdir()
        for profile in (HERE / "profiles").glob("*.yaml"):
            self.profile(profile.stem, profile.read_text(encoding="utf-8"))
        (folder / "secrets").mkdir(mode=0o700)
        for name in SECRETS:
            (folder / "secrets" / name).touch(0o600)

    def profile(self, name: str, text: str) -> None:
        """Put an own profile there."""
        path = self.file.parent / "profiles" / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")

    def prepare(
        self, text: str | bytes = SAMPLE, environment: Mapping[str, str] | None = None
    ) -> Outcome:
        """What comes of this text, without what only the bench lacks."""
        self.file.write_bytes(text if isinstance(text, bytes) else text.encode())
        outcome = prepare(self.file, kinds=self._kinds, environment=environment or {})
        kept = [p for p in outcome.problems if p.problem.code != NOT_PLUGGED_IN]
        return Outcome(outcome.plan, tuple(kept))
