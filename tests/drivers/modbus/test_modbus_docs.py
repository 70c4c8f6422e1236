"""README, sample and profiles say what the code does."""

from pathlib import Path

import pytest

import drivers.modbus
from agent.prepare.compile import prepare
from agent.prepare.profiles import Shelf
from drivers.modbus import golden
from drivers.modbus.profile import ModbusPoint, ModbusProfile
from drivers.modbus.settings import RtuSettings, TcpSettings
from tests.drivers.modbus.plant import PROFILES

ROOM = Path(drivers.modbus.__file__).parent
README = (ROOM / "README.md").read_text(encoding="utf-8")
SAMPLE = ROOM / "sample.yaml"
MODBUS = [
    path.stem
    for path in sorted(PROFILES.glob("*.yaml"))
    if "\nkind: modbus\n" in path.read_text(encoding="utf-8")
    or "\nextends:" in path.read_text(encoding="utf-8")
]


def profile(name: str) -> ModbusProfile:
    found = Shelf(PROFILES.parent).load(name)
    assert found is not None
    return ModbusProfile.model_validate(found.tree)


def test_the_readme_shows_the_sample() -> None:
    assert SAMPLE.read_text(encoding="utf-8") in README


def test_the_sample_is_valid() -> None:
    outcome = prepare(SAMPLE, offline=True, environment={})
    assert outcome.problems == ()
    assert outcome.plan is not None


@pytest.mark.parametrize("model", [RtuSettings, TcpSettings, ModbusProfile, ModbusPoint])
def test_every_key_stands_in_the_readme(
    model: type[RtuSettings | TcpSettings | ModbusProfile | ModbusPoint],
) -> None:
    names = {field.alias or name for name, field in model.model_fields.items()}
    common = {"profile", "title", "kind", "extends", "points"}
    assert [name for name in sorted(names - common) if f"`{name}`" not in README] == []


@pytest.mark.parametrize("name", MODBUS)
def test_a_profile_reads_its_golden_frames(name: str) -> None:
    found = profile(name)
    assert [*golden.failures(found)] == []


@pytest.mark.parametrize("name", MODBUS)
def test_a_profile_names_the_makers_register_list(name: str) -> None:
    found = profile(name)
    assert found.source
    assert found.test or found.tests
    assert "-" in found.profile
