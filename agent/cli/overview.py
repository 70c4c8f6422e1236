"""The screen of `fieldpost status`, made of the daemon's snapshot."""

import os
from collections.abc import Iterator, Mapping

import click

from agent.cli import words
from agent.cli.table import Column, table, word, wrapped
from agent.cli.values import key_values
from agent.plan import Json

WORDS: Mapping[str, str] = {"pass": "OK", "warn": "ATTENTION", "fail": "PROBLEM"}
WELL = frozenset({"ok", "starting", "off"})  # states that need nobody
MIB = 1 << 20
FOR_EVER_YEARS = 50  # beyond, other parts of a card fail first

COLUMNS = (
    Column("DEVICE", least=10, most=20),
    Column("STATE", least=5, state=True),
    Column("LAST", least=5),
    Column("KEY VALUES", gives_way=True),
    Column("LAST 30 MIN"),
)


def overview(snapshot: Json, courses: Mapping[str, str]) -> str:
    """Everything on one screen.

    Args:
        snapshot: the answer of the verb `snapshot`.
        courses: half an hour of each device, drawn; empty where they cannot be shown.
    """
    status, devices = snapshot["status"], snapshot["devices"]
    lines = [_headline(status), *_cloud(status["destinations"]), *_gateway(status["machine"])]
    lines += _wear(status["machine"].get("card"))
    if devices:
        rows = [_row(device, courses) for device in devices.values()]
        columns = COLUMNS if courses else COLUMNS[:-1]
        lines += ["", table(columns, rows)]
    else:
        lines += ["", "No devices yet: write them into the configuration, then fieldpost check"]
    return "\n".join([*lines, *_notes(status)])


def _headline(status: Json) -> str:
    gateway = status["gateway"]
    verdict = WORDS[status["health"]["status"]]
    return (
        f"{gateway['name']} ({gateway['id']})   fieldpost {gateway['version']}   "
        f"up {words.age(gateway['uptime_s'])}   {click.style(word(verdict), bold=True)}"
    )


def _cloud(destinations: Json) -> Iterator[str]:
    if not destinations:
        yield "cloud     no destinations: readings are not sent anywhere"
        return
    items = [_destination(name, found) for name, found in destinations.items()]
    waiting = max(found["waiting_readings"] for found in destinations.values())
    yield from wrapped("cloud", [*items, f"{words.amount(waiting, 'reading')} waiting"])


def _destination(name: str, found: Json) -> str:
    state = found["state"]
    text = f"{name} {word(state)}"
    if found.get("last_ack_age_s") is not None:
        text += f" {words.age(found['last_ack_age_s'])}"
    if state not in WELL and found.get("next_try_s") is not None:
        text += f", next try in {words.age(found['next_try_s'])}"
    return text


def _gateway(machine: Json) -> Iterator[str]:
    load, cores = machine.get("load_1min"), os.cpu_count() or 1
    items = [
        f"CPU {words.NOT_MEASURED}"
        if load is None
        else f"CPU {words.share(min(1.0, load / cores))}",
        _temperature(machine.get("temperature")),
        _memory(machine.get("memory")),
        _card(machine.get("card")),
        *_states(machine),
    ]
    yield from wrapped("gateway", [item for item in items if item])


def _temperature(temperature: Json | None) -> str:
    return f"{temperature['celsius']:.0f} C" if temperature else ""


def _memory(memory: Json | None) -> str:
    if not memory:
        return ""
    used = (memory["total_bytes"] - memory["available_bytes"]) / MIB
    return f"memory {used:.0f} of {memory['total_bytes'] / MIB:.0f} MB"


def _card(card: Json | None) -> str:
    if not card:
        return ""
    if card["read_only"]:
        return f"card {word('fail')}: read-only"
    return f"card {words.share(card['free_bytes'] / card['total_bytes'])} free"


def _wear(card: Json | None) -> Iterator[str]:
    """What is written in a day and how long the card takes it; nothing until it was measured."""
    written, ours, years, endurance = (
        (card or {}).get(name)
        for name in ("written_bytes_day", "agent_written_bytes_day", "projected_life_years",
                     "assumed_endurance_bytes")
    )  # fmt: skip
    if not written and not ours:
        return
    items = [f"{words.size(written)} written a day"] if written else []
    items += [f"{words.size(ours)} a day by fieldpost"] if ours else []
    if years and endurance:
        items.append(f"lasts {_years(years)} if made for {words.size(endurance)}")
    yield from wrapped("wear", items)


def _years(years: float) -> str:
    if years >= FOR_EVER_YEARS:
        return f"over {FOR_EVER_YEARS} years"
    return words.amount(round(years), "year") if years >= 1 else "less than a year"


def _states(machine: Json) -> Iterator[str]:
    """Clock and power: in one word while both are well."""
    clock, power = machine.get("clock"), machine.get("power")
    well = [name for name, part in (("clock", clock), ("power", power)) if _passes(part)]
    if well:
        yield f"{', '.join(well)} {word('ok')}"
    if clock and not _passes(clock):
        yield "clock not set" if not clock["synchronized"] else "clock jumped"
    if power and not _passes(power):
        yield "power too low" if power["low_now"] else "power was too low"


def _passes(part: Json | None) -> bool:
    return part is not None and part["status"] == "pass"


def _row(device: Json, courses: Mapping[str, str]) -> list[str]:
    state, message = device["state"], device["message"]
    said = words.sentence(message, device["id"]) if message else ""
    values = key_values(device)
    shown = values if state == "ok" else said or values
    row = [device["id"], state, words.age(device["age_s"]), shown or _nothing(state)]
    return [*row, courses.get(device["id"], "")] if courses else row


def _nothing(state: str) -> str:
    return "switched off in the file" if state == "off" else "no value yet"


def _notes(status: Json) -> Iterator[str]:
    configuration, devices = status["configuration"], status["devices"]
    if configuration["rejected"]:
        yield "The configuration file is not valid; the last good one runs:  fieldpost check"
    elif configuration["edited_not_applied"]:
        yield "The configuration file was edited; to apply it:  sudo systemctl restart fieldpost"
    troubled = devices["total"] - sum(devices[state] for state in WELL)
    problems = len(status["health"]["problems"])
    if troubled:
        need = "needs" if troubled == 1 else "need"
        yield f"{words.amount(troubled, 'device')} {need} you:  fieldpost doctor"
    elif problems:
        yield f"{words.amount(problems, 'thing')} to look at:  fieldpost doctor"
