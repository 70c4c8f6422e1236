"""A throw-away certificate authority, and credential bundles signed by it, in the platform's forms.

Nothing here outlives the sandbox: keys are made at start, and a bundle opens this sandbox only.
"""

import datetime as dt
import io
import ipaddress
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# fixed dates: a demo machine's clock may be wrong, and nobody trusts these but the sandbox's client
BEGINS = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
ENDS = dt.datetime(2120, 1, 1, tzinfo=dt.UTC)
ORGANISATION = "fieldpost sandbox"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, PEM."""

    certificate: bytes
    private_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Period:
    """How long a certificate is valid."""

    begins: dt.datetime = BEGINS
    ends: dt.datetime = ENDS


ALWAYS = Period()


class Authority:
    """A root, and what it signs."""

    def __init__(self, name: str = "fieldpost sandbox CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        builder = _builder(self._name, self._name, self._key.public_key(), ALWAYS)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        builder = builder.add_extension(_usage(signs=True), critical=True)
        self._root = builder.sign(self._key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        """The root's certificate."""
        return self._root.public_bytes(serialization.Encoding.PEM)

    def server(self, names: Sequence[str], period: Period = ALWAYS) -> Pair:
        """A server's certificate for these host names and addresses."""
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        return self._issue(names[0], ExtendedKeyUsageOID.SERVER_AUTH, alternatives, period)

    def client(self, device_id: str, period: Period = ALWAYS) -> Pair:
        """A device's certificate; its common name is the device id, as the platform's."""
        return self._issue(device_id, ExtendedKeyUsageOID.CLIENT_AUTH, None, period)

    def _issue(
        self,
        name: str,
        use: x509.ObjectIdentifier,
        alternatives: x509.SubjectAlternativeName | None,
        period: Period,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name), self._name, key.public_key(), period)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        )
        builder = builder.add_extension(_usage(signs=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if alternatives:
            builder = builder.add_extension(alternatives, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Pair(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def server_tls_bundle(device_id: str, name: str, api_key: str, base_url: str, ca: bytes) -> bytes:
    """A zip of form A, flavour `https` (`tesaiot`, 8.1 and 8.2)."""
    credentials = (
        f"HTTPs API Credentials for Device: {name}\n"
        "================================\n\n"
        f"Device ID: {device_id}\nAPI Key: {api_key}\n\n"
        f"API Endpoint: {base_url}/api/v1/telemetry\n"
        "Authentication: X-API-KEY header (device API key)\n"
    )
    endpoints = {
        "ingest_base_url": base_url,
        "api_base_url": base_url,
        "tls": {"require_mtls": False, "alpn": ["http/1.1"]},
    }
    return zipped(
        {
            "ca-chain.pem": ca,
            "https-api-credentials.txt": credentials.encode(),
            "endpoints.json": orjson.dumps(endpoints),
            "README.txt": b"Made by the sandbox of fieldpost. It opens nothing else.\n",
        }
    )


def mutual_tls_bundle(device_id: str, pair: Pair, base_url: str, ca: bytes) -> bytes:
    """A zip of form C (`tesaiot`, 8.1)."""
    endpoints = {
        "ingest_base_url": base_url,
        "api_base_url": base_url,
        "tls": {"require_mtls": True, "alpn": ["http/1.1"]},
    }
    return zipped(
        {
            f"{device_id}-ca-chain.pem": ca,
            f"{device_id}-certificate.pem": pair.certificate,
            f"{device_id}-private-key.pem": pair.private_key,
            "endpoints.json": orjson.dumps(endpoints),
        }
    )


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A flat zip, as the platform packs its bundles."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, period: Period
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(period.begins).not_valid_after(period.ends)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=signs, crl_sign=signs,
        content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
