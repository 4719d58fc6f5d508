"""When messages of a broadcast may leave, and how many: none before its time, at night, in a rest or under a pause."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from bridge.engine.broadcasts.course import Course
from bridge.engine.broadcasts.releasing import Broadcasts
from bridge.engine.turns.consent import Quiet
from bridge.store.broadcasts import Broadcast, BroadcastState
from bridge.units import SECOND
from tests.support.manual_clock import START, ManualClock

LOOK: Final = START + SECOND // 2
LATER: Final = START + SECOND
HOUR: Final = 3600 * SECOND
MORNING: Final = Quiet(9 * 60, 10 * 60, ZoneInfo("UTC"))
"""It is nine o'clock."""


def course_of(
    name: str = "b", account: str = "shop", flights: int = 0, *, retries: bool = False, look_at: int = 0, rests: int = 0
) -> Course:
    course = Course(name, account, rests_until=rests)
    for number in range(flights):
        course.release(number, look_at=look_at)
        course.flights[number].retries = retries
    return course


def room(
    course: Course | None = None,
    *others: Course,
    state: BroadcastState = BroadcastState.RUNNING,
    begins_at: int = START,
    quiet: Quiet | None = None,
    paused: str = "",
    free: int | None = None,
) -> tuple[int, int]:
    """Of a broadcast at an account whose window is eight, and whose rate has room for `free` more (None: it has no
    rate), beside `others`."""
    nothing: Any = None
    worker: Any = SimpleNamespace(paused=paused, client=SimpleNamespace(room=lambda _: free))
    broadcasts = Broadcasts(nothing, nothing, {}, {"shop": worker}, quiet, ManualClock())
    broadcasts._windows["shop"].size = 8
    course = course or course_of()
    broadcasts._courses = {each.id: each for each in (course, *others)}
    about = Broadcast(id="b", account="shop", state=state, content=b"", begins_at=begins_at, created_at=START)
    return broadcasts._room(about, course, START)


def test_nothing_leaves_of_one_that_does_not_run_or_whose_time_has_not_come() -> None:
    assert room(state=BroadcastState.PAUSED) == (START + 60 * SECOND, 0)
    assert room(begins_at=START + HOUR) == (START + HOUR, 0)
    assert room(quiet=MORNING) == (START + HOUR, 0)
    assert room(course_of(rests=START + 9)) == (START + 9, 0)


def test_nothing_leaves_while_the_gateway_has_trouble_or_thousands_wait_for_their_morning() -> None:
    assert room(paused="no connection") == (LATER, 0)
    assert room(course_of(flights=128, retries=True)) == (LATER, 0)
    assert room(course_of(flights=127, retries=True)) == (LOOK, 8)
    assert room(course_of(flights=10_000, look_at=START + HOUR)) == (LATER, 0)
    assert room(course_of(flights=9_999, look_at=START + HOUR)) == (LOOK, 8)


@pytest.mark.parametrize(("free", "left"), [(None, 8), (20, 8), (5, 5), (0, 0)])
def test_so_many_leave_as_the_window_and_the_rate_have_room_for(free: int | None, left: int) -> None:
    assert room(free=free) == (LOOK, left)
    beside = [course_of("c", flights=2), course_of("d", "relay", flights=4)]
    assert room(course_of(flights=1), *beside, free=free) == (LOOK, left - 3), "broadcasts of an account share it"
