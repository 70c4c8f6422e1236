"""The JSON of status-page-and-api 10.1 and 10.2, from a report; the only place that knows it."""

from collections import Counter

from agent import __version__
from agent.clock import iso
from agent.daemon.health import score, spending, wire
from agent.daemon.health.facts import Machine, Surroundings
from agent.daemon.health.journal import Event
from agent.daemon.health.report import (
    ConnectionReport,
    DestinationReport,
    DeviceReport,
    Problem,
    Report,
)
from agent.daemon.health.score import Part
from agent.daemon.health.words import Component, DestinationState, DeviceState, Status, worst
from agent.driver import Figures
from agent.plan import Json, to_json

_COUNTED = (
    DeviceState.OK, DeviceState.LATE, DeviceState.LOST, DeviceState.NEVER, DeviceState.BAD_DATA,
    DeviceState.STARTING, DeviceState.OFF,
)  # fmt: skip
_WELL = (DestinationState.OK, DestinationState.STARTING)
_NOTABLE = {  # which check judges which part of `machine`
    "power": ("power",),
    "temperature": ("temperature",),
    "throttling": ("throttling",),
    "memory": ("memory",),
    "card": ("card_space", "card_writable", "card_wear"),
    "clock": ("clock",),
}


def snapshot(report: Report) -> Json:
    """What the verb `snapshot` answers."""
    return {
        "status": status(report),
        "devices": {name: device(report, found) for name, found in report.devices.items()},
    }


def status(report: Report) -> Json:
    """`data` of 10.1."""
    words = Counter(found.state for found in report.devices.values())
    return {
        "gateway": _gateway(report),
        "health": {
            "status": report.status,
            "score": score.cut(report.score),
            "components": {str(n): _part(part, n) for n, part in report.parts.items()},
            "problems": [_problem(report, problem) for problem in report.problems],
        },
        "devices": {"total": len(report.devices)} | {str(w): words[w] for w in _COUNTED},
        "connections": {
            name: _connection(found, report.around.figures.get(name))
            for name, found in report.connections.items()
        },
        "destinations": {
            name: _destination(report, found) for name, found in report.destinations.items()
        },
        "store": _store(report),
        "machine": _machine(report),
        "configuration": _configuration(report.around),
    }


def device(report: Report, found: DeviceReport) -> Json:
    """`data` of 10.2."""
    name, off = found.device.name, found.state is DeviceState.OFF
    attempts, failed, damaged = found.counts
    figures = report.around.figures.get(found.device.connection)
    return {
        "id": name,
        "name": name,
        "type": "sensor",
        "status": "inactive" if off else "active",
        "state": found.state,
        "last_seen": _wall(report, found.last_s),
        "age_s": _round(found.age_s, 1),
        "interval_s": _round(found.interval_s, 1),
        "profile": found.device.profile,
        "connection": found.device.connection,
        "address": found.device.address,
        "message": found.message,
        "action": found.action,
        "health": {
            "score": score.cut(found.score),
            "components": {
                str(component): {
                    "value": score.cut(part.value),
                    "reason": part.reason,
                    "action": part.action,
                }
                for component, part in found.parts.items()
            },
        },
        "points": {
            point: {
                "unit": spec.unit,
                "interval_s": spec.every_s or found.device.every_s,
                "writable": spec.writable,
            }
            for point, spec in found.device.points.items()
        },
        "telemetry_summary": {
            "last_value": dict(found.values),
            "message_count": found.message_count,
        },
        "counters": {
            "attempts_1h": attempts,
            "failed_1h": failed,
            "damaged_1h": damaged,
            "answer_ms_median": wire.answer_ms(figures, name),
            "errors_total": {str(reason): n for reason, n in found.failures_total.items()},
        },
    }


def event(said: Event) -> Json:
    """One event, as `/api/v1/events` and `fieldpost log` show it."""
    return {
        "time": iso(said.wall_ns),
        "severity": said.severity,
        "event": said.event_type,
        "subject": said.subject,
        "message": said.message,
        "action": said.action,
        "code": said.code,
        "repeated": said.repeated,
    }


def line(report: Report) -> str:
    """The one line of `systemctl status`."""
    words = Counter(found.state for found in report.devices.values())
    counts = ", ".join(f"{words[word]} {word}" for word in _COUNTED if words[word])
    troubled = [n for n, found in report.destinations.items() if found.state not in _WELL]
    cloud = ", ".join(f"{n} {report.destinations[n].state}" for n in troubled) or "ok"
    waiting = max((found.queue.readings for found in report.destinations.values()), default=0)
    configuration = report.around.configuration
    refused = ", the file is not valid" if configuration.rejected else ""
    devices = f"{len(report.devices)} device{'' if len(report.devices) == 1 else 's'}"
    return (
        f"{devices}: {counts or 'none'}; cloud {cloud}; {waiting} readings waiting; "
        f"configuration {configuration.version}{refused}"
    )


def _gateway(report: Report) -> Json:
    machine = report.around.machine
    return {
        "id": report.plan.site.id,
        "name": report.plan.site.name,
        "timezone": report.plan.site.timezone,
        "version": __version__,
        "model": machine.model,
        "time": iso(report.wall_ns),
        "started_at": _wall(report, report.started_s),
        "uptime_s": int(report.now_s - report.started_s),
        "boot_uptime_s": machine.boot_uptime_s,
    }


def _part(part: Part, component: Component) -> Json:
    return {
        "value": score.cut(part.value),
        "weight": score.WEIGHTS[component],
        "reason": part.reason,
        "device": part.device,
        "action": part.action,
    }


def _problem(report: Report, problem: Problem) -> Json:
    return {
        "code": problem.code,
        "severity": problem.severity,
        "subject": problem.subject,
        "since": _wall(report, problem.since_s),
        "message": problem.message,
        "action": problem.action,
    }


def _connection(found: ConnectionReport, figures: Figures | None) -> Json:
    return {
        "kind": found.connection.kind,
        "place": found.connection.place,
        "state": found.state,
        "message": found.message,
        "action": found.action,
    } | wire.measured(figures)


def _destination(report: Report, found: DestinationReport) -> Json:
    way = found.queue.way
    return {
        "kind": found.destination.kind,
        "state": found.state,
        "message": found.message,
        "action": found.action,
        "last_ack_at": _wall(report, found.last_ack_s),
        "last_ack_age_s": _round(
            None if found.last_ack_s is None else report.now_s - found.last_ack_s, 1
        ),
        "waiting_readings": found.queue.readings,
        "oldest_at": _iso(found.queue.oldest_ns),
        "drain_s": None if found.drain_s is None else round(found.drain_s),
        "next_try_s": None if found.next_try_s is None else round(found.next_try_s),
        "rate_per_s": _round(found.rate_per_s, 3),
        "rejected_1h": found.rejected_1h,
        "delivered_total": found.queue.delivered_total,
        "rejected_total": found.queue.rejected_total,
        "lost_total": found.queue.lost_total,
        "given_up_total": max(found.queue.lost_total, found.queue.given_up_total),
        "stored_partly_total": found.partly_total,
        "requests_total": dict(found.requests_total),
        "certificate_expires_at": _iso(way.ends.own),
        "server_certificate_expires_at": _iso(way.ends.server),
        "budget": spending.as_json(way.spending),
        "shut_out": {account: why.message for account, why in way.shut_out.items()},
    }


def _store(report: Report) -> Json:
    store = report.around.store
    return {
        "epoch": store.epoch,
        "quota_bytes": store.quota_bytes,
        "used_bytes": store.used_bytes,
        "room_s": None if report.room_s is None else round(report.room_s),
        "may_lose_s": report.plan.site.may_lose_s,
        "accepted_readings_total": store.accepted_readings_total,
        "lost_readings_total": store.lost_readings_total,
        "agent_written_bytes": store.written_bytes,
        "starts_total": store.starts_total,
    }


def _machine(report: Report) -> Json:
    """Each part with its status; a part that this board does not offer is null."""
    machine = report.around.machine
    verdicts = {check.name: check.status for check in report.checks}
    result: Json = {}
    for part, facts in _machine_facts(machine).items():
        judged = worst(verdicts.get(name, Status.PASS) for name in _NOTABLE[part])
        result[part] = None if facts is None else {"status": judged} | facts
    return result | {"load_1min": machine.load_1min}


def _machine_facts(machine: Machine) -> dict[str, Json | None]:
    throttling, celsius = machine.throttling, machine.celsius
    return {
        "power": to_json(machine.power) if machine.power else None,
        "temperature": None if celsius is None else {"celsius": celsius},
        "throttling": None
        if throttling is None
        else {"now": list(throttling.now), "since_start": list(throttling.since_start)},
        "memory": to_json(machine.memory) if machine.memory else None,
        "card": to_json(machine.card),
        "clock": to_json(machine.clock) | {"offset_s": None},
    }


def _configuration(around: Surroundings) -> Json:
    configuration = around.configuration
    applied_ns, trial = configuration.applied_at_ns, configuration.trial
    return {
        "version": configuration.version,
        "applied_at": iso(applied_ns) if applied_ns else None,
        "applied_by": configuration.applied_by,
        "edited_not_applied": configuration.edited_not_applied,
        "rejected": configuration.rejected,
        "trial": {"version": trial.version, "left_s": round(trial.left_s)} if trial else None,
    }


def _wall(report: Report, at_s: float | None) -> str | None:
    """A moment of the boot clock as wall time, by the clock's present relation to it."""
    if at_s is None:
        return None
    return iso(report.wall_ns - int((report.now_s - at_s) * 1e9))


def _iso(wall_ns: int | None) -> str | None:
    return None if wall_ns is None else iso(wall_ns)


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
