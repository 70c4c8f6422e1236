"""Devices: each read against the connection it is on and the profile it names."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from agent.driver.learned import Learned
from agent.plan import Json
from agent.prepare.explain import explain
from agent.prepare.findings import Findings
from agent.prepare.kinds import (
    ConnectionKind,
    DeviceInput,
    DeviceSettings,
    Problem,
    ProfileSettings,
    Spot,
)
from agent.prepare.models import Gateway
from agent.prepare.profiles import Profile, Shelf
from agent.prepare.refusal import closest
from agent.prepare.registry import Kinds
from agent.prepare.sections import Wire, blocks
from agent.prepare.source import BrokenFileError


class Devices:
    """Reads devices against the connection each is on and the profile each names."""

    def __init__(
        self,
        wires: Mapping[str, Wire],
        kinds: Kinds,
        shelf: Shelf,
        findings: Findings,
        learned: Mapping[str, Learned],
    ) -> None:
        self._learned = learned
        self._wires = wires
        self._kinds = kinds
        self._shelf = shelf
        self._findings = findings
        self._profiles: dict[str, Profile | None] = {}
        self._read: dict[str, ProfileSettings | None] = {}

    def read(self, tree: Json) -> dict[str, list[DeviceInput]]:
        """By connection, the devices whose settings are right."""
        found: dict[str, list[DeviceInput]] = {name: [] for name in self._wires}
        for name, block in blocks("devices", tree, self._findings):
            wire = self._wire(name, block, tree)
            device = self._device(name, block, wire)
            if wire and device:
                found[wire.name].append(device)
        return found

    def _device(self, name: str, block: Json, wire: Wire | None) -> DeviceInput | None:
        profile = self._profile(name, block)
        fits = profile is not None and wire is not None and profile.kind == wire.kind.family
        family = self._family(profile) if profile and not fits else None
        kind = family or (wire.kind if wire else None)
        settings = self._settings(name, block, kind)
        if profile is None or wire is None:
            return None
        if family:
            self._findings.add([self._mismatch(name, profile, wire)])
        settled = self._settled(profile, wire.kind) if fits else None
        if settings is None or settled is None:
            return None
        self._findings.add(_points(name, settings, settled, profile.name))
        return DeviceInput(name, settings, settled, self._learned.get(name))

    def _family(self, profile: Profile) -> ConnectionKind | None:
        """The kind of connection a profile is made for; told when there is none."""
        family = self._kinds.family(profile.kind)
        if family is None:
            problem = _no_family(profile, self._kinds.families())
            self._findings.add([problem], profile.documents)
        return family

    def _settings(
        self, name: str, block: Json, kind: ConnectionKind | None
    ) -> DeviceSettings | None:
        if kind:
            return self._findings.validated(kind.device, block, ("devices", name))
        # neither connection nor profile is known: judge only what every kind would
        models = [kind.device for kind in self._kinds.usable()]
        special = {key for model in models for key in model.model_fields}
        known = special - set(DeviceSettings.model_fields)
        common = {key: value for key, value in block.items() if key not in known}
        return self._findings.validated(DeviceSettings, common, ("devices", name))

    def _wire(self, name: str, block: Json, tree: Json) -> Wire | None:
        via = block.get("via")
        connections = tree.get("connections", {})
        if not isinstance(via, str) or not isinstance(connections, dict):
            return None
        if via not in connections and not self._misspelt(tree):
            self._findings.add([_no_connection(name, via, list(connections))])
        return self._wires.get(via)

    def _misspelt(self, tree: Json) -> bool:
        """Whether the section of connections is there under a wrong name, which is told already."""
        unknown = [key for key in tree if key not in Gateway.model_fields]
        return "connections" not in tree and closest("connections", unknown) is not None

    def _mismatch(self, name: str, profile: Profile, wire: Wire) -> Problem:
        fitting = [w.name for w in self._wires.values() if w.kind.family == profile.kind]
        kind = self._kinds.name_of(profile.kind)
        add = f"add a connection with  kind: {kind}"
        return Problem(
            ("devices", name, "via"),
            f"'{profile.name}' is a {profile.kind} device, "
            f"but '{wire.name}' is a {wire.says} connection",
            f"write  via: {fitting[0]}" if fitting else add,
            code="via",
        )

    def _profile(self, device: str, block: Json) -> Profile | None:
        name = block.get("profile")
        if not isinstance(name, str):
            return None
        if name not in self._profiles:
            self._profiles[name] = self._loaded(name)
        found = self._profiles[name]
        if found is None and self._shelf.find(name) is None:
            near = self._shelf.nearest(name)
            fix = "fieldpost profiles  lists all of them"
            fix = f"did you mean {near}?   (all of them: fieldpost profiles)" if near else fix
            problem = Problem(
                ("devices", device, "profile"), f"we have no profile '{name}'", fix, code="profile"
            )
            self._findings.add([problem])
        return found

    def _loaded(self, name: str) -> Profile | None:
        try:
            profile = self._shelf.load(name)
        except BrokenFileError as error:
            self._findings.located.append(error.located)
            return None
        if profile is None:
            return None
        self._findings.add(profile.problems, profile.documents)
        return None if profile.problems else profile

    def _settled(self, profile: Profile, kind: ConnectionKind) -> ProfileSettings | None:
        """The profile as its family's model reads it; its problems are told once."""
        if profile.name not in self._read:
            self._read[profile.name] = self._validated(profile, kind.profile)
        return self._read[profile.name]

    def _validated(self, profile: Profile, model: type[ProfileSettings]) -> ProfileSettings | None:
        try:
            found = model.model_validate(profile.tree)
        except ValidationError as error:
            problems = explain(error, model, profile.tree, (), profile.empty)
            self._findings.add(problems, profile.documents)
            return None
        if found.profile != profile.name:
            message = f"this file is the profile '{profile.name}', not '{found.profile}'"
            fix = f"write  profile: {profile.name}"
            problem = Problem(("profile",), message, fix, code="profile")
            self._findings.add([problem], profile.documents)
        return found


def _no_family(profile: Profile, families: list[str]) -> Problem:
    note = f"kinds: {', '.join(families)}"
    if not profile.kind:
        message, spot = "this profile does not say what kind of device it is for", Spot.KEY
        return Problem((), message, "add a line  kind: ...", note, spot=spot, code="missing")
    near = closest(profile.kind, families)
    fix = f"did you mean {near}?" if near else None
    return Problem(("kind",), f"'{profile.kind}' is not a kind of device", fix, note, code="kind")


def _points(
    device: str, settings: DeviceSettings, profile: ProfileSettings, name: str
) -> Iterator[Problem]:
    """Points that the profile does not have."""
    known: Any = getattr(profile, "points", None)
    for point in settings.points if known else ():
        if point not in known:
            near = closest(point, known)
            fix = f"did you mean '{near}'?" if near else None
            note = None if near else f"its points: {', '.join(known)}"
            path = ("devices", device, "points", point)
            message = f"'{point}' is not a point of {name}"
            yield Problem(path, message, fix, note, spot=Spot.KEY, code="point")


def _no_connection(device: str, via: str, connections: list[str]) -> Problem:
    near = closest(via, connections)
    note = f"connections in this file: {', '.join(connections)}" if connections else None
    fix = f"did you mean '{near}'?" if near else "add it below `connections:`"
    message = f"there is no connection called '{via}'"
    return Problem(("devices", device, "via"), message, fix, note, code="via")
