"""Every fixture of a credential bundle gets the verdict its README promises."""

import io
import stat
import zipfile
from pathlib import Path

import pytest

from agent.cloud.tesaiot.archive import ENTRIES_MAX, Files, UnsafeArchive, files_of, unpack
from agent.cloud.tesaiot.bundle import Bundle, Verdict, judge
from agent.sample import Instant
from agent.secret import Secret

BUNDLES = Path(__file__).parent / "bundles"
NOW = Instant("boot", 0, 1_795_000_000_000_000_000, trusted=True)  # November 2026
HTTPS, MTLS = "https://platform.example", "https://platform.example:9444"
PASSWORD, CERTIFICATE = "mqtt.platform.example:8884", "mqtt.platform.example:8883"

# fixture → device id, then where each way in leads: HTTPS key, HTTPS cert, MQTT password, MQTT cert
GOOD = {
    "ok-servertls-complete": ("fp-demo-01", HTTPS, None, PASSWORD, None),
    "ok-servertls-mqtt": ("fp-demo-02", None, None, PASSWORD, None),
    "ok-servertls-https": ("fp-demo-03", HTTPS, None, None, None),
    "ok-servertls-crlf-bom": ("fp-demo-04", HTTPS, None, PASSWORD, None),
    "ok-servertls-odd-password": ("fp-demo-05", HTTPS, None, PASSWORD, None),
    "ok-hub-two-folders": ("fp-demo-06", HTTPS, None, PASSWORD, None),
    "ok-mtls-mqtt": ("fp-demo-07", None, MTLS, None, CERTIFICATE),
    "ok-mtls-https": ("0f1e2d3c-0000-4000-8000-000000000009", None, MTLS, None, None),
    "ok-loose-servertls": ("fp-demo-11", HTTPS, None, PASSWORD, None),
    "ok-loose-mtls": ("fp-demo-12", None, MTLS, None, CERTIFICATE),
}
WARNED = {
    "warn-mtls-combined": ("fp-demo-10", ["endpoint.missing"]),
    "warn-servertls-no-password": ("fp-demo-13", ["mqtt_password.placeholder"]),
    "warn-servertls-no-key": ("fp-demo-14", ["api_key.placeholder"]),
    "warn-servertls-localhost": ("fp-demo-15", ["endpoint.loopback"]),
    "warn-mtls-https-no-chain": ("fp-demo-16", ["ca_chain.absent"]),
    "warn-ui-texts": (
        "fp-demo-17",
        [
            "ca_chain.absent",
            "endpoint.placeholder",
            "endpoint.placeholder",
            "endpoint.port_corrected",
        ],
    ),
    "warn-ui-json-mtls": ("fp-demo-18", ["ca_chain.absent", "client_certificate.missing"]),
}
BAD = {
    "bad-servertls-nothing": ["api_key.placeholder", "mqtt_password.placeholder"],
    "bad-ui-json-servertls": ["mqtt_password.placeholder"],
    "bad-loose-template": [
        "api_key.placeholder",
        "device_id.placeholder",
        "mqtt_password.placeholder",
    ],
    "bad-servertls-ca-truncated": ["ca_chain.invalid_pem"],
    "bad-servertls-ca-is-leaf": ["ca_chain.no_ca"],
    "bad-mtls-ca-placeholder": ["ca_chain.invalid_pem"],
    "bad-mtls-cert-placeholder": ["client_certificate.invalid_pem"],
    "bad-mtls-key-mismatch": ["private_key.mismatch"],
    "bad-mtls-other-ca": ["client_certificate.untrusted"],
    "bad-mtls-expired": ["client_certificate.expired"],
    "bad-mtls-not-yet-valid": ["client_certificate.not_yet_valid"],
    "bad-mtls-cn-other": ["device_id.conflict"],
    "bad-device-id-conflict": ["device_id.conflict"],
    "bad-device-id-too-long": ["device_id.too_long"],
    "bad-device-id-invalid": ["device_id.invalid"],
    "bad-gateway-key": ["api_key.kind_unsupported"],
    "bad-quic": ["transport.quic_unsupported"],
    "bad-trustm": ["secure_element.unsupported"],
    "bad-encrypted-key": ["private_key.encrypted"],
    "bad-endpoints-json": ["endpoints.invalid_json"],
    "bad-unrecognised": ["bundle.unrecognised"],
    "ok-mtls-mqtt-csr": ["private_key.missing"],
}


def folder(name: str) -> dict[str, bytes]:
    root = BUNDLES / name
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def zipped(files: Files) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def codes(verdict: Verdict, *, warnings: bool = False) -> list[str]:
    return sorted(found.code for found in verdict.findings if found.warning == warnings)


@pytest.fixture(params=["folder", "zip"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def verdict_of(name: str, form: str) -> Verdict:
    files = folder(name)
    if form == "zip":
        return judge(files_of(Secret(name, zipped(files))), NOW)
    return judge(files_of(Secret(name, b"", files)), NOW)


def good(name: str) -> Bundle:
    bundle = verdict_of(name, "folder").bundle
    assert bundle is not None
    return bundle


def test_every_fixture_has_an_expectation() -> None:
    there = {path.name for path in BUNDLES.iterdir() if path.is_dir()} - {"keys"}
    assert there == {*GOOD, *WARNED, *BAD}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_bundle_imports_without_a_word(name: str, form: str) -> None:
    verdict = verdict_of(name, form)
    assert verdict.findings == ()
    bundle = verdict.bundle
    assert bundle is not None
    device_id, key_at, certificate_at, password_at, mqtt_certificate_at = GOOD[name]
    assert bundle.device_id == device_id
    assert (bundle.key_url if bundle.api_key else None) == key_at
    assert (bundle.certificate_url if bundle.pair else None) == certificate_at
    assert (bundle.mqtt_password_at if bundle.mqtt_password else None) == password_at
    assert (bundle.mqtt_certificate_at if bundle.pair else None) == mqtt_certificate_at


@pytest.mark.parametrize("name", WARNED)
def test_a_bundle_with_gaps_imports_and_warns(name: str, form: str) -> None:
    verdict = verdict_of(name, form)
    device_id, warnings = WARNED[name]
    assert codes(verdict) == []
    assert codes(verdict, warnings=True) == warnings
    assert verdict.bundle is not None
    assert verdict.bundle.device_id == device_id


@pytest.mark.parametrize("name", BAD)
def test_a_bad_bundle_is_refused_with_every_error_named(name: str, form: str) -> None:
    verdict = verdict_of(name, form)
    assert codes(verdict) == BAD[name]
    assert verdict.bundle is None
    assert all(found.message and found.fix for found in verdict.findings)


def test_passwords_are_kept_byte_for_byte() -> None:
    assert good("ok-servertls-odd-password").mqtt_password == "&*%!#^@$FAKEnotASecret0501234567"  # noqa: S105 -- made up
    assert len(good("ok-servertls-crlf-bom").mqtt_password or "") == 32


def test_the_port_for_a_password_is_corrected() -> None:
    verdict = verdict_of("warn-ui-json-mtls", "folder")
    assert verdict.bundle is not None
    assert verdict.bundle.key_url == HTTPS


def test_a_key_made_on_the_gateway_completes_a_bundle() -> None:
    files = folder("ok-mtls-mqtt-csr")
    own = {"fp-demo-08.key": (BUNDLES / "keys" / "fp-demo-08.key").read_bytes()}
    verdict = judge(files | own, NOW)
    assert verdict.findings == ()
    assert verdict.bundle is not None
    assert verdict.bundle.pair is not None


def test_a_strangers_key_does_not() -> None:
    files = folder("ok-mtls-mqtt-csr")
    own = {"fp-demo-08.key": (BUNDLES / "keys" / "stranger.key").read_bytes()}
    assert codes(judge(files | own, NOW)) == ["private_key.mismatch"]


def test_a_bundle_never_prints_what_it_holds() -> None:
    printed = repr(good("ok-servertls-complete")) + repr(good("ok-mtls-mqtt"))
    assert "fa4efa4e" not in printed
    assert "FAKEnotASecret" not in printed
    assert "PRIVATE KEY" not in printed


def link() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        member = zipfile.ZipInfo("device_id.txt")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    return packed.getvalue()


HOSTILE = {
    "a way out": zipped({"../device_id.txt": b"x"}),
    "an absolute path": zipped({"/device_id.txt": b"x"}),
    "a way out the other way": zipped({"..\\device_id.txt": b"x"}),
    "a drive": zipped({"C:device_id.txt": b"x"}),
    "a link": link(),
    "too many": zipped({f"{n}.txt": b"x" for n in range(ENTRIES_MAX + 1)}),
    "too big": zipped({"ca-chain.pem": b"x" * 1_000_001}),
    "no zip": b"PK\x03\x04 and nothing more",
    "cut short": zipped(folder("ok-servertls-https"))[:-40],
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_zip_is_not_read(content: bytes) -> None:
    with pytest.raises(UnsafeArchive) as caught:
        unpack(content)
    assert caught.value.finding.code == "bundle.unsafe_archive"
