"""While a person has a conversation, and after: nothing is lost, and all that waited goes on from where it was."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge import Message, Returned, Router, Turn, debounce
from bridge.testing.world import World
from tests.support.handoff_bots import begun, handing_over, letters, replayed


@pytest.fixture
def router() -> Router:
    return handing_over()


async def test_timers_wait_until_the_thread_is_returned(world: World) -> None:
    ann = await begun(world)
    await ann.says("later")
    await world.settle()
    await world.agent(ann).takes()
    await world.advance("15min")
    await ann.says("anybody?")
    await world.advance("15min")
    ann.saw_nothing()
    await world.agent(ann).returns()
    await world.settle()
    assert ann.texts == ["missed 1", "still there?"]  # the other one was not to be asked of who replied


async def test_a_question_waits_its_whole_time_again_when_the_thread_is_returned(world: World) -> None:
    for answers in (True, False):
        ann = world.contact("konnek", "whatsapp", f"ann {answers}")
        await ann.says("go")
        await world.settle()
        await world.agent(ann).takes()
        await world.advance("40min")
        await world.agent(ann).returns()
        await world.advance("25min")
        assert ann.texts == ["one?", "missed 0"]
        if answers:
            await ann.says("first")
        await world.advance("10min")
        assert ann.texts[2:] == (["two?"] if answers else ["too late"])


async def test_a_dialog_that_hands_off_goes_on_with_the_next_answer_after_the_return(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("go")
    await world.settle()
    await ann.says("first")
    await world.settle()
    assert await ann.handoff() == "the second one is for you"
    await ann.says("to the person")
    await world.settle()
    await world.agent(ann).returns()
    await ann.says("second")
    await world.settle()
    assert ann.texts == ["one?", "two?", "missed 1", "first, second"]


async def test_a_dead_letter_replayed_while_a_person_has_the_thread_is_kept_with_the_rest() -> None:
    router, broken = Router(), [True]

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        if broken:
            raise ValueError
        return f"heard {turn.event.text}"

    @router.on(Returned)
    async def back(turn: Turn[Returned]) -> str:
        return " ".join(each.text for each in turn.event.missed if isinstance(each, Message))

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("a")
        await world.settle()
        broken.clear()
        await world.agent(ann).takes()
        await world.settle()
        await replayed(world)
        await world.settle()
        ann.saw_nothing()
        await world.agent(ann).returns()
        await world.settle()
        assert (ann.texts, await letters(world)) == (["a"], [])


@pytest.mark.parametrize("policy", ["merge", "latest", "interrupt", "debounce"])
@pytest.mark.parametrize("first", [True, False], ids=["before", "during"])
async def test_a_burst_that_a_person_takes_is_kept_event_by_event(policy: Any, *, first: bool) -> None:
    router, ran, missed = Router(), list[str](), list[str]()

    @router.default(overlap=debounce("2s") if policy == "debounce" else policy)
    async def other(turn: Turn[Any]) -> str:
        ran.append(turn.event.text)
        await asyncio.sleep(1)
        return f"heard {turn.event.text}"

    @router.on(Returned)
    async def back(turn: Turn[Returned]) -> None:
        missed.extend(each.text for each in turn.event.missed if isinstance(each, Message))

    with World(router) as world:
        ann = world.contact("aelyst", "telegram", "ann")
        texts = [f"{number}" for number in range(6)]
        if first:
            await ann.says(*texts[:3])
            assert policy == "debounce" or await world.until(lambda: bool(ran))
        await world.agent(ann).says("let me see")
        await world.settle()
        await ann.says(*texts[3 if first else 0 :])
        await world.settle()
        ann.saw_nothing()
        await world.agent(ann).returns()
        await world.settle()
        assert missed == texts


async def test_after_quiet_time_the_bot_has_it_again_and_only_the_persons_words_prolong_it(world: World) -> None:
    ann = await begun(world)
    await ann.says("later")
    await world.settle()
    await world.agent(ann).takes()
    await world.settle()
    await world.advance("59min")
    assert await ann.handoff() is not None
    await world.advance("2min")  # two timers were due meanwhile
    assert await ann.handoff() is None
    ann.clears()
    await world.agent(ann).takes()
    await world.settle()
    await world.advance("50min")
    await world.agent(ann).takes()
    for _ in range(3):
        await world.advance("18min")
        await ann.says("anybody?")
        await world.settle()
    assert await ann.handoff() is not None
    await world.advance("7min")
    assert await ann.handoff() is None
    ann.saw_once("missed 3")


async def test_without_a_rule_what_was_kept_is_in_the_history_and_no_dead_letter() -> None:
    router = Router()

    @router.message(text="person")
    async def person(turn: Turn[Any]) -> None:
        turn.handoff()

    @router.message(text="what?")
    async def what(turn: Turn[Any]) -> str:
        return " | ".join(each["content"] for each in await turn.transcript())

    with World(router) as world:
        ann = world.contact("aelyst", "telegram", "ann")
        await ann.says("person")
        await world.settle()
        await ann.says("anybody?")
        await world.agent(ann).says("me")
        await world.settle()
        await world.agent(ann).returns()
        await ann.says("what?")
        await world.settle()
        assert sorted(ann.texts[0].replace("\n", " | ").split(" | ")) == ["anybody?", "me", "person", "what?"]
        assert await letters(world) == []


async def test_konnek_tells_who_has_a_conversation_and_both_ways_count(world: World) -> None:
    emulator: Any = world.emulator("konnek")
    ann = await begun(world)

    async def hears(text: str, *session: Any) -> str | None:
        emulator.sessions[ann.address] = dict(zip(("bot_status", "handover_by"), session, strict=False))
        await ann.says(text)
        await world.settle()
        return await ann.handoff()

    taken = "taken over at the gateway"
    assert await hears("a", True, "") is None
    assert await hears("b", False, "") is None
    assert await hears("c", False, "rina") == taken
    assert await hears("d", False, "rina") == taken
    await world.agent(ann).returns()
    assert await hears("e", False, "rina") == taken
    assert await hears("f") == taken
    assert await hears("g", True, "rina") is None
    assert ann.texts == ["heard a", "heard b", "missed 2", "missed 2", "heard g"]
    ann.clears()
    assert await hears("person", True, "rina") == "asked for a person"
    assert await hears("h", True, "rina") == "asked for a person"
    assert ann.texts == ["somebody will come"]
