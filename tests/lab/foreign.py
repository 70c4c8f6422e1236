"""A third party's package, installed beside fieldpost in an environment of its own.

The daemon and its compiler find it as they find any other: by its entry points.
"""

import sys
import sysconfig
import venv
from pathlib import Path

from tests.lab.whole import CONFIGURATION, ROOT, Whole

ENTRY_POINTS = """\
[fieldpost.drivers]
misbehaving = tests.lab.misbehaving.drivers:open_driver
unimportable = tests.lab.misbehaving.unimportable:open_driver

[fieldpost.settings]
misbehaving = tests.lab.misbehaving.settings:KIND
unimportable = tests.lab.misbehaving.settings:KIND
"""
METADATA = "Metadata-Version: 2.1\nName: misbehaving\nVersion: 1.0\n"
PROFILE = """\
profile: misbehaves
kind: misbehaving
points: {level: {}}
"""
CONNECTION = "  {name}: {{{{kind: {kind}, does: {name}}}}}\n"  # formatted twice
DEVICE = "  {name}-device: {{{{profile: misbehaves, via: {name}}}}}\n"


def installed(folder: Path) -> str:
    """The interpreter of an environment with fieldpost and the package."""
    venv.EnvBuilder(symlinks=True).create(folder)
    python = folder / "bin" / "python"
    home = next(folder.glob("lib/python*/site-packages"))
    places = [str(ROOT), sysconfig.get_path("purelib"), *filter(_beside, sys.path)]
    (home / "beside.pth").write_text("\n".join(places) + "\n")
    package = home / "misbehaving-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text(METADATA)
    (package / "entry_points.txt").write_text(ENTRY_POINTS)
    return str(python)


def connect(site: Whole, *does: str) -> None:
    """Put one connection and one device of each kind into its configuration."""
    (site.config.parent / "profiles" / "misbehaves.yaml").write_text(PROFILE)
    text = CONFIGURATION
    for name in does:
        kind = "unimportable" if name == "unimportable" else "misbehaving"
        text = text.replace("devices:\n", CONNECTION.format(name=name, kind=kind) + "devices:\n")
        text = text.replace("cloud:\n", DEVICE.format(name=name) + "cloud:\n")
    site.configure(text)


def _beside(place: str) -> bool:
    return place.endswith("site-packages")
