"""The JSON Schema of the file, for editors: `python -m agent.prepare.schema [--check FILE]`.

It is made from the models; what each setting means and its default come from the key reference
`config/README.md`, so both are said in one place. Editors read draft 7, so nothing newer is used.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from agent.plan import Json
from agent.prepare.models import Health, Site, Status
from agent.prepare.profiles import packaged
from agent.prepare.registry import Kinds, installed

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
NAME: Final = "^[a-z0-9][a-z0-9-]{0,39}$"
STALE: Final = 1

Rows = Mapping[tuple[str, str, str], "Row"]
Row = tuple[str, str]  # default as written in the reference, meaning

_HEADING: Final = re.compile(r"#+ `(\w+)(?:\.<name>)?`(?:, (?:kinds? )?(.+))?")
_ROW: Final = re.compile(r"\| \**`(\w+)`\** +\| *(.*?) *\| *(.*?) *\|")
_OR_NOTHING: Final = ["object", "null"]  # a section whose lines are all commented out
_KEPT: Final = ("type", "enum", "pattern", "examples", "minimum", "maximum", "required")


def schema(kinds: Kinds, reference: str) -> Json:
    """The schema of the file as these kinds read it.

    Args:
        kinds: of connections and destinations; all are loaded.
        reference: text of the key reference.
    """
    rows = rows_of(reference)
    wires = {kind: load() for kind, load in kinds.connections.items()}
    targets = {kind: load() for kind, load in kinds.destinations.items()}
    lines = [_block(wire.settings, rows, "connections", kind) for kind, wire in wires.items()]
    clouds = [_block(each.settings, rows, "cloud", kind) for kind, each in targets.items()]
    devices = dict.fromkeys(wire.device for wire in wires.values())
    meters = [_block(model, rows, "devices", "") for model in devices]
    return {
        "$schema": DRAFT,
        "title": "fieldpost gateway configuration",
        "type": "object",
        "additionalProperties": False,
        "required": ["site"],
        "properties": {
            "version": {"enum": [1]},
            "site": _block(Site, rows, "site", ""),
            "connections": _named({"anyOf": lines}),
            "devices": _named(_merged(meters)),
            "cloud": _named({"anyOf": clouds}),
            "status": {**_block(Status, rows, "status", ""), "type": _OR_NOTHING},
            "health": {**_block(Health, rows, "health", ""), "type": _OR_NOTHING},
        },
    }


def rows_of(reference: str) -> Rows:
    """The rows of the key reference by (section, kind, key); kind is empty where there is none."""
    return dict(_rows(reference))


def reference_file() -> Path:
    """Where the key reference lies: beside the packaged profiles."""
    return packaged().parent / "README.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the schema, or say whether a file holds the current one.

    Returns:
        0, or 1 when the file is not current.
    """
    parser = argparse.ArgumentParser(prog="python -m agent.prepare.schema", description=__doc__)
    parser.add_argument("--check", type=Path, metavar="FILE")
    wanted = parser.parse_args(arguments)
    text = written(schema(installed(), reference_file().read_text(encoding="utf-8")))
    if wanted.check is None:
        sys.stdout.write(text)
        return 0
    if wanted.check.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{wanted.check} is not current: python -m agent.prepare.schema\n")
    return STALE


def written(found: Json) -> str:
    """As it is committed."""
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _rows(reference: str) -> Iterator[tuple[tuple[str, str, str], Row]]:
    section, kinds = "", [""]
    for line in reference.splitlines():
        heading = _HEADING.fullmatch(line)
        if heading:
            section, kinds = heading[1], re.findall(r"`([\w-]+)`", heading[2] or "") or [""]
        elif line.startswith("#"):
            section = ""
        row = _ROW.match(line)
        if row and section:
            yield from (((section, kind, row[1]), (row[2], row[3])) for kind in kinds)


def _block(model: type[BaseModel], rows: Rows, section: str, kind: str) -> Json:
    """The schema of one block; its `kind:` belongs to it where there is one."""
    raw = model.model_json_schema()
    found = _plain(raw, raw.get("$defs", {}))
    properties = found["properties"]
    for key, node in properties.items():
        default, meaning = rows.get((section, kind, key)) or rows.get((section, "", key), ("", ""))
        node["description"] = meaning.replace("`", "").replace("\\|", "|")
        literal = re.fullmatch(r"`([^`]+)`", default)
        if literal:
            node["default"] = literal[1]
    result = {**found, "properties": properties}
    if kind:
        result["properties"] = {"kind": {"const": kind}, **properties}
        result["required"] = ["kind", *found.get("required", [])]
    return result


def _plain(node: Any, definitions: Json) -> Any:
    """Without references, nulls, titles and our own remarks."""
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _plain(definitions[node["$ref"].rpartition("/")[2]], definitions)
    choices = [choice for choice in node.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        return _plain(choices[0], definitions)
    result = {key: node[key] for key in node if key in _KEPT and node[key]}
    for key in ("additionalProperties", "patternProperties", "properties"):
        if key in node:
            result[key] = _members(node[key], definitions)
    return result


def _members(node: Any, definitions: Json) -> Any:
    if not isinstance(node, dict):
        return node
    if "type" in node or "$ref" in node or "anyOf" in node:
        return _plain(node, definitions)
    return {key: _plain(value, definitions) for key, value in node.items()}


def _named(entry: Json) -> Json:
    return {
        "type": _OR_NOTHING,
        "additionalProperties": False,
        "patternProperties": {NAME: entry},
    }


def _merged(blocks: Sequence[Json]) -> Json:
    """One block that may hold what any of these may: a device's keys depend on its connection."""
    properties = {key: node for block in blocks for key, node in block["properties"].items()}
    required = [key for key in blocks[0]["required"] if all(key in b["required"] for b in blocks)]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": required,
    }


if __name__ == "__main__":
    sys.exit(main())
