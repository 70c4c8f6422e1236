"""Run fieldpost against simulated slaves and a sink, and measure it from outside (README.md).

    scripts/bench gateway --json                             10 devices x 100 points a second, MQTT
    scripts/bench gateway --devices 1 --points 10 --json     a small plant
    scripts/bench gateway --period 3600 --secs 60 --json     at rest
    scripts/bench gateway --restart --secs 5 --json          start with and without plan and store
    scripts/bench gateway --outage 120 --json                the cloud is away; --outage-kind silent
    scripts/bench gateway --periods 1,0.5,0.2,0.1 --json     the highest rate without loss
    scripts/bench gateway --syscalls --secs 30 --json        fsyncs (no other figure counts)
    scripts/bench gateway --via https --json                 memory with httpx and TLS
    scripts/bench gateway --rtu 19200 --points 9 --period 0.02 --json    a line filled to the brim

`--floor` runs the whole job in C before each round, `--prototype` in bare Python, for ratios.
"""

import argparse
import sys
from pathlib import Path

import kit
from scenarios import measure
from tables import Row, medians
from trial import Subject, Trial

KEPT_UP_PCT = 99.0
TEMPLATES = kit.BENCH / "templates"
FIELDPOST = [
    *("{PYTHON}", str(Path(sys.executable).with_name("fieldpost")), "run"),
    *("--config", "{CONFIG}", "--state", "{STATE}", "--socket", "{STATE}/socket"),
]
PLANT = ["{MODBUS_PORT}", "{UPLINK_PORT}", "{STATE}", "{DEVICES}", "{POINTS}", "{PERIOD}"]


def arguments() -> argparse.Namespace:
    """The command line."""
    layout = argparse.RawDescriptionHelpFormatter
    p = argparse.ArgumentParser(
        "scripts/bench gateway", description=__doc__, formatter_class=layout
    )
    add = p.add_argument
    add("--name", default="fieldpost", help="in the results")
    add("--devices", type=int, default=10)
    add("--points", type=int, default=100, help="readings per device and poll, mark included")
    add("--period", type=float, default=1.0, help="seconds between polls of a device")
    add("--via", choices=("mqtt", "https"), default="mqtt")
    add("--rtu", metavar="BAUD[,8N1|8E1[,TURNAROUND_US]]", help="one slave on a paced line")
    add("--warm", type=float, default=5, help="seconds before the figures begin")
    add("--secs", type=float, default=30)
    add("--settle", type=float, default=10, help="how long late readings are waited for")
    add("--restart", action="store_true", help="measure the second start")
    add("--rounds", type=int, default=1)
    add("--floor", action="store_true", help="run the C floor before each round")
    add("--prototype", action="store_true", help="run the bare Python job before each round")
    add("--json", action="store_true", help="one object a line on standard output")
    _rare(p)
    wanted = p.parse_args()
    if wanted.rtu:
        wanted.devices = 1
    return wanted


def _rare(p: argparse.ArgumentParser) -> None:
    add = p.add_argument
    add("--outage", type=float, default=0, metavar="SECONDS")
    add("--outage-kind", choices=("refused", "silent"), default="refused")
    add("--drain-timeout", type=float, default=300)
    add("--periods", help="seconds, slowest first: search for the highest rate without loss")
    add("--syscalls", action="store_true", help="count syscalls with strace")
    add("--keep", action="store_true", help="keep the work folder")


def subjects(wanted: argparse.Namespace) -> list[Subject]:
    """Who runs in each round, in order; those to compare with first."""
    template = "rtu-mqtt.yaml" if wanted.rtu else f"modbus-{wanted.via}.yaml"
    found = [Subject(wanted.name, FIELDPOST, TEMPLATES / template)]
    comparable = wanted.via == "mqtt" and not wanted.rtu
    if wanted.prototype and comparable:
        found.insert(0, Subject("prototype", ["{PYTHON}", "{BENCH}/prototype.py", *PLANT]))
    if wanted.floor and comparable:
        found.insert(0, Subject("c-floor", [kit.built("gateway_floor"), *PLANT]))
    return found


def kept_up(row: Row) -> bool:
    """Whether it polled as asked and lost nothing."""
    return not row["lost_readings"] and (row["polls_asked_pct"] or 100) >= KEPT_UP_PCT


def main() -> int:
    """Rounds of everybody, then medians."""
    wanted = arguments()
    periods = [float(p) for p in wanted.periods.split(",")] if wanted.periods else [wanted.period]
    rows: list[Row] = []
    for _ in range(wanted.rounds):
        for subject in subjects(wanted):
            for period in periods:
                trial = Trial(wanted, subject, period)
                measure(trial)
                rows.append(trial.result)
                if len(periods) > 1 and not kept_up(trial.result):
                    break
    if len(periods) > 1:
        best = max((r["readings_s"] for r in rows if kept_up(r)), default=0)
        kit.say(f"highest rate without loss: {best:.0f} readings/s")
    kit.say("medians\n" + medians(rows, ["name", "period_s"], against="c-floor"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
