"""`fieldpost token`."""

from agent.errors import ForbiddenError, NotFoundError
from tests.cli.conftest import Fieldpost
from tests.cli.twin import Twin

TEXT = "fp_k3v9x2ab_" + "x" * 43
TOKEN = {
    "id": "k3v9x2ab", "name": "kitchen-tablet", "role": "viewer", "sha256": "ab" * 32,
    "created": "2026-11-23T14:46:57.000Z", "last_used": None, "expires": None,
}  # fmt: skip


def test_the_text_alone_goes_to_standard_output(twin: Twin, fieldpost: Fieldpost) -> None:
    twin.answers["token.add"] = {"token": TEXT, **TOKEN}
    said = fieldpost("token", "add", "kitchen-tablet", "--role", "viewer")
    assert said.out == f"{TEXT}\n"
    assert "stored nowhere" in said.err
    assert twin.asked == [("token.add", {"name": "kitchen-tablet", "role": "viewer"})]


def test_a_token_can_be_given_an_end(twin: Twin, fieldpost: Fieldpost) -> None:
    twin.answers["token.add"] = {"token": TEXT, **TOKEN}
    assert fieldpost("token", "add", "visitor", "--role", "viewer", "--ends-in", "2h").code == 0
    assert twin.asked[0][1]["expires"].endswith("Z")


def test_the_list_has_no_hashes_and_says_never(twin: Twin, fieldpost: Fieldpost) -> None:
    twin.answers["tokens"] = {"tokens": [TOKEN]}
    lines = fieldpost("token", "list").out.splitlines()
    assert lines[0] == "NAME             ROLE       MADE               LAST USED   ENDS"
    assert lines[1].endswith("never       never")
    assert "abab" not in fieldpost("token", "list", "--json").out


def test_no_tokens_says_how_to_make_one(twin: Twin, fieldpost: Fieldpost) -> None:
    twin.answers["tokens"] = {"tokens": []}
    assert fieldpost("token", "list").out.startswith("There are no tokens: fieldpost token add")


def test_a_token_is_revoked(twin: Twin, fieldpost: Fieldpost) -> None:
    twin.answers["token.revoke"] = TOKEN
    said = fieldpost("token", "revoke", "kitchen-tablet")
    assert said.err == "The token 'kitchen-tablet' is no longer accepted.\n"
    twin.answers["token.revoke"] = NotFoundError("There is no token called 'x'.")
    assert fieldpost("token", "revoke", "x").code == 2


def test_without_the_right_exit_5(twin: Twin, fieldpost: Fieldpost) -> None:
    twin.answers["token.add"] = ForbiddenError("Only an administrator may do this.")
    assert fieldpost("token", "add", "mine", "--role", "admin").code == 5


def test_the_role_is_one_of_three(twin: Twin, fieldpost: Fieldpost) -> None:
    said = fieldpost("token", "add", "mine", "--role", "root")
    assert said.code == 2
    assert twin.asked == []
