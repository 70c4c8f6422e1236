"""A credential bundle of the platform, judged: parse everything, believe nothing.

There are four ways in: HTTPS with key, HTTPS with certificate, MQTT with password, MQTT with
certificate. A bundle is good when at least one is complete and nothing in it is invalid,
contradictory or unsupported; what is absent is then a warning, else an error (`tesaiot`, 8.3).
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.cloud.tesaiot.archive import Files
from agent.cloud.tesaiot.authorities import judge_authority
from agent.cloud.tesaiot.evidence import Evidence, blocks, collect, is_cut
from agent.cloud.tesaiot.findings import ABSENCES, REMARKS, Finding, finding
from agent.cloud.tls import Pair
from agent.sample import Instant

if TYPE_CHECKING:
    from agent.cloud.tesaiot.certificates import Certificate

ID_MAX = 50  # of 64 allowed: the ingest cuts longer ones without a word
ID_MIN = 3
DEVICE_ID = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
PLACEHOLDER = re.compile(r"<.*>|\*\*\*.*\*\*\*|YOUR_.*|tesa_[a-z]+_.*_(.)\1+", re.DOTALL)
# issued by the platform, accepted nowhere; organisation keys write for every device of a customer
UNSUPPORTED_KEYS = ("tesa_gwk_", "tesaiot_org_")


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything a bundle opens. Addresses are None where it names none that can be used.

    Attributes:
        authorities: PEM blocks of the platform's CA chain.
        key_url, certificate_url: base addresses for HTTPS, without path.
        mqtt_password_at, mqtt_certificate_at: `host:port`.
    """

    device_id: str
    api_key: str | None = field(default=None, repr=False)
    mqtt_password: str | None = field(default=None, repr=False)
    pair: Pair | None = field(default=None, repr=False)
    authorities: tuple[bytes, ...] = field(default=(), repr=False)
    key_url: str | None = None
    certificate_url: str | None = None
    mqtt_password_at: str | None = None
    mqtt_certificate_at: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a bundle: usable or not, and all there is to say."""

    bundle: Bundle | None
    findings: Sequence[Finding]

    @property
    def errors(self) -> list[Finding]:
        """What makes it unusable."""
        return [found for found in self.findings if not found.warning]


def judge(files: Files, now: Instant) -> Verdict:
    """Read the files of one bundle, or of several for one device.

    Args:
        files: content by relative path; a private key made on the gateway is one more file.
        now: the gateway's clock, for certificates.
    """
    evidence = collect(files)
    if not evidence.recognised:
        return Verdict(None, (finding("bundle.unrecognised"),))
    case = _Case(evidence, now)
    bundle = case.bundle()
    opens = bundle.device_id and (bundle.api_key or bundle.mqtt_password or bundle.pair)
    found = _weighed([*evidence.findings, *case.findings], good=bool(opens))
    if not opens and all(one.warning for one in found):
        found.append(finding("bundle.unrecognised"))
    usable = all(one.warning for one in found)
    return Verdict(bundle if usable else None, tuple(found))


class _Case:
    """Judges one piece of evidence after the other."""

    def __init__(self, evidence: Evidence, now: Instant) -> None:
        self._evidence = evidence
        self._now = now
        self.findings: list[Finding] = []

    def bundle(self) -> Bundle:
        evidence, endpoints = self._evidence, self._evidence.endpoints
        authorities = self._authorities()
        pair = self._pair(authorities)
        self.findings += endpoints.judge()
        return Bundle(
            device_id=self._device_id(),
            api_key=self._api_key(pair),
            mqtt_password=self._value(evidence.passwords, "mqtt_password.placeholder"),
            pair=pair,
            authorities=authorities,
            key_url=endpoints.key_url,
            certificate_url=endpoints.certificate_url,
            mqtt_password_at=endpoints.mqtt_password,
            mqtt_certificate_at=endpoints.mqtt_certificate,
        )

    def _authorities(self) -> tuple[bytes, ...]:
        evidence, found = self._evidence, dict[bytes, None]()
        for file, content in evidence.authorities.items():
            certificates = blocks(content, b"CERTIFICATE")
            if problem := judge_authority(file, certificates, cut=is_cut(content)):
                self.findings.append(problem)
            else:
                found |= dict.fromkeys(certificates)
        if not evidence.authorities:
            self.findings.append(finding("ca_chain.absent"))
        return tuple(found)

    def _pair(self, authorities: tuple[bytes, ...]) -> Pair | None:
        evidence = self._evidence
        special = {"secure_element.unsupported", "private_key.encrypted"}
        if not evidence.certificates or special & {found.code for found in evidence.findings}:
            return None
        # imported here, because most bundles hold no certificate and cryptography costs 9 MB
        from agent.cloud.tesaiot.certificates import Certificate  # noqa: PLC0415

        file, content = next(iter(evidence.certificates.items()))
        try:
            certificate = Certificate(file, blocks(content, b"CERTIFICATE"))
        except ValueError:
            self.findings.append(finding("client_certificate.invalid_pem", file=file))
            return None
        evidence.ids[f"{file}: common name"] = certificate.device_id
        self.findings += certificate.judge(authorities, self._now)
        key = self._private_key(certificate)
        return certificate.pair(key) if key else None

    def _private_key(self, certificate: "Certificate") -> bytes | None:
        keys = self._evidence.private_keys
        if not keys:
            self.findings.append(finding("private_key.missing"))
            return None
        file, content = next(iter(keys.items()))
        key = b"\n".join(blocks(content, b"PRIVATE KEY"))
        if certificate.owns(key):
            return key
        mismatch = finding("private_key.mismatch", key=file, file=certificate.file)
        self.findings.append(mismatch)
        return None

    def _device_id(self) -> str:
        ids = list(dict.fromkeys(self._evidence.ids.values()))
        real = [one for one in ids if not PLACEHOLDER.fullmatch(one)]
        if not real:
            if ids:
                self.findings.append(finding("device_id.placeholder"))
            elif not self._evidence.findings:  # what is unsupported need not be complete
                self.findings.append(finding("device_id.missing"))
            return ""
        self.findings += _judge_id(real)
        return real[0]

    def _api_key(self, pair: Pair | None) -> str | None:
        key = self._value(self._evidence.api_keys, "api_key.placeholder")
        if key and (kind := next((k for k in UNSUPPORTED_KEYS if key.startswith(k)), None)):
            self.findings.append(finding("api_key.kind_unsupported", kind=kind))
            return None
        if self._evidence.wants_certificate and not pair:
            self.findings.append(finding("client_certificate.missing"))
        return key

    def _value(self, claims: Sequence[str], placeholder: str) -> str | None:
        real = [claim for claim in claims if claim and not PLACEHOLDER.fullmatch(claim)]
        if claims and not real:
            self.findings.append(finding(placeholder))
        return real[0] if real else None


def _judge_id(ids: Sequence[str]) -> Iterator[Finding]:
    if len(ids) > 1:
        yield finding("device_id.conflict", ids=" and ".join(sorted(ids)))
    if not DEVICE_ID.fullmatch(ids[0]) or len(ids[0]) < ID_MIN:
        yield finding("device_id.invalid", id=ids[0])
    elif len(ids[0]) > ID_MAX:
        yield finding("device_id.too_long", length=str(len(ids[0])))


def _weighed(found: Sequence[Finding], *, good: bool) -> list[Finding]:
    """Each finding once, as error or warning; two examples of addresses are two findings."""
    mild = ABSENCES | REMARKS if good else REMARKS
    once = dict.fromkeys(found)
    return [dataclasses.replace(one, warning=one.code in mild) for one in once]
