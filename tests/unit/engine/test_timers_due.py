"""Timers and time: a clock that is set, thousands due at once, a process that was away, a function that is gone."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from bridge import Router, Timer, Turn
from bridge.engine.timers import Timers
from bridge.errors import Unavailable
from bridge.store.records import TimerRow
from bridge.testing.contract.store.desk import AT, Desk, arrival
from bridge.units import SECOND
from tests.support.manual_clock import ManualClock
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.turn_engine import Turns

DAY: Final = 86_400


def due(turn: Turn[Timer]) -> str:
    turn.state["due"] = turn.state.get("due", 0) + 1
    return f"due {turn.state['due']}"


def waiting() -> Router:
    router = Router()

    @router.message(regex=r"wait (?P<delay>\S+)")
    async def wait(turn: Turn[Any], delay: str) -> None:
        turn.after(delay, due)

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        return f"heard {turn.event.text}"

    return router


@asynccontextmanager
async def ticking(url: str = "sqlite://", *, now: float = 0) -> AsyncIterator[Turns]:
    """A bridge whose timers run; `now` is how many seconds later than others it begins."""
    async with turns(waiting(), url=url) as world:
        world.clock.advance(now)
        world.timers = Timers(world.store, world.clock)
        world.timers.start()
        yield world
        await world.timers.stop()


async def pass_time(world: Turns, seconds: float) -> None:
    """An hour at most at a time, with all that is due on the way."""
    for part in [3600.0] * int(seconds // 3600) + [seconds % 3600]:
        world.clock.advance(part)
        await world.settle()


# The clock


async def test_a_clock_that_is_set_back_makes_a_timer_late_and_not_twice() -> None:
    async with ticking() as world:
        await world.heard("wait 60s", "m-1")
        await world.settle()
        world.clock.set_by(-3600)
        await pass_time(world, 120)
        assert await world.said() == []
        await pass_time(world, 3600)
        assert await world.said() == ["due 1"]
        world.clock.set_by(-30 * DAY)
        await pass_time(world, 2 * 3600)
        assert await world.said() == ["due 1"]


async def test_a_clock_that_is_set_a_year_ahead_makes_timers_due_within_the_hour() -> None:
    async with ticking() as world:
        await world.heard("wait 30d", "m-1")
        await world.settle()
        world.clock.set_by(365 * DAY)
        await pass_time(world, 3600)
        assert await world.said() == ["due 1"]
        world.clock.set_by(-365 * DAY)
        await pass_time(world, 2 * 3600)
        await world.heard("and on it goes", "m-2")
        await world.settle()
        assert await world.said() == ["due 1", "heard and on it goes"]


async def test_a_timer_that_is_set_while_the_clock_is_wrong_is_due_by_the_clock_all_the_same() -> None:
    """It is kept as a time, so that it outlives the process: from a clock a day ahead it comes a day late."""
    async with ticking() as world:
        world.clock.set_by(DAY)
        await world.heard("wait 60s", "m-1")
        await world.settle()
        world.clock.set_by(-DAY)
        await pass_time(world, DAY)
        assert await world.said() == []
        await pass_time(world, 120)
        assert await world.said() == ["due 1"]


@pytest.mark.parametrize("away", [10, 400 * DAY])
async def test_what_was_due_while_no_process_lived_is_due_when_one_does(away: float, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    async with ticking(url) as world:
        await world.heard("wait 5s", "m-1")
        await world.settle()
    for _ in range(2):
        async with ticking(url, now=away) as world:
            await world.settle()
            assert await world.said() == ["due 1"]


# Many


@pytest.mark.slow
async def test_ten_thousand_due_at_once_come_in_pages_and_hold_nobody_up() -> None:
    desk = await Desk("sqlite://").open()
    (row,) = await desk.hear("1")
    many = [TimerRow(due_at=AT + number, name=f"{number}") for number in range(10_000)]
    await desk.store.commit_turn(replace(await desk.commit_of(row), timers=many))
    clock = ManualClock(AT + DAY * SECOND)
    timers = Timers(desk.store, clock)
    before = len(desk.told.log)
    timers.start()
    heard = 0
    for number in range(5):
        await desk.receive(arrival(f"bob-{number}", "bob"))
        heard = len(desk.told.events)
    assert heard < 10_000, "others waited until all timers were events"
    await timers.settle()
    told = [ids for what, ids in desk.told.log[before:] if what == "received"]
    assert max(map(len, told)) <= 300
    fired = [each.event.name for each in desk.told.events if isinstance(each.event, Timer)]
    assert fired == [each.name for each in many]
    await timers.stop()
    await desk.store.close()


async def test_a_stop_ends_the_firing_of_many_after_the_part_that_runs() -> None:
    class Endless:
        """A store with a timer that is due whenever it is asked."""

        fired = 0

        async def fire_timers(self, now: int, _limit: int) -> int | None:
            self.fired += 1
            await asyncio.sleep(0)
            return now

    store = cast("Any", Endless())
    timers = Timers(store, ManualClock())
    timers.start()
    for _ in range(10):
        await asyncio.sleep(0)
    fired = store.fired
    assert fired > 2
    await asyncio.wait_for(timers.stop(), 5)
    assert store.fired <= fired + 1
    assert timers._alarm is None


async def test_a_store_that_fails_for_a_moment_makes_them_late_and_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ticking() as world:
        await world.heard("wait 5s", "m-1")
        await world.settle()
        monkeypatch.setattr(world.store, "fire_timers", unavailable)
        await pass_time(world, 10)
        monkeypatch.undo()
        assert await world.said() == []
        await pass_time(world, 2)
        assert await world.said() == ["due 1"]


async def unavailable(_now: int, _limit: int) -> int | None:
    await asyncio.sleep(0)
    raise Unavailable("not now")


async def test_a_timer_that_cannot_be_read_is_tried_again_after_a_minute_and_not_at_once() -> None:
    class Unreadable:
        """A store with a row that nothing can be made of, and later none."""

        asked = 0
        mistake: Exception | None = ValueError("no JSON")

        async def fire_timers(self, _now: int, _limit: int) -> int | None:
            self.asked += 1
            if self.mistake is not None:
                raise self.mistake
            return None

    clock, store = ManualClock(), Unreadable()
    timers = Timers(cast("Any", store), clock)
    timers.start()
    for _ in range(10):
        await asyncio.sleep(0)
    assert (store.asked, clock.next_in()) == (1, 60.0)
    store.mistake = None
    clock.advance(60)
    await timers.settle()
    assert (store.asked, clock.next_in()) == (2, None)
    await timers.stop()


# Gone


async def test_a_timer_whose_function_is_gone_becomes_a_dead_letter_that_names_it_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with ticking() as world:
        await world.heard("wait 5s", "m-1")
        await world.settle()
        with monkeypatch.context() as gone:
            gone.delattr(sys.modules[__name__], "due")
            await pass_time(world, 10)
            await world.heard("hello", "m-2")
            await world.wait_out()
        assert await world.said() == ["heard hello"]
        (letter,) = await world.store.dead_letters()
        assert f"the timer's handler {__name__}:due is not there any more" in letter.reason
        await world.store.replay(letter.id, world.clock.now())
        await world.settle()
        assert await world.said() == ["heard hello", "due 1"]


async def test_a_timer_whose_function_takes_other_arguments_now_is_a_dead_letter_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def changed(turn: Turn[Timer], needed: int) -> None: ...

    async with ticking() as world:
        await world.heard("wait 5s", "m-1")
        await world.settle()
        monkeypatch.setattr(sys.modules[__name__], "due", changed)
        await pass_time(world, 10)
        await world.wait_out()
        (reason,) = await world.reasons()
        assert "nothing was found for its parameter 'needed'" in reason
        assert "changed" in reason


async def test_a_look_at_the_clock_asks_the_store_for_nothing() -> None:
    class Counting:
        """A store whose only timer is due in two hours."""

        asked = 0

        async def fire_timers(self, now: int, _limit: int) -> int | None:
            self.asked += 1
            return None if now >= due_at else due_at

    clock = ManualClock()
    due_at = clock.now() + 7200 * SECOND
    store = cast("Any", Counting())
    timers = Timers(store, clock)
    timers.start()
    await timers.settle()
    for asked in (*[1] * 119, 2):
        clock.advance(60)
        await timers.settle()
        assert store.asked == asked
    await timers.stop()
