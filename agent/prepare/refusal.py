"""How a setting says what is wrong with it: one sentence, a note, a fix."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

from pydantic_core import PydanticCustomError


def refuse(
    message: str, *, fix: str | None = None, note: str | None = None, code: str = "value"
) -> NoReturn:
    """Refuse a value, for a validator.

    Args:
        message: one plain sentence, printed behind `error:`.
        fix: what to write instead.
        note: facts beside it.
        code: stable word for `--format json`.

    Raises:
        PydanticCustomError: always.
    """
    context = {"message": message, "fix": fix, "note": note}
    raise PydanticCustomError(code, "{message}", context)


def text(value: Any) -> str:
    """The text of a scalar.

    Raises:
        PydanticCustomError: a block stands where one value is expected.
    """
    if not isinstance(value, str):
        refuse("one value is expected here, not a block of settings", code="block")
    return value.strip()


def closest(word: str, choices: Iterable[str]) -> str | None:
    """The choice most like `word`, or None when nothing is like it."""
    found = get_close_matches(word.lower(), list(choices), n=1, cutoff=0.6)
    return found[0] if found else None
