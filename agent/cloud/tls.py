"""TLS towards destinations: verified, always. There is no switch that turns it off.

Trusted are the system's store and the CA certificates a destination brings. A certificate of an
intermediate authority may be the anchor, so that the issuing CA alone can be pinned.
"""

import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent import clock
from agent.cloud import Misconfigured, Unauthorized, Unreachable
from agent.cloud.expiry import ends_ns
from agent.errors import FieldpostError
from agent.secret import Secret

# X509_V_ERR_… of OpenSSL's x509_vfy.h
NOT_YET_VALID = 9
EXPIRED = 10
HOSTNAME_MISMATCH = (62, 64)  # of a name, of an address
# what a server says when it does not take our certificate (RFC 8446, section 6)
REFUSES_CERTIFICATE = (
    "CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNSUPPORTED_CERTIFICATE", "CERTIFICATE_REVOKED",
    "CERTIFICATE_EXPIRED", "CERTIFICATE_UNKNOWN", "UNKNOWN_CA", "ACCESS_DENIED",
    "HANDSHAKE_FAILURE",
)  # fmt: skip

# not failures: the other side had not said enough yet when somebody lost patience
UNFINISHED = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class CertificateError(FieldpostError):
    """A certificate or private key that was given cannot be used."""

    code = "CERTIFICATE"


@dataclass(frozen=True, slots=True)
class Pair:
    """What proves who we are: a certificate with its chain, and its private key, both PEM."""

    certificate: bytes = field(repr=False)
    private_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Trust:
    """What the settings `ca`, `certificate` and `private_key` compile to.

    Attributes:
        ca_secret, ca_file: an extra authority, as the name of a secret or as an absolute path.
        certificate, private_key: names of secrets; both or none.
    """

    ca_secret: str | None = None
    ca_file: str | None = None
    certificate: str | None = None
    private_key: str | None = None

    def context(self, secrets: Mapping[str, Secret]) -> ssl.SSLContext:
        """The context these settings ask for.

        Raises:
            CertificateError: a file or secret is not what it should be.
        """
        pair = None
        if self.certificate and self.private_key:
            certificate, key = secrets[self.certificate], secrets[self.private_key]
            pair = Pair(certificate.content(), key.content())
        return context(self.authorities(secrets), pair)

    def own_ends_ns(self, secrets: Mapping[str, Secret]) -> int | None:
        """When the certificate we show runs out; None when there is none."""
        return ends_ns(secrets[self.certificate].content()) if self.certificate else None

    def authorities(self, secrets: Mapping[str, Secret]) -> list[bytes]:
        """The extra authority, or nothing.

        Raises:
            CertificateError: its file cannot be read.
        """
        found = [secrets[self.ca_secret].content()] if self.ca_secret else []
        return [*found, _read(Path(self.ca_file))] if self.ca_file else found


def context(authorities: Sequence[bytes] = (), pair: Pair | None = None) -> ssl.SSLContext:
    """A context that verifies chain and host name, for TLS 1.2 and newer.

    Args:
        authorities: PEM texts of CA certificates to trust beside the system's.
        pair: for mutual TLS.

    Raises:
        CertificateError: one of them is not what it should be.
    """
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    for pem in authorities:
        _trust(made, pem)
    if pair:
        _show(made, pair)
    return made


def explain(error: BaseException, host: str) -> FieldpostError | None:
    """What a failed TLS connection means for the uplink; None when TLS is not to blame."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _not_verified(cause, host)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, UNFINISHED):
            return _alert(cause, host)
    return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"the CA file {path} cannot be read ({error.strerror})"
        raise CertificateError(message, action="Check `ca:` of this destination") from error


def _trust(made: ssl.SSLContext, pem: bytes) -> None:
    before = made.cert_store_stats()["x509_ca"]
    try:
        made.load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except ssl.SSLError as error:
        message = "the CA file is not a certificate in PEM form"
        raise CertificateError(message, action="Check `ca:` of this destination") from error
    known = made.get_ca_certs(binary_form=True)
    if made.cert_store_stats()["x509_ca"] == before and not _held(known, pem):
        message = "the CA file holds no certificate authority, only other certificates"
        raise CertificateError(message, action="Ask for the certificate of the issuing CA")


def _held(known: Sequence[bytes], pem: bytes) -> bool:
    """Whether the file's first certificate was trusted before it was loaded."""
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    block = pem[pem.find(begin) : pem.find(end) + len(end)].decode("ascii", "ignore")
    return ssl.PEM_cert_to_DER_cert(block) in known


def _show(made: ssl.SSLContext, pair: Pair) -> None:
    """Load a pair that must not touch the disk: through anonymous memory."""
    memory = os.memfd_create("pair", os.MFD_CLOEXEC)
    try:
        with os.fdopen(memory, "wb", closefd=False) as file:
            file.write(pair.private_key + b"\n" + pair.certificate)
        # an encrypted key would make OpenSSL ask on the terminal: it gets an empty password
        made.load_cert_chain(f"/proc/self/fd/{memory}", password="")
    except ssl.SSLError as error:
        mismatch = "KEY_VALUES_MISMATCH" in str(error)
        message = (
            "the private key does not belong to the certificate"
            if mismatch
            else "the certificate or its private key cannot be read"
        )
        raise CertificateError(message, action="Store both again, from one download") from error
    finally:
        os.close(memory)


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _not_verified(error: ssl.SSLCertVerificationError, host: str) -> FieldpostError:
    why = error.verify_message
    if error.verify_code in (NOT_YET_VALID, EXPIRED):
        state = "is not valid yet" if error.verify_code == NOT_YET_VALID else "has expired"
        today = clock.iso(clock.wall_ns())[:10]
        message = f"the certificate of {host} {state}: this gateway's clock says {today}"
        return Unreachable(message, action="fieldpost doctor gateway")
    if error.verify_code in HOSTNAME_MISMATCH:
        message = f"{host} answers with a certificate for another name ({why})"
        return Misconfigured(message, action="Write the name of the certificate as the address")
    message = f"the certificate of {host} comes from an authority we do not trust ({why})"
    return Misconfigured(message, action="Give the issuing CA as `ca:` of this destination")


def _alert(error: ssl.SSLError, host: str) -> FieldpostError:
    reason = error.reason or ""
    if any(reason.endswith(name) for name in REFUSES_CERTIFICATE):
        said = reason.rpartition("ALERT_")[2].replace("_", " ").lower()
        message = f"{host} does not accept our certificate ({said})"
        return Unauthorized(message, action="Renew the certificate, or store the right one")
    return Unreachable(f"no encrypted connection to {host} ({reason or error})")
