"""From a bundle and the settings to accounts that can be used."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.clock import Clock, SystemClock
from agent.cloud.expiry import ends_ns
from agent.cloud.http.client import HttpClient
from agent.cloud.tesaiot.account import Account, Pace
from agent.cloud.tesaiot.archive import UnsafeArchive, files_of
from agent.cloud.tesaiot.bundle import Bundle, judge
from agent.cloud.tesaiot.findings import Finding
from agent.cloud.tls import Trust, context
from agent.errors import FieldpostError
from agent.secret import Secret


@dataclass(frozen=True, slots=True)
class Plan:
    """What the settings of `kind: tesaiot` compile to.

    Attributes:
        bundle: name of the secret that holds the credential bundle.
        url, certificate_url: base addresses that win over the bundle's.
        server_name: expected in the server's certificate.
        identities: device → name of the secret with its own bundle.
    """

    bundle: str
    url: str | None = None
    certificate_url: str | None = None
    server_name: str | None = None
    identities: Mapping[str, str] = field(default_factory=dict)
    heartbeat_s: float = 60.0
    trust: Trust = field(default_factory=Trust)


class BundleError(FieldpostError):
    """The credential bundle cannot be used."""

    code = "BUNDLE"


def read_bundle(secret: Secret, clock: Clock) -> Bundle:
    """The bundle in a secret, judged by the same code as at its import.

    Raises:
        BundleError: with the first of its errors.
    """
    try:
        verdict = judge(files_of(secret), clock.now())
    except UnsafeArchive as error:
        raise _unusable(secret, error.finding) from error
    if verdict.bundle is None:
        raise _unusable(secret, verdict.errors[0])
    return verdict.bundle


def account_with_key(
    plan: Plan, bundle: Bundle, secrets: Mapping[str, Secret], pace: Pace, *, own: bool = False
) -> Account:
    """The account an API key opens.

    Raises:
        FieldpostError: the bundle has no key, or nothing says where the platform is.
    """
    if not bundle.api_key:
        message = f"the bundle of {bundle.device_id} holds no API key"
        raise BundleError(message, action="In the portal: regenerate the API key")
    url = _base(plan.url or bundle.key_url, "url")
    tls = context([*plan.trust.authorities(secrets), *bundle.authorities])
    client = HttpClient(url, tls, plan.server_name)
    headers = (("X-API-KEY", bundle.api_key),)
    return Account(bundle.device_id, client, pace, SystemClock(), headers, own)


def account_with_certificate(
    plan: Plan, bundle: Bundle, secrets: Mapping[str, Secret], pace: Pace
) -> Account:
    """The account a client certificate opens.

    Raises:
        FieldpostError: the bundle has none, or nothing says where the platform is.
    """
    if not bundle.pair:
        message = "this bundle opens MQTT only, where the platform keeps no time stamps"
        action = "In the portal: regenerate the API key and download the bundle again"
        raise BundleError(message, action=action)
    url = _base(plan.certificate_url or bundle.certificate_url, "certificate_url")
    tls = context([*plan.trust.authorities(secrets), *bundle.authorities], bundle.pair)
    client = HttpClient(url, tls, plan.server_name, ends_ns(bundle.pair.certificate))
    # nothing is shared on that listener, so nothing is paced
    pace = Pace(interval_s=0.0, deadline_s=pace.deadline_s)
    return Account(bundle.device_id, client, pace, SystemClock())


def _unusable(secret: Secret, found: Finding) -> BundleError:
    return BundleError(f"bundle {secret.name}: {found.message}", action=found.fix)


def _base(url: str | None, setting: str) -> str:
    if url is None:
        message = "the bundle does not say where the platform is"
        raise BundleError(message, action=f"add  {setting}: https://...  below `cloud:`")
    return url.rstrip("/").removesuffix("/api/v1")
