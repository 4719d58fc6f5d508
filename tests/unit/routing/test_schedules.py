"""The times of jobs: in order, each once, and the latest found without walking through all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.routing.schedules import Schedule, cron, every, last
from bridge.units import SECOND, micros, moment

YEAR = 366 * 86_400 * SECOND
START = micros(datetime(2026, 1, 1, tzinfo=UTC))
ZONES = ["UTC", "Asia/Jakarta", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"]

times = st.integers(START, START + 2 * YEAR)
schedules = st.one_of(
    st.builds(
        every,
        st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)),
        st.sampled_from(ZONES),
        st.sampled_from([None, "mon-fri", "sun", "mon,wed"]),
    ),
    st.builds(
        cron,
        st.sampled_from(["0 9 * * 1", "30 2 * * *", "*/20 * * * *", "0 0 1 * *", "15 */6 * * *", "0 12 L * *"]),
        st.sampled_from(ZONES),
    ),
    st.builds(every, st.sampled_from(["6h", "45min", "1d", timedelta(days=3)]), st.none(), st.none()),
)


@given(schedules, times)
@pytest.mark.slow
def test_times_climb_and_lie_behind_their_start(schedule: Schedule, at: int) -> None:
    found = list(islice(schedule.after(at), 20))
    assert found == sorted(set(found))
    assert found[0] > at


@given(schedules, times, st.integers(0, 40 * 86_400 * SECOND))
def test_the_next_time_is_the_same_from_wherever_one_looks(schedule: Schedule, at: int, later: int) -> None:
    ahead = next(time for time in schedule.after(at) if time > at + later)
    assert next(schedule.after(at + later)) == ahead


@given(schedules, times, st.integers(0, 40 * 86_400 * SECOND))
def test_the_latest_time_is_that_of_a_walk_through_all(schedule: Schedule, at: int, span: int) -> None:
    walked = list(takewhile(lambda time: time <= at + span, schedule.after(at)))
    assert last(schedule, at, at + span) == (walked[-1] if walked else None)


def test_the_latest_of_ten_years_of_minutes_is_found_at_once() -> None:
    until = START + 10 * YEAR
    assert last(cron("* * * * *", None), START, until) == until


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.slow
def test_each_day_of_a_year_has_its_time_once(zone: str) -> None:
    for when in ("02:30", "00:00", "01:45"):
        found = takewhile(lambda time: time < START + YEAR, every(when, zone, None).after(START))
        days = [moment(time).astimezone(ZoneInfo(zone)).date() for time in found]
        assert len(days) == len(set(days))
        assert len(days) in {365, 366}


def test_in_an_hour_that_the_clock_repeats_the_next_time_lies_ahead() -> None:
    second = micros(datetime(2026, 10, 25, 1, 15, tzinfo=UTC))
    assert moment(next(every("02:30", "Europe/Berlin", None).after(second))) == datetime(
        2026, 10, 26, 1, 30, tzinfo=UTC
    )


def test_times_of_one_day_come_in_order() -> None:
    schedule = every("17:30, 9:00", "Asia/Jakarta", "mon-fri")
    found = [moment(time) for time in islice(schedule.after(START), 3)]
    assert found == [datetime(2026, 1, day, *at, tzinfo=UTC) for day, at in ((1, (2, 0)), (1, (10, 30)), (2, (2, 0)))]
    assert schedule.text == "17:30, 9:00 mon-fri Asia/Jakarta"
