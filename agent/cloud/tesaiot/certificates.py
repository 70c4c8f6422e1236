"""Is this device certificate one we can show: readable, ours, in time, from that authority?

Loaded only for bundles that hold one, because of what `cryptography` costs in memory.
"""

from collections.abc import Iterator, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from agent.clock import iso
from agent.cloud.tesaiot.findings import Finding, finding
from agent.cloud.tls import Pair
from agent.sample import Instant

NANOSECONDS = 1_000_000_000
DOMAIN = ".device.tesa.local"  # what some installations append to the device id


class Certificate:
    """A device's certificate as it stands in a bundle.

    Raises:
        ValueError: the text between the markers is no certificate.
    """

    def __init__(self, file: str, blocks: Sequence[bytes]) -> None:
        if not blocks:
            message = f"{file} holds no complete certificate"
            raise ValueError(message)
        self.file = file
        self._chain = b"\n".join(blocks)
        self._leaf = x509.load_pem_x509_certificate(blocks[0])

    @property
    def device_id(self) -> str:
        """The common name; empty when there is none."""
        names = self._leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value).removesuffix(DOMAIN) if names else ""

    def pair(self, private_key: bytes) -> Pair:
        """What is shown in a handshake."""
        return Pair(self._chain, private_key)

    def judge(self, authorities: Sequence[bytes], now: Instant) -> Iterator[Finding]:
        """What is wrong with it.

        Args:
            authorities: PEM blocks; empty = not known, then the issuer is not judged.
            now: the gateway's clock.
        """
        begins, ends = self._leaf.not_valid_before_utc, self._leaf.not_valid_after_utc
        now_s = now.wall_ns / NANOSECONDS
        if ends.timestamp() < now_s:
            yield finding("client_certificate.expired", date=f"{ends:%Y-%m-%d}")
        elif begins.timestamp() > now_s:
            trust = "synchronised" if now.trusted else "not synchronised"
            day = iso(now.wall_ns)[:10]
            date = f"{begins:%Y-%m-%d}"
            yield finding("client_certificate.not_yet_valid", date=date, now=day, trust=trust)
        if authorities and not any(self._issued_by(pem) for pem in authorities):
            yield finding("client_certificate.untrusted", file=self.file)

    def owns(self, private_key: bytes) -> bool:
        """Whether this private key belongs to it; an unreadable key does not."""
        try:
            key = load_pem_private_key(private_key, None)
        except (ValueError, TypeError):
            return False
        return _spki(key.public_key()) == _spki(self._leaf.public_key())

    def _issued_by(self, pem: bytes) -> bool:
        try:
            self._leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(pem))
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


def _spki(key: object) -> bytes:
    encoding = serialization.Encoding.DER
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, form)  # type: ignore[attr-defined, no-any-return]  # every kind of public key has it, no common base says so
