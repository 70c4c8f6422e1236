"""What a model refused, in the words of the file: one table from the library's errors to ours."""

import re
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from agent.plan import Json
from agent.prepare.kinds import Problem, Spot
from agent.prepare.refusal import closest

Path = tuple[str, ...]
Settings = Mapping[str, FieldInfo]

KEY: Final = "[key]"  # how the library says that a name is wrong, not what stands behind it
UNTRANSLATED: Final = "untranslated"  # code of an error the table does not know: a bug of ours


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of a model.

    Attributes:
        path: keys from the top of the file, as far as they exist in it.
        name: the setting it is about; differs from the path's end when that is missing.
        settings: what the block around it may hold.
        block: what it does hold.
    """

    kind: str
    context: Mapping[str, Any]
    path: Path
    name: str
    settings: Settings
    block: Json
    is_key: bool = False

    @property
    def owner(self) -> str:
        """The block the setting stands in."""
        around = self.path[:-1] if self.path[-1:] == (self.name,) else self.path
        return f"'{around[-1]}'" if around else "this file"


def explain(
    error: ValidationError, model: type[BaseModel], data: Json, base: Path, empty: Collection[Path]
) -> list[Problem]:
    """The problems behind a model's refusal, one for each cause.

    Args:
        error: of `model`.
        model: the one that was asked to read `data`.
        data: dicts of text.
        base: path of `data` in the file.
        empty: settings that are reported as empty already, so they are not missing as well.
    """
    faults = [_fault(item, model, data, base) for item in error.errors(include_url=False)]
    causes = {(f.path[:-1], _meant(f)) for f in faults if f.kind == "extra_forbidden"}
    return [
        _problem(fault)
        for fault in faults
        if fault.kind != "missing"
        or not ((fault.path, fault.name) in causes or (*fault.path, fault.name) in empty)
    ]


def settings_at(model: Any, path: Collection[Any]) -> Settings:
    """What the block at `path` below a model may hold, by name as written in the file."""
    found = [model]
    for part in path:
        found = [inner for kind in found for inner in _inside(kind, part)] or found
    blocks = [kind for kind in found if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return {written: field for block in blocks for written, field in _fields(block).items()}


def secret_of(path: Path) -> str:
    """A good name for the secret of a setting."""
    return "-".join(path[-2:]).replace("_", "-")


def _fault(item: Any, model: type[BaseModel], data: Json, base: Path) -> Fault:
    path, block, block_loc = base, data, 0
    node: Any = data
    loc = item["loc"]
    for index, part in enumerate(loc):
        if isinstance(node, dict) and part in node:
            block, block_loc = node, index
            path, node = (*path, str(part)), node[part]
    if item["type"] == "missing":
        block, block_loc = node, len(loc) - 1
    name = str(loc[-1]) if item["type"] == "missing" else (path[-1] if path else "")
    settings = settings_at(model, loc[:block_loc])
    context = item.get("ctx", {})
    return Fault(item["type"], context, path, name, settings, block, is_key=KEY in loc)


def _problem(fault: Fault) -> Problem:
    if "message" in fault.context:
        return _own(fault)
    return _TABLE.get(fault.kind, _untranslated)(fault)


def _own(fault: Fault) -> Problem:
    """An error of our own types: it brought its sentence along."""
    fix = fault.context["fix"]
    if fault.kind == "secret_in_file" and "://" in str(fault.block.get(fault.name)):
        fix = "write the address without user and password"
    elif fault.kind == "secret_in_file":
        secret = secret_of(fault.path)
        fix = f"{{fieldpost}} secret set {secret}   then write  {fault.name}: secret:{secret}"
    spot = Spot.KEY if fault.is_key else Spot.VALUE
    message, note = fault.context["message"], fault.context["note"]
    return Problem(fault.path, message, fix, note, spot=spot, code=fault.kind)


def _unknown(fault: Fault) -> Problem:
    meant = _meant(fault)
    known = ", ".join(fault.settings)
    return Problem(
        fault.path,
        f"'{fault.name}' is not a setting of {fault.owner}",
        f"did you mean '{meant}'?" if meant else None,
        None if meant or not known else f"settings here: {known}",
        spot=Spot.KEY,
        code="unknown",
    )


def _meant(fault: Fault) -> str | None:
    unused = [name for name in fault.settings if name not in fault.block]
    return closest(fault.name, unused) or closest(fault.name, fault.settings)


def _missing(fault: Fault) -> Problem:
    field = fault.settings.get(fault.name)
    extra = field.json_schema_extra if field and isinstance(field.json_schema_extra, dict) else {}
    sentence = extra.get("missing", f"has no {fault.name}")
    fix = extra.get("fix", f"add a line  {fault.name}: ...")
    message = f"{fault.owner} {sentence}"
    return Problem(fault.path, message, str(fix), spot=Spot.KEY, code="missing")


def _choice(fault: Fault) -> Problem:
    choices = re.findall(r"'([^']*)'", str(fault.context.get("expected", "")))
    written = str(fault.block.get(fault.name, ""))
    near = closest(written, choices)
    return Problem(
        fault.path,
        f"'{written}' is not possible for '{fault.name}'",
        f"did you mean {near}?" if near else None,
        f"choices: {', '.join(choices)}",
        code="choice",
    )


def _block_expected(fault: Fault) -> Problem:
    fix = f"write them below  {fault.name}:  with 2 more spaces before each"
    message = f"'{fault.name}' holds settings of its own, not one value"
    return Problem(fault.path, message, fix, code="block")


def _sentence(message: str, fix: str | None = None) -> Callable[[Fault], Problem]:
    """For errors that need no more than a sentence with the value, the limit or the reason."""

    def problem(fault: Fault) -> Problem:
        facts = {**fault.context, "value": fault.block.get(fault.name, "")}
        return Problem(fault.path, message.format(**facts), fix, code=fault.kind)

    return problem


def _untranslated(fault: Fault) -> Problem:
    return Problem(fault.path, "this value cannot be used", code=UNTRANSLATED)


_ONE_VALUE: Final = _sentence("one value is expected here, not a block of settings")
_NUMBER: Final = _sentence("'{value}' is not a number", "write it like 12 or 0.5")
_WHOLE: Final = _sentence("'{value}' is not a whole number", "write digits only")
_SWITCH: Final = _sentence("'{value}' is not yes or no", "write yes or no")

_TABLE: Final[Mapping[str, Callable[[Fault], Problem]]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "literal_error": _choice,
    "enum": _choice,
    "model_type": _block_expected,
    "model_attributes_type": _block_expected,
    "dict_type": _block_expected,
    "mapping_type": _block_expected,
    "string_type": _ONE_VALUE,
    "int_type": _ONE_VALUE,
    "float_type": _ONE_VALUE,
    "bool_type": _ONE_VALUE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_parsing": _SWITCH,
    "greater_than": _sentence("{value} is too small: it has to be more than {gt:g}"),
    "greater_than_equal": _sentence("{value} is too small: the smallest is {ge:g}"),
    "less_than": _sentence("{value} is too big: it has to be less than {lt:g}"),
    "less_than_equal": _sentence("{value} is too big: the biggest is {le:g}"),
    "string_too_short": _sentence("'{value}' is too short"),
    "string_too_long": _sentence("this text is longer than {max_length} characters"),
    "string_pattern_mismatch": _sentence("'{value}' is not written as expected here"),
    "value_error": _sentence("{error}"),
    "assertion_error": _sentence("{error}"),
}


def _fields(model: type[BaseModel]) -> Settings:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _inside(kind: Any, part: Any) -> Iterator[Any]:
    """The types that may stand under the key `part` of a value of this type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = _fields(kind).get(str(part))
        yield from _members(field.annotation) if field else ()
    elif typing.get_origin(kind) in (dict, Mapping, types.MappingProxyType):
        yield from _members(typing.get_args(kind)[1])


def _members(annotation: Any) -> Iterator[Any]:
    """The types of an annotation, out of `Annotated`, unions and `Optional`."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        yield from _members(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _members(member)
    else:
        yield annotation
