"""The environment on top of the file: `FIELDPOST_SITE__BUFFER=1GB` sets `site.buffer`.

Only single values can be set this way, and only what the file could hold: a variable that is not
understood is a problem, because the library would ignore it silently.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from agent.plan import Json
from agent.prepare.kinds import Problem, Settings
from agent.prepare.models import Health, Site, Status
from agent.prepare.refusal import closest

PREFIX: Final = "FIELDPOST_"
SPLIT: Final = "__"
_FLAT: Final[Mapping[str, type[Settings]]] = {"site": Site, "status": Status, "health": Health}
_NAMED: Final = ("connections", "devices", "cloud")
DEEPEST: Final = 5  # devices, name, points, point, setting

Path = tuple[str, ...]


class Layers(BaseSettings):
    """Settings of several sources: `Layers(environment=…, file=…).settings`."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(extra="forbid")

    settings: Json = {}

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # called by name
        cls, settings_cls: type[BaseSettings], init_settings: Any, **_: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only ours, first wins: the library's would read `.env` and parse JSON in variables."""
        layers = init_settings.init_kwargs
        return tuple(
            InitSettingsSource(settings_cls, {"settings": layers[name]})
            for name in ("environment", "file")
        )


@dataclass(frozen=True, slots=True)
class Overridden:
    """The file's tree with the environment's values in it.

    Attributes:
        variables: name of the variable by path of the setting it set.
    """

    tree: Json
    variables: Mapping[Path, str]
    problems: Sequence[Problem]


def override(tree: Json, variables: Mapping[str, str]) -> Overridden:
    """Put the environment's values on top of the file's.

    Args:
        tree: of the file.
        variables: `agent.plan.overrides()`.
    """
    found: dict[Path, str] = {}
    problems: list[Problem] = []
    top: Json = {}
    for name, value in variables.items():
        path = tuple(name[len(PREFIX) :].lower().split(SPLIT))
        problem = _unknown(name, path, tree)
        if problem:
            problems.append(problem)
        else:
            found[path] = name
            _put(top, path, value)
    layered = Layers.model_validate({"environment": top, "file": tree})
    return Overridden(layered.settings, found, problems)


def variable(path: Path) -> str:
    """The variable that sets this setting."""
    return PREFIX + SPLIT.join(path).upper()


def _unknown(name: str, path: Path, tree: Json) -> Problem | None:
    """The problem of a variable that sets nothing the file could hold."""
    choices = [variable(known) for known in _settings(path, tree)]
    deep = path[0] in _NAMED and len(path) in range(3, DEEPEST + 1)
    if name.upper() in choices or (deep and _is_block(tree, path[:-1])):
        return None
    near = closest(name[len(PREFIX) :], [choice[len(PREFIX) :].lower() for choice in choices])
    fix = f"did you mean {PREFIX}{near.upper()}?" if near else None
    return Problem((), f"{name}: there is no such setting", fix, code="environment")


def _settings(path: Path, tree: Json) -> list[Path]:
    """Paths of settings that such a variable may mean."""
    flat = [(section, key) for section, model in _FLAT.items() for key in model.model_fields]
    named: list[Path] = []
    for section in _NAMED:
        entries = tree.get(section)
        if isinstance(entries, dict):
            named += [(section, n, *path[2:]) for n in entries if "-" not in n and path[2:]]
    return flat + named


def _is_block(tree: Any, path: Path) -> bool:
    node = tree
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return isinstance(node, dict)


def _put(tree: Json, path: Path, value: str) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = value
