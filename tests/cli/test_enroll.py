"""`fieldpost enroll`: everything is judged before anything is stored."""

import stat
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import Fieldpost

BUNDLES = Path(__file__).parent.parent / "cloud" / "bundles"
FILE = """\
version: 1
site:
  name: Bakery North      # on the label
cloud:
  archive: {kind: http, url: 'https://ingest.example.com/v1', token: secret:archive-token}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "gateway.yaml"
    path.parent.mkdir()
    path.write_text(FILE)
    return path


def zipped(bundle: str, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((BUNDLES / bundle).rglob("*.*")):
            archive.write(file, file.relative_to(BUNDLES / bundle))
    return path


def test_a_good_zip_is_stored_as_it_is(fieldpost: Fieldpost, config: Path, tmp_path: Path) -> None:
    given = zipped("ok-servertls-complete", tmp_path / "ES-0231 (1).zip")
    said = fieldpost("--config", str(config), "enroll", str(given))
    assert said.out == (
        "[ok]     for the device fp-demo-01\n"
        "[ok]     2 certificates of the platform's authority\n"
        "[ok]     key tesa_dak_fpdemo0... for platform.example\n"
        "[ok]     MQTT user fp-demo-01 for mqtt.platform.example:8884\n"
        "Stored. Paste below `cloud:` (or run again with --add platform):\n"
        "  platform:\n"
        "    kind: tesaiot\n"
        "    bundle: secret:ES-0231-1-.zip\n"
    )
    kept = config.parent / "secrets" / "ES-0231-1-.zip"
    assert kept.read_bytes() == given.read_bytes()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert (said.code, "delete it when you are done" in said.err) == (0, True)


def test_a_folder_is_stored_for_its_owner_only(fieldpost: Fieldpost, config: Path) -> None:
    given = BUNDLES / "ok-mtls-https"
    assert fieldpost("--config", str(config), "enroll", str(given)).code == 0
    kept = config.parent / "secrets" / "ok-mtls-https"
    assert {p.name for p in kept.iterdir()} == {p.name for p in given.iterdir()}
    assert {stat.S_IMODE(p.stat().st_mode) for p in kept.iterdir()} == {0o600}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "bundle", sorted(p.name for p in BUNDLES.iterdir() if p.name.startswith("bad-"))
)
def test_a_bad_one_is_named_and_nothing_is_stored(
    fieldpost: Fieldpost, config: Path, bundle: str
) -> None:
    said = fieldpost("--config", str(config), "enroll", str(BUNDLES / bundle))
    assert (said.code, said.err) == (1, "Nothing was stored.\n")
    assert said.out.startswith("[")
    assert "[FAIL]" in said.out
    assert max(len(line) for line in said.out.splitlines()) <= 80
    assert not (config.parent / "secrets").exists()


def test_a_zip_that_writes_outside_is_refused(
    fieldpost: Fieldpost, config: Path, tmp_path: Path
) -> None:
    given = tmp_path / "evil.zip"
    with zipfile.ZipFile(given, "w") as archive:
        archive.writestr("../../gateway.yaml", "gone")
    said = fieldpost("--config", str(config), "enroll", str(given))
    assert (said.code, "nothing was read from it" in said.err) == (2, True)
    assert config.read_text() == FILE


def test_the_destination_is_written_on_request(
    fieldpost: Fieldpost, config: Path, tmp_path: Path
) -> None:
    given = zipped("ok-servertls-complete", tmp_path / "bundle.zip")
    arguments = ("--config", str(config), "enroll", str(given), "--add", "platform")
    said = fieldpost(*arguments)
    assert said.out.endswith(f"written into {config} as the destination 'platform'.\n")
    text = config.read_text()
    assert "bundle: secret:bundle.zip" in text
    assert "# on the label" in text
    assert fieldpost("check", str(config), "--offline").code == 0
    again = fieldpost(*arguments)
    assert (again.code, "'platform' is there already" in again.err) == (2, True)


def test_a_platform_that_is_away_leaves_nothing_stored(fieldpost: Fieldpost, config: Path) -> None:
    given = BUNDLES / "warn-servertls-localhost"
    said = fieldpost("--config", str(config), "enroll", str(given), "--test")
    assert said.code == 75
    assert not (config.parent / "secrets").exists()


def test_no_key_is_ever_printed(fieldpost: Fieldpost, config: Path) -> None:
    secrets = [
        line.split(": ", 1)[1]
        for name in ("https-api-credentials.txt", "mqtt-credentials.txt")
        for line in (BUNDLES / "ok-servertls-complete" / name).read_text().splitlines()
        if line.startswith(("API Key: ", "Password: "))
    ]
    assert len(secrets) == 2
    given = BUNDLES / "ok-servertls-complete"
    said = fieldpost("--config", str(config), "enroll", str(given))
    assert not [secret for secret in secrets if secret in said.out + said.err]
