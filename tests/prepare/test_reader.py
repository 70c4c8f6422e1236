"""The file as text: what is refused while reading, where, and what stays exactly as written."""

import resource
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.prepare.source import LARGEST_BYTES, BrokenFileError, Mark, parse_text, read
from agent.prepare.tree import Document, compose, plain
from tests.lab.hostile_yaml import DOCUMENTS
from tests.lab.hostile_yaml import Document as Hostile

FILE = Path("gateway.yaml")
SECONDS, MEGABYTES = 1.0, 100.0


def document(text: str | bytes) -> Document:
    content = text if isinstance(text, bytes) else text.encode(errors="surrogateescape")
    return compose(parse_text(FILE, content))


def outcome(content: bytes) -> dict[str, object] | str:
    """The tree, or the sentence that refuses it."""
    try:
        found: dict[str, object] = plain(document(content).root)
    except BrokenFileError as error:
        return error.located.problem.message
    return found


def refusal(text: str | bytes) -> tuple[str, Mark | None]:
    with pytest.raises(BrokenFileError) as refused:
        document(text)
    return refused.value.located.problem.message, refused.value.located.mark


@pytest.mark.parametrize("hostile", DOCUMENTS, ids=lambda each: each.name)
def test_a_hostile_document_ends_quickly_and_small(hostile: Hostile) -> None:
    began = time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = outcome(hostile.text.encode(errors="surrogateescape")[: LARGEST_BYTES + 1])
    assert found == hostile.wanted or (hostile.wanted is None and isinstance(found, str))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert time.process_time() - began < SECONDS
    assert (after - before) / 1024 < MEGABYTES


def test_a_file_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_bytes(b"a: 1\n" * 78_000)
    with pytest.raises(BrokenFileError) as refused:
        read(path)
    problem = refused.value.located.problem
    assert problem.message == "this file is 390 kB; a configuration has at most 256 kB"
    assert problem.fix == "is this the right file?"


def test_a_missing_file_is_told_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError) as refused:
        read(tmp_path / "gateway.yaml")
    assert refused.value.located.problem.message == "there is no such file"


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError) as refused:
        read(tmp_path)
    assert refused.value.located.problem.message == "this file cannot be read: is a directory"


@pytest.mark.parametrize("text", ["", "# c\n", "word", "\n\n", "---\n"])
def test_a_file_without_settings_says_how_to_begin(text: str) -> None:
    assert refusal(text)[0] in ("this file holds no settings", "this line cannot be understood")


def test_bom_and_carriage_returns_do_not_move_positions() -> None:
    found = document(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: 2\r\n")
    entry = found.find(("b", "c"))
    assert entry is not None
    assert (entry.key, entry.value.mark) == (Mark(3, 3), Mark(3, 6))
    assert plain(found.root) == {"a": "1", "b": {"c": "2"}}


def test_a_control_character_is_shown_where_it_stands() -> None:
    message, mark = refusal("site:\n  name: Pump\x0chouse\n")
    assert message == "this character cannot stand in a text file"
    assert mark == Mark(2, 13)


def test_bytes_of_another_encoding_are_shown_where_they_stand() -> None:
    message, mark = refusal("site:\n  name: Bäckerei\n".encode("latin-1"))
    assert (message, mark) == ("this file is not UTF-8 text", Mark(2, 10))


def test_letters_of_any_script_are_welcome() -> None:
    assert plain(document("name: Bäckerei 面包店 👨‍🍳\n").root) == {"name": "Bäckerei 面包店 👨‍🍳"}


@pytest.mark.parametrize(
    ("text", "message", "mark"),
    [
        ("a: 'x\nb: 1\n", "the closing quote is missing", Mark(1, 4)),
        ("a: 'x' y\n", "there is text behind the closing quote", Mark(1, 8)),
        ("a: @x\n", "a text cannot begin with this character", Mark(1, 4)),
        ("a: {b: 1\nc: 2\n", "a ',' or a closing '}' is missing", Mark(2, 2)),
        ("a: {b: 1\n", "a ',' or a closing '}' is missing", Mark(1, 4)),
        ("a: 1\n\n# c\nword\n", "a ':' is missing behind the name on this line", Mark(4, 1, 4)),
        ('a: "\\q"\n', "\\ has a special meaning between double quotes", Mark(1, 6)),
        ("a:\tb\n", "a Tab character stands here; YAML only accepts spaces", Mark(1, 3)),
        ("a: 1\n  b: 2\n", "this line does not line up with the ones above", Mark(2, 3)),
        (": 1\n", "a name is missing before ':'", Mark(1, 1)),
        ("? {a: b}\n: c\n", "a block cannot be a name", Mark(1, 3)),
        ("a: 1\na: 2\n", "'a' is already used on line 1", Mark(2, 1)),
    ],
)
def test_broken_syntax_is_told_in_plain_words(text: str, message: str, mark: Mark) -> None:
    assert refusal(text) == (message, mark)


def test_only_an_empty_plain_value_is_nothing() -> None:
    assert plain(document("a:\nb: ''\nc: ~\nd: null\n").root) == {
        "a": None,
        "b": "",
        "c": "~",
        "d": "null",
    }


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80) | st.binary(max_size=80))
def test_any_text_is_a_tree_or_a_sentence(content: str | bytes) -> None:
    found = outcome(content if isinstance(content, bytes) else content.encode(errors="replace"))
    assert isinstance(found, dict) or found
