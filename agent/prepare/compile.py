"""The compiler: what the technician wrote becomes the plan that the daemon runs."""

import os
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

import agent
from agent import plan
from agent.driver.learned import Learned, recalled
from agent.plan import Json, Plan
from agent.prepare import checks, machine
from agent.prepare.devices import Devices
from agent.prepare.findings import Findings
from agent.prepare.kinds import Compiled, DestinationSettings, DeviceInput, Replays
from agent.prepare.layers import override
from agent.prepare.models import Gateway, Status
from agent.prepare.profiles import Shelf
from agent.prepare.quantities import Speed
from agent.prepare.registry import Kinds, installed
from agent.prepare.sections import Target, Wire, connections, destinations
from agent.prepare.source import BrokenFileError, Located, read
from agent.prepare.tidy import tidy
from agent.prepare.tree import compose
from agent.prepare.types import SecretRef

SHORTEST_ID: Final = 3
LONGEST_ID: Final = 50


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a file.

    Attributes:
        plan: None when the file cannot be used.
        problems: in the order of the file; a plan may come with warnings, and with errors of the
            machine (a secret that is not stored), which are no reason not to start.
        facts: what the plan costs, a sentence for each connection that can tell.
    """

    plan: Plan | None
    problems: tuple[Located, ...]
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """The parts of a file that were understood."""

    gateway: Gateway | None
    wires: Mapping[str, Wire]
    inputs: Mapping[str, list[DeviceInput]]
    targets: Mapping[str, Target]


def prepare(
    config: Path,
    *,
    offline: bool = False,
    learned: Path | None = None,
    kinds: Kinds | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Outcome:
    """Compile a configuration; opens no device and no network, and never raises for its content.

    Args:
        config: the file; profiles and secrets are looked up beside it.
        offline: leave out what only this machine knows.
        learned: what a daemon has learned of the devices.
        kinds: of connections and destinations; those installed.
        environment: where `FIELDPOST_…` overrides come from.
    """
    try:
        document = compose(read(config))
    except BrokenFileError as error:
        return Outcome(None, (error.located,))
    tidied = tidy(document)
    variables = plan.overrides(environment)
    layered = override(tidied.tree, variables)
    findings = Findings(document, tidied.places, layered.variables, tidied.empty)
    findings.add([*tidied.problems, *layered.problems])
    shelf = Shelf(config.parent)
    kinds = kinds or installed()
    found = _read(layered.tree, kinds, shelf, findings, recalled(learned))
    origin = plan.Origin(
        program=agent.__version__,
        files=_files(config, document.source.sha256, shelf),
        environment=plan.overrides_digest(environment),
        overrides=sorted(".".join(path) for path in layered.variables),
    )
    lines = _lines(found, findings)
    result = _planned(found, lines, origin, kinds, findings)
    if not offline:
        findings.add(machine.secrets(_secrets(found), config.parent))
        findings.add(machine.adapters(found.wires.values()))
    facts = tuple(fact for line in lines.values() for fact in line.facts)
    return Outcome(None if findings.refuses() else result, findings.sorted(), facts)


def _read(
    tree: Json, kinds: Kinds, shelf: Shelf, findings: Findings, learned: Mapping[str, Learned]
) -> Read:
    gateway = findings.validated(Gateway, tree, ())
    wires = connections(tree, kinds, findings)
    inputs = Devices(wires, kinds, shelf, findings, learned).read(tree)
    targets = destinations(tree, kinds, findings)
    findings.add(checks.ports(wires.values()))
    findings.add(checks.names(tree["devices"] if isinstance(tree.get("devices"), dict) else ()))
    findings.add(checks.status(gateway.status if gateway else _status(tree)))
    for section, entries in (("connections", wires), ("cloud", targets)):
        for name, entry in entries.items():
            findings.add(checks.pairs((section, name), entry.settings))
    return Read(gateway, wires, inputs, targets)


def _status(tree: Json) -> Status:
    """The status section, when another section is wrong."""
    try:
        return Status.model_validate(tree.get("status", {}))
    except ValidationError:
        return Status()


def _lines(found: Read, findings: Findings) -> Mapping[str, Compiled]:
    """Every connection whose settings are right, with its devices."""
    lines = {}
    for name, wire in found.wires.items():
        if wire.settings is not None:
            lines[name] = wire.kind.compile(name, wire.settings, found.inputs[name])
            findings.add(lines[name].problems)
    return lines


def _planned(
    found: Read,
    lines: Mapping[str, Compiled],
    origin: plan.Origin,
    kinds: Kinds,
    findings: Findings,
) -> Plan | None:
    wired = {}
    for name, line in lines.items():
        says = found.wires[name].says
        wired[name] = plan.Connection(
            name, says, kinds.opens[says], line.place, line.spec, line.secrets
        )
    devices = {name: device for line in lines.values() for name, device in line.devices.items()}
    if found.gateway is None:
        return None
    site = _site(found.gateway)
    order = [name for name in found.gateway.devices if name in devices]
    in_order = {name: devices[name] for name in order}
    return Plan(
        format=plan.FORMAT,
        origin=origin,
        site=site,
        devices=in_order,
        connections=wired,
        destinations=dict(_destinations(found, site, in_order, findings)),
        status=plan.Status(**dict(found.gateway.status)),
        health=_health(found.gateway),
    )


def _destinations(
    found: Read, site: plan.Site, devices: Mapping[str, plan.Device], findings: Findings
) -> Iterator[tuple[str, plan.Destination]]:
    wrong = {name: _wrong(name) for name in found.gateway.devices} if found.gateway else {}
    known = {**wrong, **devices}
    for name, target in found.targets.items():
        settings = target.settings
        if settings is None:
            continue
        spec, secrets, problems = target.kind.compile(name, settings, site, known)
        findings.add(problems)
        yield (
            name,
            plan.Destination(
                name,
                target.says,
                target.kind.opens,
                settings.every,
                settings.keep_offline,
                spec,
                secrets,
                settings.replay if isinstance(settings, Replays) else 0.0,
                _allowance(settings, site.timezone),
            ),
        )


def _allowance(settings: DestinationSettings, timezone: str) -> plan.Allowance:
    rate = settings.rate or Speed()
    return plan.Allowance(rate.readings, rate.bytes, settings.budget, timezone)


def _wrong(name: str) -> plan.Device:
    """In the place of a device whose settings are wrong: destinations may name it all the same."""
    return plan.Device(name, "", "", "", None, enabled=False, points={})


def _site(gateway: Gateway) -> plan.Site:
    site = gateway.site
    return plan.Site(
        name=site.name,
        id=site.id or _host_id(),
        timezone=site.timezone,
        buffer_bytes=site.buffer,
        may_lose_s=site.may_lose,
        when_full=site.when_full,
    )


def _health(gateway: Gateway) -> plan.Health:
    health = gateway.health
    return plan.Health(health.late_after, health.disk_free_min)


def _host_id() -> str:
    """The host's name as a gateway id."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname())[:LONGEST_ID]
    return name if len(name) >= SHORTEST_ID else f"gateway-{name}"


def _secrets(found: Read) -> Iterator[tuple[tuple[str, ...], SecretRef]]:
    """Every secret that the file names."""
    for inputs in found.inputs.values():
        for device in inputs:
            yield from machine.references(device.settings, ("devices", device.name))
    for name, wire in found.wires.items():
        yield from machine.references(wire.settings, ("connections", name))
    for name, target in found.targets.items():
        yield from machine.references(target.settings, ("cloud", name))
    if found.gateway:
        yield from machine.references(found.gateway.status, ("status",))


def _files(config: Path, sha256: str, shelf: Shelf) -> dict[str, str]:
    """SHA-256 by absolute path; empty for a file that was not there and would change the plan."""
    absent = {str(path.absolute()): "" for path in sorted(shelf.absent)}
    there = {str(path.absolute()): source.sha256 for path, source in shelf.sources.items()}
    return {str(config.absolute()): sha256, **absent, **there}
