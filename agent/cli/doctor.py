"""`fieldpost doctor`: what is well, what is not, and what to do about it."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from agent.cli import words
from agent.cli.failure import FOUND
from agent.cli.session import Session
from agent.cli.table import COLORS, WIDTH
from agent.cli.verb import verb
from agent.errors import UnavailableError
from agent.plan import Json

# by the letter of a finding's code, in the order of dependence
AREAS: Mapping[str, str] = {
    "C": "Configuration", "S": "Wires", "B": "Bluetooth", "D": "Devices",
    "N": "Network", "U": "Cloud", "H": "Gateway",
}  # fmt: skip
MARKS: Mapping[str, str] = {"pass": "[ok]", "note": "[note]", "warn": "[warn]", "fail": "[FAIL]"}
DEAREST = 3  # devices that are told with what they cost their line
AREA_WIDTH, MARK_WIDTH = 15, 8
WELL = frozenset({"ok", "starting", "off"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        area: a letter of AREAS.
        severity: `pass`, `note`, `warn` or `fail`.
    """

    area: str
    severity: str
    text: str
    action: str | None = None
    code: str | None = None


@verb("doctor", example="fieldpost doctor\nfieldpost doctor cloud -v")
@click.argument("area", type=click.Choice([a.lower() for a in AREAS.values()]), required=False)
def doctor(session: Session, *, area: str | None) -> int:
    """Every check in order, and what to do about each finding."""
    found = [f for f in _findings(session) if area in (None, AREAS[f.area].lower())]
    failures = sum(f.severity == "fail" for f in found)
    if session.json:
        findings = [_document(finding) for finding in found]
        session.document("doctor", {"failures": failures, "findings": findings})
    else:
        for line in _report(found, codes=session.verbose):
            session.write(line)
        session.write(_verdict(found))
    return FOUND if failures else 0


def _findings(session: Session) -> Sequence[Finding]:
    try:
        snapshot = session.client.call("snapshot")
    except UnavailableError as error:
        return [Finding("H", "fail", error.message, error.action)]
    found = [*_well(snapshot), *_problems(snapshot["status"])]
    return sorted(found, key=lambda finding: list(AREAS).index(finding.area))


def _problems(status: Json) -> Iterator[Finding]:
    for problem in status["health"]["problems"]:
        code = problem["code"]
        area = code.removeprefix("FP-")[:1]
        yield Finding(
            area if area in AREAS else "H",
            problem["severity"],
            problem["message"],
            problem["action"],
            code,
        )


def _well(snapshot: Json) -> Iterator[Finding]:
    status = snapshot["status"]
    yield _configuration(status)
    for name, found in status["connections"].items():
        if found["state"] == "ok":
            area = "B" if found["kind"] == "bluetooth" else "S"
            text = f"{name}: {found['kind']} at {found['place']}{_busy(found)}"
            yield Finding(area, "pass", text)
            yield from _refusals(found)
    devices = snapshot["devices"].values()
    well = [device["id"] for device in devices if device["state"] == "ok"]
    if well:
        yield Finding("D", "pass", f"{len(well)} of {len(devices)} say what they should")
    for name, found in status["destinations"].items():
        if found["state"] in WELL:
            yield Finding("U", "pass", f"{name}: {_delivery(found)}")
    yield from _machine(status["machine"])


def _busy(connection: Json) -> str:
    busy = connection.get("busy_ratio")
    if busy is None:
        return ""
    costs = sorted(connection.get("by_device", {}).items(), key=lambda item: -item[1]["busy_ratio"])
    dearest = ", ".join(_cost(name, cost) for name, cost in costs[:DEAREST])
    return f", busy {busy * 100:.0f} %" + (f": {dearest}" if dearest else "")


def _cost(device: str, cost: Json) -> str:
    latency_ms = cost["latency_ms"]
    after = "" if latency_ms is None else f" (answers after {latency_ms:.0f} ms)"
    return f"{device} {cost['busy_ratio'] * 100:.0f} %{after}"


def _refusals(connection: Json) -> Iterator[Finding]:
    for device, cost in connection.get("by_device", {}).items():
        if cost["refused"]:
            ranges = ", ".join(cost["refused"])
            text = f"{device} refuses {ranges} in one request; it is asked in parts"
            yield Finding("D", "note", text, "fieldpost check  plans it so for good")


def _configuration(status: Json) -> Finding:
    configuration, total = status["configuration"], status["devices"]["total"]
    applied = configuration["applied_at"]
    when = f", applied {words.moment(applied)}" if applied else ""
    version, count = configuration["version"], words.amount(total, "device")
    return Finding("C", "pass", f"version {version}, {count}{when}")


def _delivery(found: Json) -> str:
    ago, waiting = found["last_ack_age_s"], found["waiting_readings"]
    said = "nothing acknowledged yet" if ago is None else f"acknowledged {words.age(ago)} ago"
    return f"{said}, {words.amount(waiting, 'reading')} waiting"


def _machine(machine: Json) -> Iterator[Finding]:
    parts = {name: part for name, part in machine.items() if name != "load_1min"}
    well = [n for n, part in parts.items() if part is not None and part["status"] == "pass"]
    absent = [name for name, part in parts.items() if part is None]
    if well:
        yield Finding("H", "pass", ", ".join(well))
    if absent:
        yield Finding("H", "note", f"{words.NOT_MEASURED} on this board: {', '.join(absent)}")


def _report(found: Sequence[Finding], *, codes: bool) -> Iterator[str]:
    before = ""
    for finding in found:
        area = AREAS[finding.area]
        mark = MARKS[finding.severity]
        shown = click.style(mark, fg=COLORS.get(finding.severity)) + " " * (MARK_WIDTH - len(mark))
        first, *rest = _wrapped(finding, codes=codes)
        yield f"{'' if area == before else area:<{AREA_WIDTH}}{shown}{first}"
        yield from (" " * (AREA_WIDTH + MARK_WIDTH) + line for line in rest)
        before = area


def _wrapped(finding: Finding, *, codes: bool) -> list[str]:
    code = f"{finding.code} " if codes and finding.code else ""
    text = f"{code}{finding.text}"
    if finding.action:
        text = f"{text}{'' if text.endswith(('.', ')', '?')) else '.'} {finding.action}"
    return textwrap.wrap(text, WIDTH - AREA_WIDTH - MARK_WIDTH, break_on_hyphens=False)


def _verdict(found: Sequence[Finding]) -> str:
    failures = sum(f.severity == "fail" for f in found)
    warnings = sum(f.severity == "warn" for f in found)
    checks = words.amount(len(found), "check")
    if failures or warnings:
        counted = f"{words.amount(failures, 'failure')}, {words.amount(warnings, 'warning')}"
        return f"{counted}, {checks}."
    return f"{checks}. Everything works."


def _document(finding: Finding) -> Json:
    return {
        "area": AREAS[finding.area].lower(),
        "severity": finding.severity,
        "code": finding.code,
        "message": finding.text,
        "action": finding.action,
    }
