"""What the demo shows in the terminal: the daemon's own snapshot, as text of 80 columns."""

import os
import sys
from dataclasses import asdict
from typing import TextIO

import orjson

from agent.demo.account import Summary
from agent.plan import Json

WIDTH = 80
VALUES = 3  # as many as fit beside name, state and age
WRITTEN = {
    "Cel": ("C", 1.0),
    "W.h": ("kWh", 0.001),
    "W": ("kW", 0.001),
}  # units as people read them
HOME_AND_CLEAR = "\x1b[H\x1b[J"
QUIET_EVERY_S = 5.0  # without a terminal, one line so often


class Screen:
    """Redraws on a terminal, adds a line now and then elsewhere.

    Args:
        out: standard output, or standard error when that is kept for JSON.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._notes: list[str] = []
        self._next_s = 0.0

    def note(self, text: str) -> None:
        """Something happened; stays visible on a terminal that is redrawn."""
        self._notes.append(text)
        self._write(f"{text}\n")

    def show(self, elapsed_s: float, address: str, snapshot: Json | None) -> None:
        """The present state."""
        if self._live:
            body = full(snapshot) if snapshot else "the daemon does not answer\n"
            head = f"fieldpost demo   {elapsed_s:.0f} s   Ctrl-C ends it\npage      {address}\n"
            notes = "".join(f"{note}\n" for note in self._notes[-6:])
            self._write(HOME_AND_CLEAR + head + body + "\n" + notes)
        elif elapsed_s >= self._next_s:
            if not self._next_s:
                self._write(f"Status page: {address}\n")
            self._next_s = elapsed_s + QUIET_EVERY_S
            said = one_line(snapshot) if snapshot else "the daemon does not answer"
            self._write(f"{elapsed_s:4.0f} s  {said}\n")

    def end(self, summary: Summary) -> None:
        """The reckoning, for people."""
        self._write(reckoning(summary))

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def as_json(summary: Summary) -> str:
    """The reckoning, for machines: one object on one line."""
    shown = asdict(summary)
    shown["devices"] = {
        name: {**asdict(count), "missing": count.missing} for name, count in summary.devices.items()
    }
    return orjson.dumps({"schema": "fieldpost.demo/1", **shown}).decode()


def full(snapshot: Json) -> str:
    """One screen: gateway, cloud, buffer, devices."""
    status = snapshot["status"]
    gateway, store = status["gateway"], status["store"]
    clouds = "   ".join(
        f"{name} {d['state']}  {d['waiting_readings']} readings waiting"
        for name, d in status["destinations"].items()
    )
    lines = [
        f"{gateway['name']} ({gateway['id']})   fieldpost {gateway['version']}",
        f"cloud     {clouds}",
        f"buffer    {_buffer(store)}",
        "",
        f"{'DEVICE':<13}{'STATE':<10}{'LAST':<8}VALUES",
    ]
    lines += [_device(name, device) for name, device in snapshot["devices"].items()]
    return "".join(f"{line[:WIDTH].rstrip()}\n" for line in lines)


def one_line(snapshot: Json) -> str:
    """The same in one line."""
    status = snapshot["status"]
    counts: dict[str, int] = status["devices"]
    states = ", ".join(f"{n} {word}" for word, n in counts.items() if n and word != "total")
    clouds = ", ".join(f"{name} {d['state']}" for name, d in status["destinations"].items())
    waiting = sum(d["waiting_readings"] for d in status["destinations"].values())
    accepted = status["store"]["accepted_readings_total"]
    return f"devices {states}; {accepted} readings accepted, {waiting} waiting; {clouds}"


def reckoning(summary: Summary) -> str:
    """Three witnesses, one table."""
    lines = ["", f"{'DEVICE':<13}{'SAMPLES SAID':>14}{'IN THE CLOUD':>14}{'CUT BY A KILL':>15}"]
    for name, count in summary.devices.items():
        lines.append(f"{name:<13}{count.produced:>14}{count.held:>14}{count.cut or '':>15}")
    rate = f"{summary.readings_per_s:g} a second"
    lines += [
        "",
        f"{summary.accepted} readings accepted in {summary.seconds:g} s,",
        f"{summary.delivered} delivered ({rate}), {summary.duplicates} of them more than once,",
        f"{summary.counted_lost} at most entered as lost, {summary.missing} missing.",
    ]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def streams(*, as_json: bool) -> TextIO:
    """Where the screen goes."""
    return sys.stderr if as_json else sys.stdout


def _buffer(store: Json) -> str:
    used, quota = store["used_bytes"] / 1e6, store["quota_bytes"] / 1e6
    accepted, lost = store["accepted_readings_total"], store["lost_readings_total"]
    return f"{used:.1f} of {quota:.0f} MB   {accepted} readings accepted   {lost} lost"


def _device(name: str, device: Json) -> str:
    values = device.get("telemetry_summary", {}).get("last_value", {})
    points = device.get("points", {})
    shown = [_value(values[p], points[p].get("unit")) for p in points if p in values][:VALUES]
    age = device.get("age_s")
    last = f"{age:.0f} s" if age is not None else "-"
    text = "   ".join(shown) if device["state"] == "ok" else device.get("message") or ""
    return f"{name:<13}{device['state']:<10}{last:<8}{text}"


def _value(value: float | str | bool, unit: str | None) -> str:  # noqa: FBT001 - a reading may be one
    if isinstance(value, bool | str):
        return str(value)
    name, factor = WRITTEN.get(unit or "", (unit or "", 1.0))
    return (
        f"{value * factor:.{0 if isinstance(value, int) and factor == 1 else 1}f} {name}".rstrip()
    )
