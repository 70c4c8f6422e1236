"""Sample, key reference and schema say what the code says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import fastjsonschema
import pytest
from pydantic import BaseModel

from agent.prepare.compile import prepare
from agent.prepare.models import Health, Site, Status
from agent.prepare.registry import installed
from agent.prepare.report import human, verdict
from agent.prepare.schema import main, reference_file, rows_of, schema, written
from agent.prepare.source import read
from agent.prepare.tree import compose, plain

CONFIG = Path(__file__).parents[2] / "config"
SAMPLE = CONFIG / "gateway.yaml"
SCHEMA = CONFIG / "gateway.schema.json"
ROWS = rows_of(reference_file().read_text(encoding="utf-8"))

Key = tuple[str, str, str]


def keys_of(section: str, kind: str, model: type[BaseModel]) -> Iterator[Key]:
    yield from ((section, kind, key) for key in model.model_fields)


def every_key() -> set[Key]:
    kinds = installed()
    found = {*keys_of("site", "", Site), *keys_of("status", "", Status)}
    found.update(keys_of("health", "", Health))
    for name, wire in kinds.connections.items():
        found.update(keys_of("connections", name, wire().settings))
        found.update(keys_of("devices", "", wire().device))
    for name, target in kinds.destinations.items():
        found.update(keys_of("cloud", name, target().settings))
    return found


def required(key: Key) -> bool:
    kinds = installed()
    section, kind, name = key
    models: dict[str, list[type[BaseModel]]] = {
        "site": [Site],
        "status": [Status],
        "health": [Health],
        "connections": [kinds.connections[kind]().settings] if kind in kinds.connections else [],
        "cloud": [kinds.destinations[kind]().settings] if kind in kinds.destinations else [],
        "devices": [wire().device for wire in kinds.connections.values()],
    }
    holding = [model.model_fields[name] for model in models[section] if name in model.model_fields]
    everywhere = section != "devices" or len(holding) == len(models[section])
    return everywhere and all(field.is_required() for field in holding)


def test_the_reference_has_every_setting_and_no_other() -> None:
    assert set(ROWS) == every_key()


def test_bold_is_what_is_required() -> None:
    text = reference_file().read_text(encoding="utf-8")
    bold = set(re.findall(r"^\| \*\*`(\w+)`\*\*", text, re.MULTILINE))
    assert bold == {key[2] for key in every_key() if required(key)}


def test_the_sample_is_valid_as_it_stands() -> None:
    outcome = prepare(SAMPLE, offline=True, environment={})
    assert human(outcome.problems) == ""
    assert outcome.plan is not None
    assert verdict("gateway.yaml", outcome.plan) == (
        "gateway.yaml: OK - 4 connections, 8 devices, 3 destinations"
    )


def test_every_setting_stands_in_the_sample() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    shown = set(re.findall(r"^\s*(?:# )?(\w+):", text, re.MULTILINE))
    assert {key[2] for key in every_key()} - shown == set()


def test_a_default_in_the_sample_is_the_one_of_the_reference() -> None:
    """A line behind # whose setting has a literal default in the reference shows just that."""
    kind, wrong = "", []
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"\s*(# )?(\w+): (\S.*?)(\s+#.*)?", line)
        if match and match[2] == "kind":
            kind = match[3]
        rows = [row for key, row in ROWS.items() if match and key[1:] == (kind, match[2])]
        if match and match[1] and rows and rows[0][0] not in ("", "unset", f"`{match[3]}`"):
            wrong.append((kind, match[2], match[3], rows[0][0]))
    assert [each for each in wrong if each[3].startswith("`") and "site.id" not in each[3]] == []


def test_the_schema_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(SCHEMA)]) == 0
    assert main([]) == 0
    assert capsys.readouterr().out == SCHEMA.read_text(encoding="utf-8")


def test_a_stale_schema_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.json").write_text("{}\n")
    assert main(["--check", str(tmp_path / "old.json")]) == 1
    assert "is not current" in capsys.readouterr().err


def test_the_schema_knows_every_setting_and_what_it_means() -> None:
    found = written(schema(installed(), reference_file().read_text(encoding="utf-8")))
    assert {key[2] for key in every_key()} <= set(re.findall(r'"(\w+)": \{', found))
    assert '"description": ""' not in found


def test_the_sample_fits_the_schema() -> None:
    fits = fastjsonschema.compile(json.loads(SCHEMA.read_text(encoding="utf-8")))
    document = plain(compose(read(SAMPLE)).root)
    document["version"] = 1  # an editor reads a number here
    fits(document)
    document["site"]["bufer"] = "2GB"
    with pytest.raises(fastjsonschema.JsonSchemaException):
        fits(document)
