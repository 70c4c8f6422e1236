"""A plan on disk is the plan that was compiled."""

import json
from dataclasses import dataclass

import pytest

from agent import plan


@dataclass(frozen=True)
class Nested:
    pairs: tuple[tuple[int, str], ...]
    maybe: plan.Point | None
    free: plan.Json


WHOLE = plan.Plan(
    plan.FORMAT,
    plan.Origin("0.1.0", {"/etc/x": "ab"}, overrides=("site.buffer",)),
    plan.Site("Bakery", "ES-0231", "UTC", 2_000_000_000, 1.0),
    {"meter": plan.Device("meter", "p", "plc", "1", 1.0, True, {"power": plan.Point("W")})},  # noqa: FBT003 - enabled
    {"plc": plan.Connection("plc", "modbus-tcp", "m:f", "h:502", {"deep": {"list": [1]}}, ("k",))},
    {"p": plan.Destination("p", "mqtt", "m:f", 10.0, None, {})},
)


@pytest.mark.parametrize(
    "thing",
    [
        WHOLE,
        Nested(((1, "a"), (2, "b")), plan.Point("V", low=0.0), {"any": [None, {"x": 1}]}),
        Nested((), None, {}),
    ],
)
def test_what_is_read_back_is_what_was_written(thing: object) -> None:
    text = json.dumps(plan.to_json(thing))
    assert plan.from_json(type(thing), json.loads(text)) == thing


@pytest.mark.parametrize("broken", [{}, {"name": "x", "sort": 1}, [], None, "text"])
def test_what_is_no_plan_is_refused_by_one_kind_of_error(broken: object) -> None:
    with pytest.raises(ValueError, match="not a Site"):
        plan.from_json(plan.Site, broken)


def test_an_override_in_the_environment_changes_the_digest_and_a_reserved_name_does_not() -> None:
    before = plan.overrides_digest({})
    assert plan.overrides_digest({"FIELDPOST_SOCKET": "/x", "PATH": "/bin"}) == before
    assert plan.overrides_digest({"FIELDPOST_SITE__BUFFER": "1GB"}) != before
