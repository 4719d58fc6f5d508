"""Timers that handlers set: once each, in the thread's order, cancelled by name or by a reply."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from bridge import HandlerError, Router, Timer, Turn
from bridge.routing.schedule import timer_handler
from bridge.testing.world import World
from tests.support.searches import seeds
from tests.support.turn_engine import turns
from tests.support.worlds import ALL

if TYPE_CHECKING:
    from collections.abc import Callable


async def remind(turn: Turn[Timer], no: int, word: str = "Still there") -> str:
    turn.state["reminded"] = [*turn.state.get("reminded", []), no]
    return f"{word}, {no}?"


def blocking(turn: Turn[Timer]) -> None:
    turn.say("blocked")


def again(turn: Turn[Timer], left: int) -> str:
    if left:
        turn.after(60, again, name="tick", left=left - 1)
    return f"{left} left"


@dataclass
class Bell:
    """A callable that is equal to others, and so has no hash."""

    def __call__(self, _turn: Turn[Timer]) -> str:
        return "ding"


def reminding() -> Router:
    """A bot whose words set timers."""
    router = Router()

    @router.message(regex=r"remind (?P<no>\d+) in (?P<delay>\S+)")
    async def set_one(turn: Turn[Any], no: int, delay: str) -> str:
        turn.after(delay, remind, no=no)
        return "ok"

    @router.message(regex=r"unless (?P<no>\d+)")
    async def unless(turn: Turn[Any], no: int) -> None:
        turn.after("2h", remind, unless="replied", no=no)

    @router.message(regex=r"named (?P<no>\d+)")
    async def named(turn: Turn[Any], no: int) -> None:
        turn.after("1h", remind, name="the one", no=no)

    @router.message(text="cancel")
    async def cancel(turn: Turn[Any]) -> None:
        turn.cancel("the one")

    @router.message(text="tick")
    async def tick(turn: Turn[Any]) -> None:
        turn.after(60, again, name="tick", left=2)

    return router


async def test_a_timer_is_a_turn_of_its_own_when_it_is_due() -> None:
    with World(reminding()) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("remind 1 in 2h")
        await world.advance("119min")
        assert ann.texts == ["ok"]
        await world.crash()
        await world.advance("2min")
        await world.advance("30d")
        assert (ann.texts, await ann.state()) == (["ok", "Still there, 1?"], {"reminded": [1]})


@pytest.mark.slow
def test_a_timer_fires_once_whatever_goes_wrong() -> None:
    async def scenario(world: World) -> None:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("remind 1 in 60s")
        await ann.says("remind 2 in 30s")
        await world.settle()
        await world.advance("10min")
        assert ann.texts == ["ok", "ok", "Still there, 2?", "Still there, 1?"], ann.phone()
        assert await ann.state() == {"reminded": [2, 1]}

    with World(reminding()) as world:
        assert world.explore(scenario, seeds=seeds(100), faults=ALL).runs == seeds(100)


async def test_a_reply_makes_a_timer_needless_and_the_message_that_set_it_does_not() -> None:
    with World(reminding()) as world:
        ann, bob = (world.contact("konnek", "whatsapp", name) for name in ("ann", "bob"))
        await ann.says("unless 1")
        await bob.says("unless 2")
        await world.advance("1h")
        await bob.says("I am here")
        await world.advance("2h")
        assert (ann.texts, bob.texts) == (["Still there, 1?"], [])


@pytest.mark.parametrize(("first", "said"), [("the reply", []), ("the timer", ["Still there, 1?"])])
async def test_of_a_reply_and_a_timer_that_is_due_already_the_one_that_is_first_in_line_counts(
    first: str, said: list[str]
) -> None:
    """What is due and what was said wait in one line: the order of the thread decides, no clock of a provider."""
    async with turns(reminding()) as world:
        await world.heard("unless 1", "m-1")
        await world.settle()
        world.clock.advance(3 * 3600)
        await world.dispatcher.lanes.stop(1)
        if first == "the reply":
            await world.heard("here", "m-2")
        await world.store.fire_timers(world.clock.now(), 10)
        if first == "the timer":
            await world.heard("here", "m-2")
        assert [each.event.tag for each in await world.store.inbox_after(1, 0, 10)] == (
            ["message", "timer"] if first == "the reply" else ["timer", "message"]
        )
        await world.dispatcher.lanes.start()
        await world.settle()
        assert await world.said() == said
        assert await world.store.inbox_after(1, 0, 10) == []


async def test_a_named_timer_is_cancelled_by_its_name_and_replaced_by_one_of_that_name() -> None:
    with World(reminding()) as world:
        ann, bob = (world.contact("konnek", "whatsapp", name) for name in ("ann", "bob"))
        for word in ("named 1", "named 2"):
            await ann.says(word)
        for word in ("named 3", "cancel"):
            await bob.says(word)
        await world.advance("2h")
        assert (ann.texts, bob.texts) == (["Still there, 2?"], [])


async def test_a_timer_that_is_due_and_waits_for_its_turn_can_still_be_cancelled() -> None:
    async with turns(reminding()) as world:
        await world.heard("named 1", "m-1")
        await world.settle()
        await world.dispatcher.lanes.stop(1)
        await world.heard("cancel", "m-2")
        world.clock.advance(2 * 3600)
        await world.store.fire_timers(world.clock.now(), 10)
        await world.dispatcher.lanes.start()
        await world.settle()
        assert (await world.said(), await world.reasons()) == ([], [])
        await world.heard("remind 5 in 1s", "m-3")
        await world.settle()
        assert await world.said() == ["ok"]


async def test_a_timer_may_set_itself_again_under_its_name() -> None:
    with World(reminding()) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("tick")
        await world.advance("10min")
        assert ann.texts == ["2 left", "1 left", "0 left"]


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        ("90s", 90),
        (90, 90),
        (timedelta(minutes=2), 120),
        (datetime(2025, 10, 10, 9, 5, tzinfo=UTC), 300),
        (datetime(2020, 1, 1, tzinfo=UTC), 0),
    ],
    ids=str,
)
async def test_a_delay_is_written_in_many_ways(delay: Any, seconds: float) -> None:
    router = Router()

    @router.default()
    async def go(turn: Turn[Any]) -> None:
        turn.after(delay, blocking)

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.settle()
        if seconds:
            await world.advance(seconds - 2)
            assert ann.texts == []
        await world.advance(4)
        assert ann.texts == ["blocked"]


class Bot:
    def method(self, turn: Turn[Any]) -> None: ...


def nested() -> Callable[..., Any]:
    def inner(turn: Turn[Any]) -> None: ...

    return inner


@pytest.mark.parametrize(
    ("set_it", "reason"),
    [
        (lambda turn: turn.after("soon", blocking), r"after\(\): a duration is a number"),
        (lambda turn: turn.after(-1, blocking), r"after\(\): a duration is a number"),
        (lambda turn: turn.after(timedelta(days=9999), blocking), "ten years at most"),
        (lambda turn: turn.after(datetime(2025, 1, 1), blocking), "a datetime with a time zone"),  # noqa: DTZ001 - so
        (lambda turn: turn.after("1h", lambda _: None), "at the top level of a module"),
        (lambda turn: turn.after("1h", nested()), "at the top level of a module"),
        (lambda turn: turn.after("1h", partial(remind, no=1)), "is not this one"),
        (lambda turn: turn.after("1h", Bell()), "is not this one"),
        (lambda turn: turn.after("1h", remind), "its parameter 'no' has no source"),
        (lambda turn: turn.after("1h", remind, no="x"), "do not fit its annotations"),
        (lambda turn: turn.after("1h", remind, no=1, yes=2), "it takes no 'yes'"),
        (lambda turn: turn.after("1h", remind, no=object()), r"arguments\['no'\] is a object, which is not JSON"),
        (lambda turn: turn.after("1h", remind, unless="asleep", no=1), "unless=\"replied\", not 'asleep'"),
        (lambda turn: turn.after("1h", remind, name="at", no=1), "a timer's name"),
        (lambda turn: turn.after("1h", remind, name=":ask", no=1), "a timer's name"),
        (lambda turn: turn.cancel(""), "a timer's name"),
        (lambda turn: turn.after("1h", blocking, name="a\0"), "no NUL character"),
        (lambda turn: turn.after("1h", blocking, name="\ud800"), "no lone surrogate"),
        (lambda turn: [turn.after(1, blocking) for _ in range(101)], "at most 100 timers"),
    ],
)
def test_what_could_not_work_later_is_refused_at_once(set_it: Callable[[Turn[Any]], object], reason: str) -> None:
    from tests.unit.conversation.test_turn import turn_of  # noqa: PLC0415 - only here

    with pytest.raises(HandlerError, match=reason):
        set_it(turn_of())


def test_the_function_of_a_timer_is_read_once() -> None:
    assert timer_handler(remind) is timer_handler(remind)
    assert timer_handler(remind, frozenset({"no"})) is timer_handler(remind, frozenset({"no"}))


def test_a_function_that_a_turn_made_is_not_kept() -> None:
    made = nested()
    assert timer_handler(made) is not timer_handler(made)


async def test_a_turn_that_fails_sets_no_timer() -> None:
    router = Router()

    @router.default()
    async def go(turn: Turn[Any]) -> None:
        turn.after(1, blocking)
        raise OSError("no")

    @router.error()
    async def failed(_turn: Turn[Any], _error: Exception) -> str:
        return "sorry"

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.advance(60)
        assert ann.texts == ["sorry"]
