"""Tokens signed by the platform (status-page-and-api 8.2): for this gateway only.

The algorithm follows from our key and never from the token; the login token of the platform's open
edition (HS256, a shared secret) is not such a token.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from agent.client import Role
from agent.clock import BUILT_NS, vouched, wall_ns
from agent.errors import FieldpostError
from agent.status.identity import Identity
from agent.status.refusal import Code, Refusal, unauthorized

LEEWAY_S = 60
LIFE_MAX_S = 86_400
RSA_BITS_MIN = 2048
REQUIRED = ["exp", "iat", "sub", "aud", "iss"]
END = "-----END PUBLIC KEY-----"

Key = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey
Keys = Sequence[tuple[Key, str]]  # each with the one algorithm it is used with


class PlatformTokens:
    """Judges signed tokens.

    Args:
        keys: from `keys_in`; two while the platform changes its key.
        issuer: expected `iss`.
        audience: expected `aud`: the gateway's id.
    """

    def __init__(self, keys: Keys, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    def identify(self, token: str) -> Identity:
        """Who it was signed for.

        Raises:
            Refusal: the clock cannot be believed, the token is not good, or has no role of ours.
        """
        if not (vouched() and wall_ns() >= BUILT_NS):
            message = (
                "The gateway's clock is not set, so signed tokens cannot be judged: use a local one"
            )
            raise Refusal(Code.CLOCK, message, headers={"WWW-Authenticate": "Bearer"})
        claims = self._claims(token)
        subject, organisation = claims["sub"], claims.get("org")
        if not subject or not isinstance(organisation, str) or not organisation:
            raise unauthorized()
        if claims["exp"] - claims["iat"] > LIFE_MAX_S:
            raise unauthorized()
        return Identity(
            f"{organisation}/{subject}", f"{subject} of {organisation}", _role(claims), signed=True
        )

    def _claims(self, token: str) -> dict[str, Any]:
        for key, algorithm in self._keys:
            try:
                return jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    audience=self._audience,
                    issuer=self._issuer,
                    leeway=LEEWAY_S,
                    options={"require": REQUIRED, "strict_aud": True},
                )
            except jwt.PyJWTError:
                continue  # signed with the other key, or not good at all
        raise unauthorized()


def keys_in(file: Path) -> Keys:
    """Every public key of a PEM file, with the one algorithm it is used with.

    Raises:
        FieldpostError: there is none, or one that is not accepted.
    """
    texts = [part + END for part in file.read_text("ascii").split(END)[:-1]]
    if not texts:
        message = f"there is no public key in {file.name}"
        raise FieldpostError(message, action="status.platform_key takes a PEM public key")
    return [_key(text, file) for text in texts]


def _key(text: str, file: Path) -> tuple[Key, str]:
    try:
        key = load_pem_public_key(text.strip().encode())
    except ValueError as error:
        message = f"{file.name} holds a damaged public key"
        raise FieldpostError(message, action="get it from the platform again") from error
    if isinstance(key, Ed25519PublicKey):
        return key, "EdDSA"
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key, "ES256"
    if isinstance(key, RSAPublicKey) and key.key_size >= RSA_BITS_MIN:
        return key, "RS256"
    message = f"{file.name} holds a key that is not accepted"
    raise FieldpostError(message, action="Ed25519, P-256, or RSA from 2048 bits")


def _role(claims: Mapping[str, Any]) -> Role:
    words = claims.get("roles")
    known = [Role.of(w) for w in words if _known(w)] if isinstance(words, list) else []
    if not known:
        message = "This token has no role on gateways: viewer, operator or admin."
        raise Refusal(Code.FORBIDDEN, message)
    return max(known)


def _known(word: object) -> bool:
    return isinstance(word, str) and word in {role.word for role in Role}
