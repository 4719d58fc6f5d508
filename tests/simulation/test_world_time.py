"""The time in a world: where it begins, what handlers see of it, and what a test reads of an error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge import Dialog, Router, Turn
from bridge.testing import World

SUNDAY = datetime(2027, 3, 28, 0, 59, 30, tzinfo=UTC)
router = Router("clock")
seen: list[datetime] = []


@router.message(text="open?")
async def hours(turn: Turn) -> str:
    return "open" if 9 <= turn.now.hour < 18 else f"closed at {turn.now:%H:%M}"


@router.message(text="later")
async def later(turn: Turn) -> None:
    turn.after("1h", remind)


async def remind(turn: Turn) -> str:
    return f"{turn.now:%H:%M}"


@router.message(text="greet")
async def greet(turn: Turn) -> str:
    return str(await turn.transcript(limit=1))


@router.message(text="ask")
async def ask(turn: Turn) -> None:
    await turn.begin(questions)


@router.dialog(version=1)
async def questions(d: Dialog) -> str:
    first = d.turn.now
    await d.ask("When?")
    seen.append(first)
    await d.ask("Really?")
    taken = await d.step(time_of_step, d.turn)
    return f"{d.turn.now - first} {taken}"


async def time_of_step(turn: Turn) -> str:
    return f"{turn.now:%H:%M:%S}"


@router.message(text="fail")
async def fail(_turn: Turn) -> None:
    raise LookupError("no such order: 17")


async def test_a_world_begins_when_it_is_told_to_and_handlers_see_its_time() -> None:
    with World(router, at=SUNDAY) as world:
        assert world.now == SUNDAY
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("open?", "later")
        await world.settle()
        ann.saw("closed at 00:59")
        await world.advance("9h")
        ann.saw("01:59")
        await ann.says("open?")
        await world.settle()
        ann.saw("open")


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="want a time with a time zone, not 2027-03-28"):
        World(router, at=SUNDAY.replace(tzinfo=None))


async def test_a_dialog_meets_the_same_time_whenever_it_is_played_back() -> None:
    seen.clear()
    with World(router, at=SUNDAY) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("ask")
        await world.settle()
        await world.advance("1h")
        await ann.says("now")
        await world.settle()
        await world.crash()
        await world.advance("1h")
        await ann.says("yes")
        await world.settle()
        assert seen == [seen[0]] * 2
        assert ann.texts[-1] == f"{timedelta(hours=2)} 02:59:30"


async def test_a_transcript_begins_with_the_user() -> None:
    with World(router, at=SUNDAY) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("open?")
        await world.settle()
        await ann.says("greet")
        await world.settle()
    assert ann.texts == ["closed at 00:59", "[{'role': 'user', 'content': 'greet'}]"]


async def test_who_saw_nothing_is_shown_the_error_that_kept_it_away() -> None:
    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("fail")
        await world.settle()
        with pytest.raises(AssertionError) as missing:
            ann.saw("~order")
        ann.saw_nothing()
    assert "A turn failed, the last one so:" in str(missing.value)
    assert [type(error) for error in world.errors] == [LookupError] * 5
    assert str(missing.value).endswith("LookupError: no such order: 17")
    (dead,) = [line for line in world.log if line["event"] == "event_dead"]
    assert dead["account"] == "konnek"
    assert str(dead["letter"]).startswith("in-")
    assert "order" not in str(dead["reason"])
    assert "LookupError at test_world_time.py:" in str(dead["reason"])
