"""Local tokens of the API: made here, shown once, kept as hashes in `STATE/tokens.json`.

A token is `fp_` + 8 characters of id + `_` + 43 characters (32 random bytes, base64url). One
SHA-256 is right for a secret of 256 bits: there is nothing to guess. A fresh gateway has no token.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import orjson

from agent import plan
from agent.client.role import Role
from agent.clock import Clock, iso
from agent.daemon import durable
from agent.errors import FieldpostError, NotFoundError, ValidationError
from agent.plan import Json

FILE_NAME = "tokens.json"
MODE = 0o600
SECRET_BYTES = 32
TOKENS_MAX = 100  # far more than a site has screens; keeps list and file small
USED_STEP_NS = 3_600_000_000_000  # an hour: one write to the card for so long
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # of the id: none that look alike
_ID_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Token:
    """One token as stored: everything but the secret.

    Attributes:
        sha256: of the whole token text, hex.
        created, last_used, expires: RFC 3339 in UTC; None is never.
    """

    id: str
    name: str
    role: str
    sha256: str
    created: str
    last_used: str | None = None
    expires: str | None = None


class Tokens:
    """The tokens of this gateway.

    Args:
        state: the state directory.
    """

    def __init__(self, state: Path, clock: Clock) -> None:
        self._path = state / FILE_NAME
        self._clock = clock

    def all(self) -> Sequence[Token]:
        """Every token, oldest first; none when there is no file yet.

        Raises:
            FieldpostError: the file cannot be read. No token is accepted then.
        """
        try:
            return tuple(plan.from_json(Token, t) for t in orjson.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError) as error:
            message = f"the list of tokens cannot be read: {self._path}"
            raise FieldpostError(message, action="remove the file, then make new tokens") from error

    def add(self, name: str, role: str, expires: str | None = None) -> tuple[Token, str]:
        """Make a token; the text is shown now and never again.

        Raises:
            ValidationError: name, role or end cannot be used.
        """
        tokens = self.all()
        _check(name, role, tokens)
        _check_end(expires)
        number = "".join(secrets.choice(_LETTERS) for _ in range(_ID_LENGTH))
        text = f"fp_{number}_{secrets.token_urlsafe(SECRET_BYTES)}"
        created = iso(self._clock.now().wall_ns)
        token = Token(number, name, role, sha256(text), created, expires=expires)
        self._write((*tokens, token))
        return token, text

    def revoke(self, name: str) -> Token:
        """Forget the token of that name or id; whoever holds it is out at once.

        Raises:
            NotFoundError: there is none.
        """
        tokens = self.all()
        gone = next((t for t in tokens if name in {t.name, t.id}), None)
        if gone is None:
            message = f"There is no token called '{name}'."
            raise NotFoundError(message, action="See them: fieldpost token list")
        self._write([t for t in tokens if t != gone])
        return gone

    def used(self, number: str) -> None:
        """Remember that this token was used now, to the hour: a page asks every five seconds.

        An unknown id is nobody's: ignored.
        """
        now_ns = self._clock.now().wall_ns
        since = iso(now_ns - USED_STEP_NS)
        tokens = self.all()
        if any(t.id == number and (t.last_used or "") < since for t in tokens):
            now = iso(now_ns)
            self._write([replace(t, last_used=now) if t.id == number else t for t in tokens])

    def _write(self, tokens: Sequence[Token]) -> None:
        content = orjson.dumps([as_json(t) for t in tokens], option=orjson.OPT_INDENT_2)
        durable.replace(self._path, content, MODE)


def sha256(text: str) -> str:
    """What of a token is stored and compared, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def as_json(token: Token) -> Json:
    """One token as the verb `tokens` answers it and as the file holds it."""
    return plan.to_json(token)


def _check(name: str, role: str, tokens: Sequence[Token]) -> None:
    if not NAME.fullmatch(name):
        message = "A token's name has lower-case letters, digits and '-', at most 40 of them."
        raise ValidationError(field="name", reason="malformed", message=message)
    if role not in {r.word for r in Role}:
        message = f"'{role}' is not a role; there are viewer, operator and admin."
        raise ValidationError(field="role", reason="unknown", message=message)
    if any(t.name == name for t in tokens):
        message = f"There is already a token called '{name}'."
        raise ValidationError(field="name", reason="taken", message=message)
    if len(tokens) >= TOKENS_MAX:
        message = f"There are {TOKENS_MAX} tokens already: revoke some first."
        raise ValidationError(field="name", reason="too many", message=message)


def _check_end(expires: str | None) -> None:
    try:
        zoned = expires is None or datetime.fromisoformat(expires).tzinfo is not None
    except (TypeError, ValueError):
        zoned = False
    if not zoned:
        message = f"'{expires}' is not a time like 2027-01-31T00:00:00Z."
        raise ValidationError(field="expires", reason="malformed", message=message)
