"""Signals: what happened outside, in the order of a conversation, and the dialogs that wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge import Dialog, HandlerError, Router, Signal, Turn
from bridge.errors import KeyTaken, NoThread

if TYPE_CHECKING:
    from bridge.testing.world import World


@pytest.fixture
def router() -> Router:
    router = Router()

    @router.dialog(version=1)
    async def order(d: Dialog) -> str:
        await d.say("pay here")
        paid = await d.wait("paid", timeout="2d")
        name = await d.ask(f"{paid['amount']} received. Your name?")
        shipped = await d.wait("shipped")
        return f"{name}: {shipped}"

    @router.message(text="order")
    async def begin(turn: Turn[Any]) -> None:
        await turn.begin(order)

    @router.message(text="end")
    async def end(turn: Turn[Any]) -> None:
        turn.end()

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        return f"rule: {turn.event.text}"

    @router.on(Signal)
    async def unexpected(turn: Turn[Signal]) -> str:
        return f"{turn.event.name} came unexpected: {turn.event.data}"

    return router


async def ordered(world: World) -> Any:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("order")
    await world.settle()
    assert ann.texts == ["pay here"]
    return ann


async def test_a_signal_answers_the_wait_of_its_name(world: World) -> None:
    ann = await ordered(world)
    assert await ann.dialog() == "order: paid"
    await world.signal(ann.thread, "paid", {"amount": 7})
    await world.settle()
    await ann.says("Ann")
    await world.settle()
    await world.crash()
    await world.signal(ann.thread, "shipped", "today")
    await world.settle()
    assert ann.texts[1:] == ["7 received. Your name?", "Ann: today"]
    assert await ann.dialog() is None


async def test_while_a_dialog_waits_for_a_signal_words_go_to_the_rules(world: World) -> None:
    ann = await ordered(world)
    await ann.says("hello?")
    await world.settle()
    assert ann.texts[1:] == ["rule: hello?"]
    assert await ann.dialog() == "order: paid"
    await ann.says("end")
    await world.settle()
    assert await ann.dialog() is None


async def test_a_signal_of_another_name_or_that_nothing_waits_for_goes_to_the_rules(world: World) -> None:
    ann = await ordered(world)
    await world.signal(ann.thread, "refunded", 3)
    await world.signal(ann.thread, "paid", {"amount": 1})
    await world.signal(ann.thread, "paid", {"amount": 2})
    await world.settle()
    assert ann.texts[1:] == [
        "refunded came unexpected: 3",
        "1 received. Your name?",
        "paid came unexpected: {'amount': 2}",
    ]


async def test_a_signal_that_does_not_come_in_time_ends_the_dialog(world: World) -> None:
    ann = await ordered(world)
    await world.advance("3d")
    assert await ann.dialog() is None
    await world.signal(ann.thread, "paid", {"amount": 7})
    await world.settle()
    ann.saw_nothing("~received")


async def test_a_signal_waits_while_a_person_has_the_conversation(world: World) -> None:
    ann = await ordered(world)
    await world.agent(ann).takes()
    await world.settle()
    await world.signal(ann.thread, "paid", {"amount": 7})
    await world.settle()
    ann.saw_nothing("~received")
    await world.agent(ann).returns()
    await world.settle()
    ann.saw_once("7 received. Your name?")


async def test_a_signal_under_a_key_comes_once(world: World) -> None:
    ann = await ordered(world)
    first = await world.signal(ann.thread, "paid", {"amount": 7}, key="invoice 1")
    assert await world.signal(ann.thread, "paid", {"amount": 7}, key="invoice 1") == first
    with pytest.raises(KeyTaken):
        await world.signal(ann.thread, "paid", {"amount": 8}, key="invoice 1")
    await world.settle()
    ann.saw_once("7 received. Your name?")
    ann.saw_nothing("~unexpected")
    assert await world.inside(world.bridge.store.dead_letters()) == []


@pytest.mark.parametrize(
    ("name", "data", "key"),
    [
        ("", None, None),
        ("n" * 201, None, None),
        ("paid", {"x": "\0"}, None),
        ("paid", {"x": "\ud800"}, None),
        ("paid", "x" * 65_536, None),
        ("paid", None, ""),
    ],
    ids=["no name", "long name", "NUL", "surrogate", "large", "no key"],
)
async def test_what_cannot_be_kept_is_refused(world: World, name: str, data: object, key: str | None) -> None:
    ann = await ordered(world)
    with pytest.raises(HandlerError):
        await world.signal(ann.thread, name, data, key=key)


async def test_a_conversation_that_has_not_begun_takes_no_signal(world: World) -> None:
    ann = await ordered(world)
    nobody = type(ann.thread)(ann.account, ann.provider, ann.channel, "nobody")
    with pytest.raises(NoThread):
        await world.signal(nobody, "paid")
