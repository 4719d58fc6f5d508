"""While a person has a conversation, a bot may say what it was told to say then, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge import Button, Buttons, Dialog, Message, Returned, Router, Turn

if TYPE_CHECKING:
    from bridge.testing.world import World


async def busy(turn: Turn[Any]) -> str:
    del turn
    return "sorry, still busy"


async def asked(turn: Turn[Any]) -> str:
    return f"asked {turn.state['asked']} times"


@pytest.fixture
def router() -> Router:
    router = Router()

    @router.message(text="person", anytime=True)
    async def person(turn: Turn[Any]) -> str:
        turn.after("20min", busy)
        turn.after("30min", busy, unless="replied")
        turn.handoff("asked for a person")
        return "somebody will come"

    @router.on_held(lambda event: isinstance(event, Message) and event.text.startswith("how long"))
    async def held(turn: Turn[Any]) -> Buttons:
        turn.state["asked"] = turn.state.get("asked", 0) + 1
        turn.after("5min", asked)
        return Buttons("ten minutes", [Button("mail", "Mail me")])

    @router.on_held(lambda event: event.tag == "postback")
    async def pressed(turn: Turn[Any]) -> str:
        return f"pressed {turn.event.key}"

    @router.on_held(lambda event: isinstance(event, Message) and event.text == "quiz")
    async def refused(turn: Turn[Any]) -> None:
        await turn.begin(quiz)

    @router.message(text="quiz")
    async def quizzes(turn: Turn[Any]) -> None:
        await turn.begin(quiz)

    @router.dialog()
    async def quiz(d: Dialog) -> str:
        return f"quiz: {await d.ask('one?')}"

    @router.on(Returned)
    async def back(turn: Turn[Returned]) -> str:
        return f"missed {len(turn.event.missed)}"

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        return f"heard {turn.event.text}"

    return router


async def test_a_rule_for_the_while_answers_and_the_person_keeps_the_thread(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    for words in ("person", "hello?", "how long?"):
        await ann.says(words)
        await world.settle()
    await ann.clicks("Mail me")
    await world.settle()
    assert ann.texts == ["somebody will come", "ten minutes", "pressed mail"]
    assert await ann.handoff() == "asked for a person"
    await world.agent(ann).returns()
    await world.settle()
    assert ann.texts[-1] == "missed 3"
    assert not await world.inside(world.bridge.store.dead_letters())


async def test_a_number_typed_meanwhile_is_the_press_it_stands_for(world: World) -> None:
    ann = world.contact("relationlabs", "group", "ann")
    for words in ("person", "how long?", "1"):
        await ann.says(words)
        await world.settle()
    assert ann.texts[-1] == "pressed mail"


async def test_its_answers_do_not_prolong_the_quiet_time(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("person")
    for _ in range(4):
        await world.advance("14min")
        await ann.says("how long?")
        await world.settle()
    assert await ann.handoff() is not None
    await world.advance("5min")
    assert await ann.handoff() is None


async def test_timers_of_the_handoff_have_their_turns_until_the_person_does_something(world: World) -> None:
    for speaks in (False, True):
        ann = world.contact("aelyst", "telegram", f"ann {speaks}")
        await ann.says("person")
        await world.settle()
        await world.advance("10min")
        await ann.says("hello?")
        if speaks:
            await world.agent(ann).says("Hello, this is Bob.")
        await world.advance("25min")
        own = ["somebody will come"] if speaks else ["somebody will come", "sorry, still busy"]
        assert [text for text in ann.texts if "Bob" not in text] == own
        assert await ann.handoff() is not None


async def test_a_timer_of_a_held_turn_sees_the_state_that_it_left(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    for words in ("person", "how long?", "how long really?"):
        await ann.says(words)
        await world.settle()
    await world.advance("6min")
    assert ann.texts[-2:] == ["asked 2 times", "asked 2 times"]


async def test_the_dialog_that_waits_gets_no_words_meanwhile(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    for words in ("quiz", "person", "how long?"):
        await ann.says(words)
        await world.settle()
    await world.agent(ann).returns()
    await ann.says("answer")
    await world.settle()
    assert ann.texts == ["one?", "somebody will come", "ten minutes", "missed 1", "quiz: answer"]


async def test_no_dialog_begins_meanwhile(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    for words in ("person", "quiz"):
        await ann.says(words)
        await world.settle()
    (letter,) = await world.inside(world.bridge.store.dead_letters())
    assert "a dialog begins after its return" in letter.reason
