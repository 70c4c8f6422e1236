"""Every word is reachable, none is outside its set, and clock steps change none of them."""

import pytest

from agent import plan
from agent.cloud import Unauthorized, Unreachable
from agent.daemon.health import Queue
from agent.daemon.health.destination import DestinationHealth
from agent.daemon.health.problems import of_destination
from agent.daemon.health.words import DestinationState, DeviceState
from agent.driver import ConnectionState, DeviceFault, Reason
from agent.sample import Sample
from tests.daemon.health.bakery import NO_ANSWER, Bakery, ObedientClock, device

NO_KEY = DeviceFault(Reason.NO_KEY, "heard, but encrypted")
AWAY = Unreachable("api.example.com cannot be reached (no route)")
WAITING = Queue(readings=412, bytes=10_000)


def test_a_device_goes_from_starting_over_never_to_ok_late_and_lost() -> None:
    bakery, seen = Bakery(), []
    for seconds, speaks in ((0, False), (31, False), (1, True), (31, False), (280, False)):
        bakery.clock.go(seconds)
        if speaks:
            bakery.speaks("meter")
        seen.append(bakery.state("meter"))

    assert seen == ["starting", "never", "ok", "late", "lost"]


def test_a_device_that_answers_rubbish_has_bad_data_and_is_not_lost() -> None:
    bakery = Bakery()
    bakery.speaks("meter")
    bakery.clock.go(400)
    bakery.fails("meter", DeviceFault(Reason.UNREADABLE, "what it says cannot be decoded"))

    assert bakery.state("meter") == "bad-data"


def test_an_encrypted_sensor_without_its_key_has_bad_data_from_the_beginning() -> None:
    bakery = Bakery(device("freezer", "radio", None))
    bakery.clock.go(300)
    bakery.fails("freezer", NO_KEY)

    assert bakery.state("freezer") == "bad-data"
    assert bakery.codes == ["FP-B06"]


def test_a_sample_without_values_says_answered_and_nothing_good() -> None:
    bakery = Bakery()
    bakery.runs(60)
    bakery.health.sample(Sample("meter", bakery.clock.now(), {}))

    assert bakery.state("meter") == "bad-data"


def test_a_device_that_is_switched_off_is_off_whatever_happens() -> None:
    bakery = Bakery(device("meter", enabled=False))
    bakery.clock.go(5000)

    assert bakery.state("meter") == "off"
    assert bakery.wire("rs485") == "off"
    assert bakery.health.report(bakery.around).score is None


def test_the_interval_of_a_sensor_that_speaks_on_its_own_is_learned() -> None:
    bakery = Bakery(device("freezer", "radio", None))
    for gap_s in (100, 100, 2, 100, 100, 100):
        bakery.clock.go(gap_s)
        bakery.speaks("freezer")
    bakery.clock.go(299)
    before = bakery.state("freezer")
    bakery.clock.go(2)

    assert before == "ok"
    assert bakery.state("freezer") == "late"


def test_a_fast_device_is_not_late_before_ten_seconds() -> None:
    bakery = Bakery(device("meter", every_s=0.2))
    bakery.speaks("meter")
    bakery.clock.go(9.9)

    assert bakery.state("meter") == "ok"


@pytest.mark.parametrize("step_s", [-400 * 86_400, 20 * 365 * 86_400])
def test_a_step_of_the_wall_clock_changes_no_word_no_age_and_no_score(step_s: float) -> None:
    bakery = Bakery(destinations={"platform": "tesaiot"})
    bakery.runs(600, "meter")
    bakery.health.delivered("platform", 10)
    bakery.clock.go(4)
    before = bakery.health.report(bakery.around)
    bakery.clock.step_wall(step_s)
    after = bakery.health.report(bakery.around)

    assert after.devices == before.devices
    assert after.destinations == before.destinations
    assert (after.score, after.status) == (before.score, before.status)


def test_a_wire_is_quiet_until_somebody_is_heard_and_gone_when_the_driver_says_so() -> None:
    bakery = Bakery()
    words = [bakery.wire("rs485")]
    bakery.speaks("meter")
    words.append(bakery.wire("rs485"))
    for state in (ConnectionState.GONE, ConnectionState.BUSY):
        bakery.health.connection_changed("rs485", state, None, None)
        words.append(bakery.wire("rs485"))

    assert words == ["quiet", "ok", "gone", "busy"]


def test_another_attempt_of_the_driver_does_not_make_a_missing_adapter_flap() -> None:
    bakery = Bakery()
    bakery.speaks("meter")
    bakery.health.connection_changed("rs485", ConnectionState.GONE, None, None)
    bakery.clock.go(5)
    bakery.health.connection_changed("rs485", ConnectionState.OK, None, None)
    tried = bakery.wire("rs485")
    bakery.speaks("meter")

    assert tried == "gone"
    assert bakery.wire("rs485") == "ok"


class Way:
    """A bakery with one destination."""

    def __init__(self) -> None:
        self.bakery = Bakery(destinations={"platform": "tesaiot"})
        self.health = self.bakery.health

    def queue(self, readings: int) -> None:
        self.bakery.has(platform=Queue(readings=readings, bytes=20 * readings))
        self.health.look(self.bakery.around)

    @property
    def word(self) -> str:
        return self.bakery.cloud("platform")


def test_a_destination_starts_and_is_ok_once_it_acknowledges() -> None:
    way = Way()
    first = way.word
    way.health.delivered("platform", 10)

    assert (first, way.word) == ("starting", "ok")


def test_a_destination_with_nothing_to_send_is_ok_however_long_ago_it_acknowledged() -> None:
    way = Way()
    way.health.delivered("platform", 10)
    way.bakery.clock.go(86_400)
    way.queue(0)
    way.queue(5)

    assert way.word == "ok"


def test_a_destination_that_cannot_be_reached_waits_and_knows_when_it_is_tried_again() -> None:
    way = Way()
    way.health.destination_failed("platform", AWAY, 120.0)
    way.bakery.clock.go(20)
    report = way.health.report(way.bakery.around).destinations["platform"]

    assert (report.state, report.next_try_s) == ("waiting", 100.0)


def test_a_destination_that_says_nothing_at_all_waits_too() -> None:
    way = Way()
    way.queue(5)
    way.bakery.clock.go(200)

    assert way.word == "waiting"


def test_credentials_that_are_not_accepted_are_refused_until_they_are() -> None:
    way = Way()
    way.health.destination_failed("platform", Unauthorized("the key is not accepted (401)"), 120)
    shut = way.word
    way.health.delivered("platform", 1)

    assert (shut, way.word) == ("refused", "ok")


def test_a_destination_that_refused_some_readings_is_rejecting_for_an_hour() -> None:
    way = Way()
    way.health.delivered("platform", 10)
    way.health.refused("platform", 3, "value too large")
    way.bakery.has(platform=Queue(rejected_total=3))
    soon = way.word
    way.bakery.clock.go(2 * 3600)

    assert (soon, way.word) == ("rejecting", "ok")


def test_a_destination_that_answers_heartbeats_and_no_data_is_stalled() -> None:
    way = Way()
    way.queue(5)
    way.health.destination_failed("platform", AWAY, 60)
    way.bakery.clock.go(601)
    way.health.beat("platform", None)

    assert way.word == "stalled"


def test_a_backlog_that_grows_although_data_is_acknowledged_is_slow() -> None:
    way = Way()
    for minute in range(12):
        way.bakery.clock.go(60)
        way.health.delivered("platform", 100)
        way.queue(2000 + 500 * minute)

    assert way.word == "slow"


def test_a_backlog_behind_a_limit_of_its_own_is_told_so() -> None:
    clock, own = ObedientClock(), plan.Allowance(readings_per_s=20)
    destination = plan.Destination("archive", "http", "x:y", 10.0, None, {}, allows=own)
    way = DestinationHealth(destination, clock.monotonic_s())
    for minute in range(15):
        way.delivered(clock.monotonic_s(), 20, 0)
        way.look(clock.monotonic_s(), Queue(readings=1000 * minute))
        clock.go(60)
    way.delivered(clock.monotonic_s(), 20, 0)
    queue, now_s = Queue(readings=20_000), clock.monotonic_s()
    assert way.state(now_s, queue) is DestinationState.SLOW
    [problem] = of_destination(way, DestinationState.SLOW, queue, now_s, None)
    assert problem.action == (
        "Its own `rate` of 20 readings/s is not enough: raise it, or read less often"
    )


def test_a_backlog_that_shrinks_is_not_slow_and_its_end_is_foreseen() -> None:
    way = Way()
    for minute in range(12):
        way.bakery.clock.go(10)
        way.health.delivered("platform", 1000)
        way.queue(50_000 - 1000 * minute)
    report = way.health.report(way.bakery.around).destinations["platform"]

    assert (report.state, report.drain_s) == ("ok", 390.0)


def test_the_tests_above_reach_every_word() -> None:
    devices = {"starting", "never", "ok", "late", "lost", "bad-data", "off"}
    clouds = {"starting", "ok", "waiting", "refused", "rejecting", "stalled", "slow"}
    clouds.add("used-up")  # in test_news.py

    assert devices == set(DeviceState)
    assert clouds == set(DestinationState)


def test_a_dead_meter_is_a_reason_to_look_and_never_worse_than_that() -> None:
    bakery = Bakery(device("meter"), device("oven-meter"))
    bakery.runs(400, "oven-meter")
    one = bakery.health.report(bakery.around).status
    bakery.runs(400)

    assert (one, bakery.health.report(bakery.around).status) == ("warn", "fail")


def test_data_that_is_being_lost_is_a_problem() -> None:
    way = Way()
    way.bakery.speaks("meter")
    way.bakery.has(platform=Queue(lost_total=0))
    way.health.look(way.bakery.around)
    way.bakery.has(platform=Queue(lost_total=120))
    way.health.look(way.bakery.around)
    report = way.health.report(way.bakery.around)

    assert report.status == "fail"
    assert [p.code for p in report.problems] == ["FP-U06"]


def test_a_destination_that_took_at_last_what_it_refused_is_well_again() -> None:
    way = Way()
    way.health.refused("platform", 3, "value too large")
    way.bakery.has(platform=Queue(rejected_total=3))
    before = way.word
    way.bakery.has(platform=Queue(rejected_total=0))
    way.health.delivered("platform", 3)

    assert (before, way.word) == ("rejecting", "ok")


def test_what_a_person_gave_up_is_no_alarm() -> None:
    way = Way()
    way.bakery.speaks("meter")
    way.bakery.has(platform=Queue())
    way.health.look(way.bakery.around)
    way.bakery.has(platform=Queue(lost_total=120, given_up_total=120, by_hand_total=120))
    way.health.look(way.bakery.around)

    assert way.health.report(way.bakery.around).problems == []


def test_readings_that_were_never_taken_in_are_lost_too() -> None:
    way = Way()
    way.bakery.has(platform=Queue(lost_total=5, given_up_total=12))
    found = way.health.snapshot(way.bakery.around)["status"]["destinations"]["platform"]

    assert (found["lost_total"], found["given_up_total"]) == (5, 12)


def test_a_failure_is_forgotten_when_the_device_answers_again() -> None:
    bakery = Bakery()
    bakery.runs(60, "meter")
    bakery.fails("meter", NO_ANSWER)
    bakery.runs(60, "meter")

    assert bakery.codes == []
