"""Settings of `kind: http`, and the checks every destination with an address shares."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import PlainValidator

from agent import plan
from agent.cloud.http.destination import Plan
from agent.cloud.tls import Trust
from agent.plan import Json
from agent.prepare.kinds import DestinationKind, DestinationSettings, Problem, Spot
from agent.prepare.types import SecretName, SecretOrPath, SecretRef, Switch, as_text, refuse, text

# names of this machine; anything else is "on the way", where only encryption is allowed
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def address(value: Any) -> str:
    """A URL with scheme and host, and no credentials in it."""
    return address_like("https://ingest.example.com/v1", value)


def address_like(example: str, value: Any) -> str:
    """A URL of the kind of the example."""
    written = text(value)
    parts = _split(written)
    if " " in written:
        refuse(f"'{written}' is not an address", fix="write it without spaces", code="url")
    if parts is None or not parts.scheme or not parts.hostname:
        fix = f"write it with its scheme, like {example}"
        refuse(f"'{written}' is not an address", fix=fix, code="url")
    if parts.username or parts.password:
        refuse("a secret must not stand in this file", code="secret_in_file")
    return written


Address = Annotated[str, PlainValidator(address), as_text(r"^[a-z]+://\S+$", "https://x.example")]


class ReceiptKind(StrEnum):
    """What counts as the server's receipt."""

    ECHO = "echo"
    STATUS = "status"


class HttpSettings(DestinationSettings):
    """`cloud.<name>` of `kind: http`."""

    url: Address
    token: SecretName | None = None
    certificate: SecretName | None = None
    private_key: SecretName | None = None
    ca: SecretOrPath | None = None
    receipt: ReceiptKind = ReceiptKind.ECHO
    compress: Switch = False


def compiled(
    name: str, settings: DestinationSettings, _site: plan.Site, _devices: Mapping[str, plan.Device]
) -> tuple[Json, Sequence[str], Sequence[Problem]]:
    """The spec of `kind: http`."""
    if not isinstance(settings, HttpSettings):
        raise TypeError(type(settings))
    trust = trusted(settings.ca, settings.certificate, settings.private_key)
    spec = Plan(
        url=settings.url,
        token=settings.token,
        trust=trust,
        receipt=settings.receipt.value,
        compress=settings.compress,
    )
    problems = [
        *encrypted(name, settings.url, "http", None),
        *paired(name, settings.certificate, settings.private_key),
    ]
    return plan.to_json(spec), named(settings.token, *secrets_of(trust)), problems


def trusted(ca: str | None, certificate: str | None, private_key: str | None) -> Trust:
    """The settings for TLS, sorted into secrets and paths."""
    secret = ca if isinstance(ca, SecretRef) else None
    path = None if secret else ca
    return Trust(secret, path, certificate, private_key)


def secrets_of(trust: Trust) -> tuple[str | None, str | None, str | None]:
    """The names of secrets in it."""
    return trust.ca_secret, trust.certificate, trust.private_key


def named(*names: str | None) -> list[str]:
    """Those that are set, each once."""
    return list(dict.fromkeys(str(name) for name in names if name))


def encrypted(name: str, url: str, scheme: str, port: int | None) -> Iterator[Problem]:
    """Only encrypted, except to this machine.

    Args:
        name: of the destination.
        url: as written.
        scheme: without encryption; with it, an `s` follows.
        port: of the encrypted form when none is written; None = the usual one.
    """
    parts, path = urlsplit(url), ("cloud", name, "url")
    place = parts.netloc if parts.port or port is None else f"{parts.netloc}:{port}"
    fix = f"write {scheme}s://{place}{parts.path}"
    if parts.scheme == scheme and parts.hostname not in LOOPBACK:
        message = f"{scheme}:// can be read by everybody on the way; only {scheme}s:// is allowed"
        yield Problem(path, message, fix, code="unencrypted")
    elif parts.scheme not in (scheme, f"{scheme}s"):
        message = f"'{parts.scheme}' is not a way to reach this kind of destination"
        yield Problem(path, message, fix, code="url")


def paired(name: str, certificate: str | None, private_key: str | None) -> Iterator[Problem]:
    """Certificate and key, both or none."""
    if bool(certificate) == bool(private_key):
        return
    here, missing = ("certificate", "private_key")[:: 1 if certificate else -1]
    message = f"'{here}' is here but '{missing}' is not"
    fix = f"they belong together: add  {missing}: secret:..."
    yield Problem(("cloud", name, here), message, fix, spot=Spot.KEY, code="pair")


def _split(written: str) -> SplitResult | None:
    try:
        parts = urlsplit(written)
        _ = parts.port  # raises where the port is not one
    except ValueError:
        return None
    return parts


KIND: Final = DestinationKind(HttpSettings, "agent.cloud.http:open_cloud", compiled)
