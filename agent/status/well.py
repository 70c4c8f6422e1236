"""Is it well: health+json for monitoring systems, and the one word of the probes."""

from agent.plan import Json

STORE_CODES = frozenset({"FP-H06", "FP-H08"})  # the card or the store does not take anything
WELL = frozenset({"ok", "starting", "off"})
MACHINE = (
    ("temperature", "temperature", "celsius", "C"),
    ("memoryAvailable", "memory", "available_bytes", "B"),
    ("cardFree", "card", "free_bytes", "B"),
)


def health(snapshot: Json) -> Json:
    """The document of draft-inadarei-api-health-check-06, sections 3 and 4."""
    status, time = snapshot["status"], snapshot["status"]["gateway"]["time"]
    gateway, judged = status["gateway"], status["health"]
    # the score informs and judges nothing
    checks = {"gateway:score": _of_system(judged["score"], "ratio") | {"status": "pass"}}
    for name, device in snapshot["devices"].items():
        found = _of(name, "component", device["age_s"], device["message"])
        checks[f"{name}:lastReadAge"] = found | {"status": _word(device["state"])}
    for name, cloud in status["destinations"].items():
        found = _of(name, "datastore", cloud["last_ack_age_s"], cloud["message"])
        checks[f"{name}:lastAckAge"] = found | {"status": _word(cloud["state"])}
    checks |= _machine(status["machine"])
    troubles = "; ".join(problem["message"].rstrip(".") for problem in judged["problems"])
    return {
        "status": judged["status"],
        "version": "1",
        "releaseId": gateway["version"],
        "serviceId": gateway["id"],
        "description": gateway["name"],
        **_output(troubles),
        "checks": {name: [check | {"time": time}] for name, check in checks.items()},
    }


def probe(snapshot: Json) -> dict[str, bool]:
    """What `/livez` looks at: the loop turned, or there were no snapshot; the store takes data."""
    problems = snapshot["status"]["health"]["problems"]
    stored = not any(p["code"] in STORE_CODES and p["severity"] == "fail" for p in problems)
    return {"loop": True, "store": stored}


def _observed(value: float | None, unit: str) -> Json:
    return {} if value is None else {"observedValue": value, "observedUnit": unit}


def _of(name: str, kind: str, age_s: float | None, message: str | None) -> Json:
    """What stands in the check of one device or destination, but its word and time."""
    component = {"componentId": name, "componentType": kind}
    return {**component, **_observed(age_s, "s"), **_output(message)}


def _of_system(value: float | None, unit: str) -> Json:
    return {"componentType": "system", **_observed(value, unit)}


def _output(text: str | None) -> Json:
    return {"output": text} if text else {}


def _word(state: str) -> str:
    return "pass" if state in WELL else "warn"


def _machine(machine: Json) -> Json:
    """The parts of the machine that were measured."""
    return {
        f"machine:{name}": _of_system(machine[part][key], unit)
        | {"status": machine[part]["status"]}
        for name, part, key, unit in MACHINE
        if machine.get(part)
    }
