"""What is said: one sentence per change of state, repetitions counted, an end told too."""

from agent.cloud import Ends, Misconfigured, Unauthorized, Unreachable
from agent.daemon.health import Configuration, Power, Queue, Store, Surroundings, Way
from agent.daemon.health.journal import KEPT, Event, Journal, fields
from agent.daemon.health.words import Status
from agent.daemon.uplink.budget import Spending
from agent.driver import ConnectionState, DeviceFault, Reason
from tests.daemon.health.bakery import CARD, MACHINE, Bakery, ObedientClock, device


def test_one_silent_meter_is_said_once_and_its_return_too() -> None:
    bakery = Bakery(device("oven-meter"), device("main-meter"))
    bakery.runs(100, "oven-meter", "main-meter")
    for _ in range(36):
        bakery.fails("oven-meter")
        bakery.runs(10, "main-meter")
    bakery.runs(20, "oven-meter", "main-meter")

    assert bakery.said == [
        "oven-meter: no answer at address 2 on rs485 (3 tries, 0.3 s each).",
        "oven-meter: no answer at address 2 on rs485 (3 tries, 0.3 s each).",
        "oven-meter: answers again after 5 min.",
    ]
    assert [e.event_type for e in bakery.health.journal.events()] == [
        "device.late", "device.lost", "device.recovered",
    ]  # fmt: skip


def test_a_silent_wire_is_said_once_and_not_once_per_meter() -> None:
    bakery = Bakery(device("oven-meter"), device("main-meter"))
    bakery.runs(60, "oven-meter", "main-meter")
    bakery.runs(400)

    assert bakery.said[-1] == "rs485: nobody answers (2 devices)."
    assert bakery.codes == ["FP-S03"]


def test_an_unplugged_adapter_is_said_and_its_meters_are_not_blamed() -> None:
    bakery = Bakery(device("oven-meter"), device("main-meter"))
    bakery.runs(60, "oven-meter", "main-meter")
    words = "the adapter FT4XY12A is gone"
    bakery.health.connection_changed("rs485", ConnectionState.GONE, words, None)
    bakery.runs(600)
    bakery.runs(20, "oven-meter", "main-meter")

    assert bakery.said == [
        "rs485: the adapter FT4XY12A is gone.",
        "rs485: is back after 10 min.",
    ]


def test_a_device_on_an_absent_wire_shows_what_is_wrong_with_the_wire() -> None:
    bakery = Bakery(device("oven-meter"))
    bakery.runs(60, "oven-meter")
    bakery.fails("oven-meter")
    bakery.health.connection_changed("rs485", ConnectionState.BUSY, None, None)
    bakery.runs(60)
    found = bakery.health.report(bakery.around).devices["oven-meter"]

    assert found.message == "rs485: the port belongs to another program"
    assert found.action == "End the other program: fieldpost doctor"


def test_a_quiet_radio_is_not_told_to_look_at_its_wires() -> None:
    bakery = Bakery(device("freezer", "radio", None), device("cold-room", "radio", None))
    bakery.runs(300)

    assert bakery.said[-1] == "radio: no sensor is heard (2 devices)."
    assert bakery.codes == ["FP-B03"]


def test_a_value_out_of_range_is_said_once_and_its_end_too() -> None:
    bakery = Bakery(device("cold-room"))
    words = "temperature 214 C is outside -40 … 85 and was not sent"
    hot = DeviceFault(Reason.OUT_OF_RANGE, words)
    for _ in range(5):
        bakery.runs(10, "cold-room")
        bakery.fails("cold-room", hot, "temperature")
        bakery.health.look(bakery.around)
    bakery.speaks("cold-room", temperature=4.0)
    bakery.runs(10)

    assert bakery.said == [
        f"cold-room: {words}.",
        "cold-room.temperature: is good again after 50 s.",
    ]


def test_a_cloud_that_is_away_is_said_with_what_is_kept() -> None:
    bakery = Bakery(destinations={"platform": "tesaiot"})
    bakery.runs(60, "meter")
    store = Store(quota_bytes=2_000_000_000, accepted_readings_total=6000)
    bakery.has(store)
    bakery.runs(60, "meter")
    away = Unreachable("api.example.com cannot be reached (no route)")
    bakery.health.destination_failed("platform", away, 120)
    store = Store(quota_bytes=2_000_000_000, accepted_readings_total=12_000)
    bakery.has(store, platform=Queue(readings=1240, bytes=20_000))
    bakery.runs(20, "meter")

    assert bakery.said == [
        (
            "platform: api.example.com cannot be reached (no route). "
            "Readings are kept: 1 240 so far, room for 15 days."
        ),
    ]


def test_another_reason_why_a_cloud_is_away_is_news_and_the_same_one_is_not() -> None:
    bakery = Bakery(destinations={"platform": "http"})
    portal = Unreachable("it answers with a web page", action="Is this the right address?")
    for error in (Unreachable("HTTP 503"), Unreachable("no route"), portal, portal):
        bakery.health.destination_failed("platform", error, 10)
        bakery.has(platform=Queue(readings=10))
        bakery.runs(60, "meter")

    kept = "Readings are kept: 10 so far."
    assert bakery.said == [
        f"platform: HTTP 503. {kept}", f"platform: it answers with a web page. {kept}",
    ]  # fmt: skip


def test_a_wrong_address_has_its_own_code() -> None:
    bakery = Bakery(destinations={"platform": "tesaiot"})
    bakery.speaks("meter")
    bakery.health.destination_failed("platform", Misconfigured("404 at this address"), 120)

    assert bakery.codes == ["FP-U07"]


def test_a_certificate_is_said_at_thirty_fourteen_and_seven_days_and_when_it_has_expired() -> None:
    bakery = Bakery(destinations={"platform": "tesaiot"})
    ends = Ends(own=bakery.clock.wall_ns + 31 * 86_400 * 10**9)
    bakery.has(platform=Queue(way=Way(ends=ends)))
    for _ in range(33):
        bakery.speaks("meter")
        bakery.health.look(bakery.around)
        bakery.clock.go(86_400)

    assert bakery.said == [
        "platform: its certificate runs out in 30 days.",
        "platform: its certificate runs out in 14 days.",
        "platform: its certificate runs out in 7 days.",
        "platform: its certificate has expired.",
    ]


def test_the_certificate_of_a_server_is_told_when_nobody_renewed_it() -> None:
    bakery = Bakery(destinations={"platform": "tesaiot"})
    ends = Ends(server=bakery.clock.wall_ns + 3 * 86_400 * 10**9)
    bakery.has(platform=Queue(way=Way(ends=ends)))
    bakery.speaks("meter")
    assert bakery.codes == []
    bakery.clock.go(2 * 86_400)
    bakery.speaks("meter")
    assert bakery.codes == ["FP-U11"]


def spent(share: float) -> Queue:
    # the day before December begins in UTC
    spending = Spending(int(share * 500_000_000), 500_000_000, 1_796_083_200_000_000_000)
    return Queue(readings=40, way=Way(spending=spending))


def test_a_budget_is_told_at_eighty_percent_and_when_it_is_used_up() -> None:
    bakery = Bakery(destinations={"platform": "tesaiot"})
    bakery.speaks("meter")
    for share, codes, state in (
        (0.79, [], "starting"), (0.8, ["FP-U10"], "starting"), (1.0, ["FP-U09"], "used-up"),
    ):  # fmt: skip
        bakery.has(platform=spent(share))
        assert bakery.codes == codes
        assert bakery.cloud("platform") == state
    [problem] = bakery.health.report(bakery.around).problems
    assert problem.message == (
        "platform: only alarms are sent, 500 MB of this month's 500 MB are used; the next month "
        "begins at 2026-12-01 00:00 UTC. Readings are kept: 40 so far."
    )
    assert problem.action is not None
    assert "budget" in problem.action


def test_an_account_that_is_shut_out_is_named_while_the_others_go_on() -> None:
    bakery = Bakery(destinations={"platform": "tesaiot"})
    bakery.speaks("meter")
    why = Unauthorized("x.example does not accept the credentials (401)", action="is it active?")
    bakery.has(platform=Queue(readings=3, way=Way(shut_out={"cold-02": why})))
    bakery.health.delivered("platform", 10)
    [problem] = bakery.health.report(bakery.around).problems
    assert (problem.code, problem.action) == ("FP-U02", "is it active?")
    assert "account cold-02 is not let in" in problem.message


def test_the_machine_and_the_configuration_are_checked_too() -> None:
    bakery = Bakery()
    bakery.speaks("meter")
    machine = type(MACHINE)(
        model=None,
        boot_uptime_s=1,
        card=type(CARD)(1, 2, read_only=True),
        clock=MACHINE.clock,
        power=Power(low_now=False, low_24h=2),
        celsius=76.0,
    )
    edited = Configuration(version=41, edited_not_applied=True)
    bakery.around = Surroundings(machine, Store(broken="disk full"), configuration=edited)
    report = bakery.health.report(bakery.around)

    assert {p.subject: (p.code, p.severity) for p in report.problems} == {
        "power": ("FP-H01", "warn"),
        "temperature": ("FP-H03", "warn"),
        "card_space": ("FP-H05", "warn"),
        "card_writable": ("FP-H06", "fail"),
        "store": ("FP-H08", "fail"),
        "configuration": ("FP-C02", "warn"),
    }
    assert all(p.action for p in report.problems)


def test_a_full_card_is_told_from_one_that_refuses() -> None:
    bakery = Bakery()
    said = []
    for broken in ("SQLITE_FULL: database or disk is full", "disk I/O error"):
        bakery.around = Surroundings(MACHINE, Store(broken=broken))
        said += [p.message for p in bakery.health.report(bakery.around).problems]
    assert said == [
        "The card is full: new readings live in memory only, and there is little room.",
        "New readings live in memory only, because the card refuses (disk I/O error).",
    ]


def test_events_are_bounded_and_repetitions_are_counted() -> None:
    clock = ObedientClock()
    journal = Journal(clock)
    for number in range(3 * KEPT):
        journal.say(Event(Status.WARN, "device.late", f"meter-{number}", "late"))
    for _ in range(5):
        journal.say(Event(Status.WARN, "device.late", "flapper", "late"))
    clock.go(601)
    journal.say(Event(Status.WARN, "device.late", "flapper", "late"))
    events = journal.events()

    assert len(events) == KEPT
    assert [e.repeated for e in events if e.subject == "flapper"] == [0, 4]


def test_events_are_asked_for_by_time_and_subject() -> None:
    bakery = Bakery(device("oven-meter"), device("main-meter"))
    bakery.runs(60)
    bakery.speaks("oven-meter")
    bakery.runs(700, "oven-meter")
    everything = bakery.health.events()
    later = bakery.health.events(bakery.clock.wall_ns)

    assert {e["subject"] for e in everything} == {"rs485", "main-meter"}
    assert later == []
    assert [e["event"] for e in bakery.health.events(subject="rs485")] == [
        "connection.quiet", "connection.recovered",
    ]  # fmt: skip


def test_an_event_in_the_log_has_its_fields_beside_the_sentence() -> None:
    bakery = Bakery()
    bakery.fails("meter")
    bakery.runs(40)
    event = bakery.health.journal.events()[-1]

    assert event.message == "meter: no answer at address 2 on rs485 (3 tries, 0.3 s each)."
    assert fields(event) == {
        "event_type": "device.never",
        "device": "meter",
        "code": "FP-S04",
        "action": "Others on this wire answer, so look at this device: power, address, A/B wires",
    }


def test_the_log_names_device_and_point_of_a_bad_value() -> None:
    event = Event(Status.WARN, "value.bad", "cold-room.temperature", "cold-room: is too hot.")

    assert fields(event) == {
        "event_type": "value.bad", "device": "cold-room", "point": "temperature",
    }  # fmt: skip


def test_a_cloud_that_knows_what_was_never_sent_is_a_reason_to_look_for_a_day() -> None:
    bakery = Bakery(destinations={"platform": "http"})
    bakery.health.surpassed("platform")
    assert "FP-U11" in bakery.codes
    bakery.runs(86_400, "meter")
    assert "FP-U11" not in bakery.codes
