"""Fault 61: an update that is corrupted, unsigned, or older than allowed.

fieldpost does not update itself: packages come by the package manager or `scripts/install`, and
nothing that arrives over a network is unpacked or run (fault 59 sends such orders). So tampered
packages are not applicable. What a version does find of another one, or of a broken disk, is its
saved plan: it is believed only if this very program made it from these very files.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.cli.app import VERBS
from agent.clock import SystemClock
from agent.daemon.plans import NoPlanError, Plans
from tests.daemon.plant import Site

Change = Callable[[bytes], bytes]

pytestmark = pytest.mark.timeout(30)


def of_a_newer_format(plan: bytes) -> bytes:
    return _with(plan, ("plan", "format"), 99)


def of_another_version(plan: bytes) -> bytes:
    return _with(plan, ("plan", "origin", "program"), "99.0.0")


def torn(plan: bytes) -> bytes:
    return plan[: len(plan) // 2]


def of_another_kind(_plan: bytes) -> bytes:
    return b'{"version": 1, "applied_at_ns": 0, "plan": {"format": 1, "site": []}}'


def nothing(_plan: bytes) -> bytes:
    return b""


def _with(plan: bytes, path: tuple[str, ...], value: object) -> bytes:
    document: dict[str, Any] = json.loads(plan)
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize("change", [of_a_newer_format, of_another_version, torn])
async def test_a_plan_this_program_did_not_make_is_made_again(
    change: Change, tmp_path: Path
) -> None:
    site = Site(tmp_path, 1883)
    plans = Plans(site.config, site.state, SystemClock())
    good = await plans.obtain()
    saved = site.state / "config" / "plan.json"
    saved.write_bytes(change(saved.read_bytes()))
    again = await plans.obtain()
    assert again.plan == good.plan
    assert again.rejected is None


@pytest.mark.parametrize("change", [of_a_newer_format, of_another_kind, nothing])
async def test_without_a_good_file_a_broken_plan_is_no_plan(change: Change, tmp_path: Path) -> None:
    site = Site(tmp_path, 1883)
    plan = b'{"plan": {"format": 1}}'
    (site.state / "config").mkdir(parents=True)
    (site.state / "config" / "plan.json").write_bytes(change(plan))
    site.config.write_text("version: 1\n")
    with pytest.raises(NoPlanError, match="has no site"):
        await Plans(site.config, site.state, SystemClock()).obtain()


def test_there_is_no_verb_that_would_install_anything() -> None:
    assert not {"update", "upgrade", "install", "apply"} & set(VERBS)
