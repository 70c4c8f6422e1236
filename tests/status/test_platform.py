"""Tokens signed by the platform: each rule of the table as one refused token."""

from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from agent.client import Role
from agent.clock import wall_ns
from agent.errors import FieldpostError
from agent.plan import Json
from agent.status.identity import Identity
from agent.status.platform import PlatformTokens, keys_in
from agent.status.refusal import Refusal
from agent.status.witness import Witness

ISSUER, GATEWAY = "tesaiot-platform", "ES-0231"
Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
ED = ed25519.Ed25519PrivateKey.generate()
EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)


def public(key: Private) -> str:
    spelled = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return spelled.decode()


def claims(**changes: Any) -> dict[str, Any]:
    now = wall_ns() // 10**9
    good = {
        "iss": ISSUER, "aud": GATEWAY, "sub": "anna", "org": "bakeries", "iat": now,
        "exp": now + 3600, "roles": ["operator"],
    }  # fmt: skip
    return {key: value for key, value in (good | changes).items() if value is not None}


def judge(tmp_path: Path, *keys: Private) -> PlatformTokens:
    file = tmp_path / "platform.pem"
    file.write_text("\n".join(public(key) for key in keys or (ED,)))
    return PlatformTokens(keys_in(file), ISSUER, GATEWAY)


@pytest.mark.parametrize(
    ("key", "algorithm"), [(ED, "EdDSA"), (EC, "ES256"), (RSA, "RS256")], ids=str
)
def test_a_good_token_is_accepted_with_its_role(
    tmp_path: Path, key: Private, algorithm: str
) -> None:
    token = jwt.encode(claims(), key, algorithm)
    identity = judge(tmp_path, key).identify(token)

    assert (identity.key, identity.role) == ("bakeries/anna", Role.OPERATOR)


def test_both_keys_are_good_while_the_platform_changes_its_key(tmp_path: Path) -> None:
    both = judge(tmp_path, ED, EC)

    assert both.identify(jwt.encode(claims(), ED, "EdDSA")).role is Role.OPERATOR
    assert both.identify(jwt.encode(claims(), EC, "ES256")).role is Role.OPERATOR


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"}, {"iss": None}, {"aud": "ES-0232"}, {"aud": None},
        {"aud": [GATEWAY]}, {"aud": [GATEWAY, "ES-0232"]}, {"exp": None}, {"iat": None},
        {"exp": 1_700_000_000}, {"iat": 4_000_000_000, "exp": 4_000_003_600},
        {"exp": 4_000_000_000}, {"sub": None}, {"sub": 7}, {"sub": ""}, {"org": None},
        {"org": 7}, {"org": ""},
    ],
    ids=str,
)  # fmt: skip
def test_each_rule_refuses(tmp_path: Path, changes: dict[str, Any]) -> None:
    token = jwt.encode(_unchecked(changes), ED, "EdDSA")
    with pytest.raises(Refusal) as refused:
        judge(tmp_path).identify(token)

    assert refused.value.word == "UNAUTHORIZED"


def _unchecked(changes: dict[str, Any]) -> dict[str, Any]:
    """The library refuses to make what it should refuse to read."""
    return claims(**changes)


async def test_who_comes_in_with_a_signature_is_written_down_once() -> None:
    noted: list[Json] = []

    class Keeper:
        """Keeps what it is told."""

        async def call(self, verb: str, args: Json | None = None) -> Json:
            noted.append({"verb": verb, **(args or {})})
            return {}

    witness = Witness(Keeper(), lambda: 1000.0)
    for _ in range(3):
        await witness.admitted("192.168.1.9", Identity("b/anna", "anna of b", Role.ADMIN))

    assert noted == [
        {
            "verb": "audit.note", "who": "http 192.168.1.9", "what": "token.admitted",
            "facts": {"name": "anna of b", "role": "admin"}, "result": "ok",
        }
    ]  # fmt: skip


def test_a_signature_of_another_key_or_none_or_a_shared_secret_is_refused(tmp_path: Path) -> None:
    other = ed25519.Ed25519PrivateKey.generate()
    header = {"alg": "HS256"}
    forged = [
        jwt.encode(claims(), other, "EdDSA"),
        jwt.encode(claims(), "", "none"),
        jwt.encode(claims(), RSA, "RS256"),
        jwt.encode(claims(), "x" * 32, "HS256", headers=header),
        jwt.encode(claims(), ED, "EdDSA")[:-4] + "AAAA",
        "a.b.c",
        "..",
    ]
    for token in forged:
        with pytest.raises(Refusal) as refused:
            judge(tmp_path).identify(token)
        assert refused.value.word == "UNAUTHORIZED"


@pytest.mark.parametrize("roles", [[], ["root"], "admin", None, [7], {"admin": True}], ids=str)
def test_without_a_role_of_ours_nothing_is_seen(tmp_path: Path, roles: Any) -> None:
    token = jwt.encode(claims(roles=roles), ED, "EdDSA")
    with pytest.raises(Refusal) as refused:
        judge(tmp_path).identify(token)

    assert refused.value.word == "FORBIDDEN"


def test_the_highest_known_role_counts(tmp_path: Path) -> None:
    token = jwt.encode(claims(roles=["viewer", "auditor", "admin"]), ED, "EdDSA")

    assert judge(tmp_path).identify(token).role is Role.ADMIN


@pytest.mark.parametrize(
    "text",
    ["", "no key at all", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"],
    ids=["empty", "text", "damaged"],
)
def test_a_file_without_a_usable_key_is_said_so(tmp_path: Path, text: str) -> None:
    file = tmp_path / "platform.pem"
    file.write_text(text)
    with pytest.raises(FieldpostError, match=r"platform\.pem"):
        keys_in(file)


def test_weak_keys_and_private_ones_are_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "platform.pem"
    file.write_text(public(ec.generate_private_key(ec.SECP521R1())))
    with pytest.raises(FieldpostError, match="not accepted"):
        keys_in(file)
    private = ED.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private)
    with pytest.raises(FieldpostError, match="no public key"):
        keys_in(file)
