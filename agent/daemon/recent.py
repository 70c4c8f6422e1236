"""The verb `history`: one device's newest samples or five-minute steps, as JSON (10.3)."""

from datetime import datetime

from agent.clock import iso
from agent.daemon.history import History, Past, Step
from agent.errors import ValidationError
from agent.plan import Json

LIMIT, LIMIT_MAX = 100, 1000
RAW, COARSE = "raw", "5min"
NS, MS = 1_000_000_000, 1_000_000  # time stamps are given out in whole milliseconds


def answer(history: History, device: str, args: Json) -> Json:
    """What is remembered of one device.

    Args:
        history: where from.
        device: a device of the plan.
        args: `since` (RFC 3339, exclusive), `limit` (1 to 1000), `resolution` (raw or 5min).

    Raises:
        ValidationError: an argument is not of that form.
    """
    since_ns, limit = _since(args.get("since")), _limit(args.get("limit", LIMIT))
    resolution = args.get("resolution") or RAW
    if resolution not in {RAW, COARSE}:
        message = f"'{resolution}' is not a resolution; there are raw and 5min."
        raise ValidationError(field="resolution", reason="unknown", message=message)
    if resolution == RAW:
        past = history.samples(device, since_ns, limit)
        rows, whole_ns = [_sample(row) for row in past.rows], past.complete_since_ns
    else:
        steps = history.steps(device, since_ns, limit)
        rows, whole_ns = [_step(row) for row in steps.rows], steps.complete_since_ns
    return {"samples": rows, "resolution": resolution, "complete_since": iso(whole_ns)}


def _since(text: object) -> int | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as error:
        message = f"'{text}' is not a time like 2026-11-23T14:46:50Z."
        raise ValidationError(field="since", reason="malformed", message=message) from error
    if at.tzinfo is None:
        message = f"'{text}' has no time zone; write it like 2026-11-23T14:46:50Z."
        raise ValidationError(field="since", reason="no time zone", message=message)
    # in whole numbers: a float of seconds would lose the milliseconds that were given out
    return int(at.replace(microsecond=0).timestamp()) * NS + at.microsecond * 1000 + MS - 1


def _limit(given: object) -> int:
    if isinstance(given, int) and 1 <= given <= LIMIT_MAX:
        return given
    message = f"limit goes from 1 to {LIMIT_MAX}."
    raise ValidationError(field="limit", reason="out of range", message=message)


def _sample(past: Past) -> Json:
    row: Json = {"timestamp": iso(past.wall_ns), "data": dict(past.values)}
    return row if past.trusted else row | {"time_trusted": False}


def _step(step: Step) -> Json:
    folds = {
        point: {"min": fold.low, "mean": fold.mean, "max": fold.high, "n": fold.n}
        for point, fold in step.values.items()
    }
    return {"timestamp": iso(step.wall_ns), "data": folds}
