"""`fieldpost enroll`: a credential bundle of the platform, judged, tried and stored."""

import asyncio
import re
import textwrap
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TypedDict, Unpack
from urllib.parse import urlsplit

import click

from agent.cli import files, vault
from agent.cli.failure import FOUND
from agent.cli.session import Session
from agent.cli.table import WIDTH, word
from agent.cli.verb import verb
from agent.clock import SystemClock
from agent.cloud import Beats, Vitals
from agent.cloud.tesaiot.archive import Files, UnsafeArchive, files_of
from agent.cloud.tesaiot.bundle import Bundle, judge
from agent.cloud.tesaiot.destination import open_cloud
from agent.cloud.tesaiot.findings import Finding
from agent.cloud.tesaiot.opening import Plan
from agent.errors import ValidationError
from agent.plan import to_json
from agent.prepare import edits
from agent.secret import Secret

BYTES_MAX = 1_000_000  # a bundle has 20 kB
FILES_MAX = 64  # and some ten files
KEY_SHOWN = 16  # characters of an API key that tell it apart and open nothing
MARK_WIDTH = 9
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


class Options(TypedDict):
    """What `enroll` takes."""

    bundle: Path
    test: bool
    add: str | None


@verb("enroll", example="sudo fieldpost enroll BUNDLE.zip --test --add platform", reads=False)
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option("--test", is_flag=True, help="Contact the platform once before storing.")
@click.option("--add", metavar="NAME", help="Write the destination into the configuration, too.")
def enroll(session: Session, **options: Unpack[Options]) -> int:
    """Store a credential bundle as downloaded from the platform's portal: a zip or a folder."""
    given = _given(options["bundle"])
    found = _files(given)
    verdict = judge(found, SystemClock().now())
    for one in verdict.findings:
        _say(session, "warn" if one.warning else "fail", _finding(one))
    if verdict.bundle is None:
        session.remark("Nothing was stored.")
        return FOUND
    for line in _opens(verdict.bundle):
        _say(session, "ok", line)
    if options["test"]:
        _say(session, "ok", asyncio.run(_tried(given, verdict.bundle)))
    _keep(session, given)
    _next(session, given.name, options["add"])
    session.remark("The file you gave is still there and holds keys: delete it when you are done.")
    return 0


def _given(path: Path) -> Secret:
    name = _UNFIT.sub("-", path.resolve().name)
    vault.check_name(name)
    if not path.is_dir():
        with path.open("rb") as file:
            return Secret(name, file.read(BYTES_MAX + 1))
    inside = sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
    if len(inside) > FILES_MAX or sum(p.stat().st_size for p in inside) > BYTES_MAX:
        message = f"{path} holds more than a bundle does; is this the right folder?"
        raise ValidationError(field="bundle", reason="too big", message=message)
    return Secret(name, b"", {str(p.relative_to(path)): p.read_bytes() for p in inside})


def _files(given: Secret) -> Files:
    try:
        return files_of(given)
    except UnsafeArchive as error:
        found = error.finding
        raise ValidationError(field="bundle", reason=found.code, message=_finding(found)) from error


def _finding(one: Finding) -> str:
    return f"{one.message}: {one.fix}"


def _opens(bundle: Bundle) -> Iterator[str]:
    """What the bundle opens, without anything that opens it."""
    yield f"for the device {bundle.device_id}"
    if bundle.authorities:
        yield f"{len(bundle.authorities)} certificates of the platform's authority"
    if bundle.api_key:
        yield f"key {bundle.api_key[:KEY_SHOWN]}... for {_host(bundle.key_url)}"
    if bundle.pair:
        yield f"certificate and private key for {_host(bundle.certificate_url)}"
    if bundle.mqtt_password:
        yield f"MQTT user {bundle.device_id} for {bundle.mqtt_password_at or 'an unnamed address'}"


def _host(url: str | None) -> str:
    return urlsplit(url).netloc if url else "an address that it does not name"


async def _tried(given: Secret, bundle: Bundle) -> str:
    """Say hello to the platform.

    Raises:
        FieldpostError: it cannot be reached, or does not accept the credentials.
    """
    cloud = open_cloud(bundle.device_id, to_json(Plan(bundle=given.name)), {given.name: given})
    try:
        if not isinstance(cloud, Beats):
            return "a certificate is tried with the first reading, not here"
        await cloud.beat(Vitals(0, metadata.version("fieldpost"), 0))
    finally:
        await cloud.aclose()
    return f"{_host(bundle.key_url)} answers and accepts the key"


def _keep(session: Session, given: Secret) -> None:
    if given.files():
        vault.store_folder(session.config_path, given.name, given.files())
    else:
        vault.store(session.config_path, given.name, given.content())


def _next(session: Session, name: str, add: str | None) -> None:
    if add is None:
        session.write("Stored. Paste below `cloud:` (or run again with --add platform):")
        session.write(f"  platform:\n    kind: tesaiot\n    bundle: secret:{name}")
        return
    before = files.read(session.config_path)
    after = edits.add_block(before, "cloud", add, {"kind": "tesaiot", "bundle": f"secret:{name}"})
    files.replace_checked(session.config_path, after)
    session.write(f"Stored, and written into {session.config_path} as the destination '{add}'.")


def _say(session: Session, state: str, text: str) -> None:
    mark = "FAIL" if state == "fail" else state
    first, *rest = textwrap.wrap(text, WIDTH - MARK_WIDTH, break_on_hyphens=False)
    session.write(f"[{word(mark)}]{' ' * (MARK_WIDTH - len(mark) - 2)}{first}")
    for line in rest:
        session.write(" " * MARK_WIDTH + line)
