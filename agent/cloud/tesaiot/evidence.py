"""What the files of a bundle claim: collected by content, judged elsewhere.

A bundle is recognised by what its files hold, never by the folder's name (`tesaiot`, section 8).
READMEs and client headers state wrong ports and paths and are never read; `mqtt-broker.pem` is
text between certificate markers and is never a certificate.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import orjson

from agent.cloud.tesaiot.archive import Files
from agent.cloud.tesaiot.endpoints import Endpoints
from agent.cloud.tesaiot.findings import Finding, finding

IGNORED = re.compile(
    r"(trustm_|private_key_)?readme.*|.*\.(h|c|md)|mqtt-broker\.pem|infineon-.*\.pem"
)
BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)
BEGIN = re.compile(rb"-----BEGIN ([A-Z ]+)-----")
# what follows the device id in the names of files
SUFFIXES = (
    "-mqtt-credentials.txt", "-https-api-credentials.txt", "-credentials.json",
    "-private-key.pem", "-certificate.pem", "-ca-chain.pem", ".env", ".key", ".pem",
)  # fmt: skip
NOT_IDS = frozenset({"client", "client_cert", "client_key", "ca-chain", "tesa", "tesaiot", "ca"})
# labels of the texts, and the names of the same things in JSON, loose files and .env
DEVICE_IDS = frozenset({"Device ID (Username)", "Device ID", "device_id", "mqtt_username"})
API_KEYS = frozenset({"API Key", "api_key", "device_api_key"})
PASSWORDS = frozenset({"Password", "mqtt_password"})


@dataclass(slots=True)
class Evidence:
    """Everything that was claimed, with where it stands.

    Attributes:
        ids: where it stands → device id.
        authorities, certificates, private_keys: file → its whole content.
        recognised: whether any file was of use.
    """

    ids: dict[str, str] = field(default_factory=dict)
    api_keys: list[str] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)
    authorities: dict[str, bytes] = field(default_factory=dict)
    certificates: dict[str, bytes] = field(default_factory=dict)
    private_keys: dict[str, bytes] = field(default_factory=dict)
    endpoints: Endpoints = field(default_factory=Endpoints)
    findings: list[Finding] = field(default_factory=list)
    recognised: bool = False
    wants_certificate: bool = False


def collect(files: Files) -> Evidence:
    """Read every file that may say something."""
    evidence = Evidence()
    # endpoints.json first: where it and a text differ, it is right
    for path in sorted(files, key=lambda name: ("endpoints" not in name, name)):
        name = PurePosixPath(path).name
        if "telemetry" in PurePosixPath(path).parts[:-1] or IGNORED.fullmatch(name.lower()):
            continue
        _read(evidence, path, name, files[path])
    return evidence


def blocks(content: bytes, kind: bytes) -> list[bytes]:
    """The complete PEM blocks of a kind; comments and notices around them are left out."""
    return [found[0] for found in BLOCK.finditer(content) if found[1].endswith(kind)]


def is_cut(content: bytes) -> bool:
    """Whether a PEM block begins and never ends."""
    return len(BEGIN.findall(content)) != len(BLOCK.findall(content))


def _read(evidence: Evidence, path: str, name: str, content: bytes) -> None:
    if name.endswith((".pem", ".key", ".crt")):
        _read_pem(evidence, path, name, content)
    elif name.endswith(".json"):
        _read_json(evidence, path, name, content)
    elif name.endswith((".txt", ".env")):
        pairs = list(_pairs(name, _text(content)))
        for label, value in pairs:
            _claim(evidence, path, label, value)
        if pairs:
            _claim_name(evidence, path, name)


def _read_pem(evidence: Evidence, path: str, name: str, content: bytes) -> None:
    if name.endswith("-factory-certificate.pem"):
        evidence.findings.append(finding("secure_element.unsupported"))
    elif name.endswith("ca-chain.pem"):
        evidence.authorities[path] = content
    elif b"PRIVATE KEY-----" in content:
        evidence.private_keys[path] = content
    else:
        evidence.certificates[path] = content
    evidence.recognised = True
    _claim_name(evidence, path, name)


def _read_json(evidence: Evidence, path: str, name: str, content: bytes) -> None:
    try:
        document = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        if "endpoints" in name:
            evidence.findings.append(finding("endpoints.invalid_json", file=path))
            evidence.recognised = True
        return
    if not isinstance(document, dict):
        return
    if "encryption_method" in document:
        evidence.findings.append(finding("private_key.encrypted"))
        evidence.recognised = True
    elif name == "factory_metadata.json":
        evidence.findings.append(finding("secure_element.unsupported"))
        evidence.recognised = True
    else:
        _read_document(evidence, path, name, document)


def _read_document(evidence: Evidence, path: str, name: str, document: dict[str, Any]) -> None:
    for label, value in document.items():
        if isinstance(value, str):
            _claim(evidence, path, label, value)
    used = evidence.endpoints.read(document)
    if evidence.endpoints.quic:
        evidence.findings.append(finding("transport.quic_unsupported"))
    evidence.recognised |= used
    evidence.wants_certificate |= document.get("auth_mode") == "mtls"
    if name.endswith("-credentials.json"):
        _claim_name(evidence, path, name)


def _pairs(name: str, text: str) -> Iterator[tuple[str, str]]:
    """(label, value) of a text: loose files hold one value, the others labelled lines."""
    loose = name.removesuffix(".txt")
    if loose in {"device_id", "mqtt_username", "mqtt_password", "api_key"}:
        # only the first line: a password may begin with #, so nothing is skipped as a comment
        yield loose, text.split("\n", 1)[0]
        return
    separator = "=" if name.endswith(".env") else ": "
    for line in text.split("\n"):
        label, found, value = line.partition(separator)
        if found and name.endswith(".env"):
            yield label.strip().lower().removeprefix("export "), value.strip().strip("\"'")
        elif found:
            yield label, value


def _claim(evidence: Evidence, path: str, label: str, value: str) -> None:
    if label in DEVICE_IDS:
        evidence.ids[f"{path}: {label}"] = value
    elif label in API_KEYS:
        evidence.api_keys.append(value)
    elif label in PASSWORDS:
        evidence.passwords.append(value)
    elif not evidence.endpoints.read_line(label, value):
        return
    evidence.recognised = True


def _claim_name(evidence: Evidence, path: str, name: str) -> None:
    stem = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
    if stem not in (name, "") and stem not in NOT_IDS:
        evidence.ids[path] = stem


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig", "replace").replace("\r\n", "\n")
