"""`fieldpost run` reads its own options, and leaves what it does not know to the command line."""

from pathlib import Path

import pytest

from agent.cli.run import options


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {}),
        (["--config", "a.yaml"], {"--config": Path("a.yaml")}),
        (["--state=s", "--socket", "x"], {"--state": Path("s"), "--socket": Path("x")}),
        (["--help"], None),
        (["--confg", "a.yaml"], None),
        (["--config"], None),
        (["--config", "--state", "s"], None),
        (["gateway.yaml"], None),
    ],
)
def test_only_plain_options_are_taken(
    arguments: list[str], expected: dict[str, Path] | None
) -> None:
    assert options(arguments) == expected
