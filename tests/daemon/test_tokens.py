"""Local tokens: made, shown once, kept as hashes."""

import hashlib
import json
import random
import re
import stat
import sys
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.daemon.tokens import FILE_NAME, TOKENS_MAX, Tokens
from agent.errors import FieldpostError, NotFoundError, ValidationError
from tests.lab.crashes import Disk, record


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path, SystemClock())


def test_a_fresh_gateway_has_no_token(tokens: Tokens) -> None:
    assert tokens.all() == ()


def test_the_text_of_a_token_is_nowhere_but_in_the_answer(tokens: Tokens, tmp_path: Path) -> None:
    token, text = tokens.add("kitchen-tablet", "viewer")
    assert re.fullmatch(r"fp_[a-z2-9]{8}_[\w-]{43}", text)
    assert token.sha256 == hashlib.sha256(text.encode()).hexdigest()
    stored = (tmp_path / FILE_NAME).read_text()
    assert text not in stored
    assert text.split("_", 2)[2] not in stored
    assert tokens.all() == (token,)


def test_only_the_owner_may_read_the_file(tokens: Tokens, tmp_path: Path) -> None:
    tokens.add("one", "viewer")
    tokens.add("two", "admin")
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == [FILE_NAME]


def test_no_two_tokens_are_alike(tokens: Tokens) -> None:
    texts = {tokens.add(f"token-{n}", "operator")[1] for n in range(5)}
    assert len({t[12:] for t in texts}) == 5


def test_a_revoked_token_is_gone_by_name_or_by_id(tokens: Tokens) -> None:
    tokens.add("one", "viewer")
    two, _ = tokens.add("two", "viewer")
    tokens.revoke("one")
    tokens.revoke(two.id)
    assert tokens.all() == ()
    with pytest.raises(NotFoundError, match="no token called 'one'"):
        tokens.revoke("one")


def test_the_last_use_is_remembered(tokens: Tokens) -> None:
    token, _ = tokens.add("one", "viewer")
    assert token.last_used is None
    tokens.used(token.id)
    tokens.used("unknown1")
    assert tokens.all()[0].last_used is not None


def test_frequent_use_is_not_frequent_writing(tokens: Tokens, tmp_path: Path) -> None:
    token, _ = tokens.add("one", "viewer")
    tokens.used(token.id)
    written = (tmp_path / FILE_NAME).stat().st_ino
    tokens.used(token.id)
    assert (tmp_path / FILE_NAME).stat().st_ino == written


@pytest.mark.parametrize("expires", ["tomorrow", "2027-01-31T00:00:00", 7])
def test_an_end_is_a_time_with_its_zone(tokens: Tokens, expires: str) -> None:
    with pytest.raises(ValidationError, match="is not a time"):
        tokens.add("one", "viewer", expires)
    assert tokens.add("two", "viewer", "2027-01-31T00:00:00Z")[0].expires


@pytest.mark.parametrize(
    ("name", "role", "field"),
    [("Kitchen", "viewer", "name"), ("", "viewer", "name"), ("kitchen", "root", "role")],
)
def test_names_and_roles_are_checked(tokens: Tokens, name: str, role: str, field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        tokens.add(name, role)
    assert caught.value.field == field
    assert tokens.all() == ()


def test_a_name_is_taken_once_and_the_list_ends_somewhere(tokens: Tokens) -> None:
    for n in range(TOKENS_MAX):
        tokens.add(f"token-{n}", "viewer")
    with pytest.raises(ValidationError, match="already a token called 'token-1'"):
        tokens.add("token-1", "viewer")
    with pytest.raises(ValidationError, match="revoke some first"):
        tokens.add("one-more", "viewer")


def test_a_damaged_list_accepts_nobody_and_says_where_it_is(tokens: Tokens, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[{"id": 1}]')
    with pytest.raises(FieldpostError, match=FILE_NAME):
        tokens.all()


def test_a_token_that_was_revoked_does_not_come_back_after_a_power_cut(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from agent.clock import SystemClock;"
        "from agent.daemon.tokens import Tokens; tokens = Tokens(Path(sys.argv[1]), SystemClock());"
        "tokens.add('one', 'viewer'); tokens.add('two', 'viewer'); tokens.revoke('one')"
    )
    disk = Disk()
    for op in record(tmp_path, [sys.executable, "-c", program, str(tmp_path)]):
        disk.apply(op)
    for seed in range(20):
        left = disk.cut(random.Random(seed))  # noqa: S311 - repeatable on purpose
        assert [token["name"] for token in json.loads(left[FILE_NAME])] == ["two"]
