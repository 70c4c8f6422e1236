"""Edits by a program: one place changes, everything else stays byte for byte."""

import difflib

import pytest

from agent.prepare.edits import EditError, add_block, fix_tabs, migrate, set_value
from tests.prepare.bench import SAMPLE, Bench, changed


def differences(before: str, after: str) -> list[str]:
    found = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line for line in found if line[0] in "+-"]


def test_a_value_is_replaced_and_its_comment_stays() -> None:
    comment = "# card space for readings that are not delivered yet\n"
    assert differences(SAMPLE, set_value(SAMPLE, ("site", "buffer"), "500MB")) == [
        f"-   buffer: 2GB                    {comment}",
        f"+   buffer: 500MB                  {comment}",
    ]


def test_a_value_in_braces_is_replaced() -> None:
    path = ("devices", "oven-meter", "points", "power", "every")
    found = differences(SAMPLE, set_value(SAMPLE, path, "2s"))
    assert found[1] == "+       power: {every: 2s}         # read this one faster than the rest\n"


def test_a_new_setting_stands_below_its_neighbours_and_above_the_next_heading() -> None:
    after = set_value(SAMPLE, ("cloud", "archive", "keep_offline"), "7d")
    assert differences(SAMPLE, after) == ["+     keep_offline: 7d\n"]
    lines = after.splitlines()
    assert lines[lines.index("    keep_offline: 7d") - 1] == "    every: 5min"


def test_line_ends_of_the_file_are_kept() -> None:
    text = SAMPLE.replace("\n", "\r\n")
    after = set_value(text, ("devices", "weather", "enabled"), "no")
    assert differences(text, after) == ["+     enabled: no\r\n"]


def test_a_value_that_needs_quotes_gets_them() -> None:
    after = set_value(SAMPLE, ("site", "name"), "Bakery: North #2's")
    assert "  name: 'Bakery: North #2''s'\n" in after


def test_an_empty_setting_is_filled_in() -> None:
    text = changed(SAMPLE, {47: "    every:              # soon"})
    after = set_value(text, ("devices", "main-meter", "every"), "5s")
    assert "    every: 5s              # soon\n" in after


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("devices", "oven-meter"), SAMPLE),
        (("devices", "nobody", "every"), SAMPLE),
        (("devices", "oven-meter", "points", "power", "min"), SAMPLE),
        (("site", "name"), SAMPLE.replace("name: Bakery North", "name: Bakery\n    North")),
        (("site", "name"), SAMPLE.replace("name: Bakery North", "name: |\n    Bakery")),
        (("site", "name"), "site: [\n"),
    ],
)
def test_what_a_program_cannot_edit_it_leaves_to_a_person(path: tuple[str, ...], text: str) -> None:
    with pytest.raises(EditError) as refused:
        set_value(text, path, "x")
    assert refused.value.action


def test_a_device_is_added_at_the_end_of_its_section() -> None:
    block = {"profile": "eastron-sdm120", "via": "rs485", "address": "5"}
    after = add_block(SAMPLE, "devices", "pump", block)
    assert len(differences(SAMPLE, after)) == 5
    lines = after.splitlines()
    at = lines.index("  pump:")
    assert lines[at - 2 : at + 5] == [
        "    every: 5min",
        "",
        "  pump:",
        "    profile: eastron-sdm120",
        "    via: rs485",
        "    address: 5",
        "",
    ]


def test_the_first_device_makes_its_section(bench: Bench) -> None:
    text = "site:\n  name: X\nconnections:\n"
    after = add_block(text, "connections", "radio", {"kind": "bluetooth"})
    after = add_block(after, "devices", "hall", {"profile": "ruuvitag", "via": "radio"})
    after = set_value(after, ("devices", "hall", "mac"), "CB:B8:33:4C:88:4F")
    assert bench.prepare(after).problems == ()


def test_a_name_that_is_taken_is_not_added() -> None:
    with pytest.raises(EditError, match="'weather' is there already"):
        add_block(SAMPLE, "devices", "weather", {"via": "rs485"})


def test_old_names_are_rewritten_and_nothing_else() -> None:
    text = changed(SAMPLE, {46: "    adress: 1          # of the main meter"})
    assert differences(text, migrate(text)) == [
        "-     adress: 1          # of the main meter\n",
        "+     address: 1          # of the main meter\n",
    ]


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_tabs_become_the_spaces_that_make_sense(width: int) -> None:
    text = f"site:\n{' ' * width}name: X\n\tid: ES-0231\n"
    assert fix_tabs(text) == f"site:\n{' ' * width}name: X\n{' ' * width}id: ES-0231\n"


@pytest.mark.parametrize(
    "text",
    [
        "site:\n\tname: X\ndevices:\n    oven:\n        every: 5s\n",
        "devices:\n\toven:\n        every: 5s\n",  # 8 would make `every` a device
        "site:\n    name: X\ndevices:\n    oven:\n\t\tevery: 5s\n",
        "# a comment\n  # another\nsite:\n\n    name: X\ndevices:\n\toven: {every: 5s}\n",
    ],
)
def test_a_tab_becomes_a_level_of_the_file_it_stands_in(text: str) -> None:
    assert fix_tabs(text) == text.replace("\t", "    ")


def test_tabs_behind_a_colon_become_a_space() -> None:
    assert fix_tabs("site:\n\tname:\t X\t# y\n") == "site:\n  name: X\t# y\n"
