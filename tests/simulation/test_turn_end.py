"""`turn.end()`: whoever says "cancel" while the bot asks is asked no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge import Dialog, Router, Turn

if TYPE_CHECKING:
    from bridge.testing.world import World


@pytest.fixture
def router() -> Router:
    router = Router()

    @router.message(text="cancel", anytime=True)
    async def cancel(turn: Turn[Any]) -> str:
        turn.end()
        return "cancelled"

    @router.message(text=["book", "leave", "in a step"])
    async def book(turn: Turn[Any]) -> None:
        await turn.begin(booking, turn.event.text)

    @router.message(text="begin and end")
    async def both(turn: Turn[Any]) -> None:
        await turn.begin(booking, "book")
        turn.end()

    @router.dialog()
    async def booking(d: Dialog, how: str) -> str:
        size = await d.choose("which?", Small="s", Large="l", timeout="1h", on_timeout="too late")
        if how == "leave":
            d.turn.end()
        if how == "in a step":
            await d.step(d.turn.end)
        return f"booked {size}"

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        return f"other: {turn.event.text}"

    return router


async def test_the_next_words_are_no_answer_and_no_time_runs_out(world: World) -> None:
    ann = world.contact("relationlabs", "group", "ann")
    for words in ("book", "cancel", "small"):
        await ann.says(words)
        await world.settle()
    assert await ann.dialog() is None
    await world.advance("2h")
    assert ann.texts[1:] == ["cancelled", "other: small"]


async def test_without_a_dialog_nothing_happens(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("cancel")
    await world.settle()
    assert ann.texts == ["cancelled"]


async def test_one_that_began_in_the_same_turn_ends_too(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("begin and end")
    await world.advance("2h")
    assert await ann.dialog() is None
    assert ann.texts == ["which?"]


async def test_inside_of_a_dialog_it_is_like_a_return(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    for words in ("leave", "small", "again"):
        await ann.says(words)
        await world.settle()
    assert ann.texts == ["which?", "other: again"]


async def test_a_step_cannot_end_its_dialog(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    for words in ("in a step", "small"):
        await ann.says(words)
        await world.settle()
    (letter,) = await world.inside(world.bridge.store.dead_letters())
    assert "return from the dialog after it" in letter.reason
