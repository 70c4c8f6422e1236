"""The demo's site: the same seed is the same weather, and counters count."""

import itertools

from agent.demo.instruments.site import DAY_S, PV_PEAK_W, START_H, Site


def test_the_same_seed_is_the_same_site() -> None:
    assert Site(7).at(123.4) == Site(7).at(123.4)
    assert Site(7).at(123.4) != Site(8).at(123.4)


def test_counters_do_not_depend_on_how_often_they_are_read() -> None:
    often, once = Site(3), Site(3)
    for tenth in range(0, 100, 3):
        often.energy(tenth / 10)
    assert often.energy(10.0) == once.energy(10.0)


def test_counters_never_go_back() -> None:
    site = Site(5)
    readings = [site.energy(float(second)) for second in range(0, 60, 5)]
    for before, after in itertools.pairwise(readings):
        assert after.bought >= before.bought
        assert after.sold >= before.sold
        assert after.oven >= before.oven
        assert after.pv >= before.pv
    assert readings[-1].oven > readings[0].oven


def test_the_sun_shines_by_day_only() -> None:
    site = Site(1)
    noon_s, midnight_s = ((hour - START_H) / 24 * DAY_S for hour in (12.0, 24.0))
    assert site.at(noon_s).pv_w > 0.05 * PV_PEAK_W
    assert site.at(midnight_s).pv_w == 0


def test_a_day_stays_within_what_instruments_can_show() -> None:
    site = Site(2)
    for step in range(120):
        state = site.at(step * DAY_S / 120)
        assert all(220 < volts < 240 for volts in state.volts)
        assert -30 < state.freezer_c < 0 < state.cold_room_c < 10
        assert 0 <= state.wind_m_s < 20
        assert 0 < state.humidity <= 100
        assert 0 <= state.wind_from_deg < 360
