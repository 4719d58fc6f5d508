"""The order bot in worlds where everything goes wrong: each reply is seen once, and money is paid back once a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.testing.world import World
from handlers import orders
from handlers.orders import router
from tests.support.order_tills import Forgetful, Till, wants_it_back
from tests.support.searches import seeds
from tests.support.worlds import LASTING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FAULTS = frozenset({"duplicate", "reorder", "crash", "lost_answer"})

HONOUR_KEYS = (("konnek", "whatsapp"), ("relationlabs", "peer"))
"""Buttons here, and numbered text there; a repeated message with a known key is taken once at both."""

KNOW_NO_KEYS = (("ginalne", "whatsapp"), ("whautochat", "whatsapp"), ("aelyst", "telegram"))


@pytest.fixture
def till(monkeypatch: pytest.MonkeyPatch) -> Till:
    made = Till()
    monkeypatch.setattr(orders, "payments", made)
    return made


@pytest.fixture
def world() -> World:
    return World(router)


def refunded(till: Till, account: str, channel: str) -> Callable[[World], Awaitable[None]]:
    """A scenario: an order, a press, a reason, a yes; nothing is said or paid twice, and nobody is left waiting."""

    async def scenario(world: World) -> None:
        till.empty()
        ann = world.contact(account, channel, "ann")
        await wants_it_back(ann)
        await ann.clicks("yes")
        await world.settle()
        for text in ("~Order 7: 3 x Sencha", "~went wrong?", "~pay back order 7?", "~Done: the money for order 7"):
            ann.saw_once(text)
        assert len(ann.texts) == 4, ann.phone()
        assert till.receipts == {"refund-7": "R7-1"}
        assert await ann.state() == {"order": 7, "refunded": [7]}
        assert (await ann.dialog(), await ann.handoff()) == (None, None)

    return scenario


@pytest.mark.parametrize(("account", "channel", "whole"), [(*HONOUR_KEYS[0], 200), (*HONOUR_KEYS[1], 100)])
def test_a_refund_is_answered_and_paid_once_whatever_goes_wrong(
    world: World, till: Till, account: str, channel: str, whole: int
) -> None:
    again: list[int] = []

    async def scenario(world: World) -> None:
        await refunded(till, account, channel)(world)
        again.append(len(till.asked))

    assert world.explore(scenario, seeds=seeds(whole), faults=FAULTS).runs == seeds(whole)
    assert {1, 2} <= {*again}, "no crash fell between the payment and the note that it was made"


def survives(world: World, till: Till, place: tuple[str, str], runs: int) -> None:
    assert world.explore(refunded(till, *place), seeds=runs, faults={*FAULTS, *LASTING}).runs == runs


@pytest.mark.parametrize("place", HONOUR_KEYS)
def test_it_is_so_whatever_goes_wrong_for_a_while(world: World, till: Till, place: tuple[str, str]) -> None:
    survives(world, till, place, 3)


@pytest.mark.soak
@pytest.mark.parametrize("place", HONOUR_KEYS)
def test_it_is_so_in_a_long_run_whatever_goes_wrong_for_a_while(
    world: World, till: Till, place: tuple[str, str]
) -> None:
    survives(world, till, place, 500)


@pytest.mark.parametrize(("account", "channel"), KNOW_NO_KEYS)
def test_where_messages_have_no_keys_it_is_so_as_long_as_no_answer_is_lost(
    world: World, till: Till, account: str, channel: str
) -> None:
    faults = FAULTS - {"lost_answer", "crash"}  # after both of them nobody knows whether the message was taken
    assert world.explore(refunded(till, account, channel), seeds=seeds(40), faults=faults).runs == seeds(40)


@pytest.mark.parametrize(("account", "channel"), KNOW_NO_KEYS)
def test_where_messages_have_no_keys_money_is_paid_once_all_the_same(
    world: World, till: Till, account: str, channel: str
) -> None:
    async def scenario(world: World) -> None:
        till.empty()
        ann = world.contact(account, channel, "ann")
        await wants_it_back(ann)
        await ann.clicks("yes")
        await world.settle()
        ann.saw("~Order 7", "~went wrong?", "~pay back", "~Done")
        assert till.receipts == {"refund-7": "R7-1"}

    assert world.explore(scenario, seeds=seeds(40), faults=FAULTS).runs == seeds(40)


def test_a_till_that_heeds_no_key_pays_twice_when_the_process_dies_in_the_very_middle(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other half of the promise: a step is taken at least once, and only its key makes that once."""
    till = Forgetful()
    monkeypatch.setattr(orders, "payments", till)
    paid: set[int] = set()

    async def scenario(world: World) -> None:
        till.empty()
        ann = world.contact("konnek", "whatsapp", "ann")
        await wants_it_back(ann)
        await ann.clicks("yes")
        await world.settle()
        ann.saw_once("~Done")
        paid.add(len(till.receipts))

    world.explore(scenario, seeds=100, faults={"crash"})
    assert paid >= {1, 2}


def test_who_says_no_is_handed_to_a_person_and_the_bot_is_silent_until_it_is_returned(world: World, till: Till) -> None:
    async def scenario(world: World) -> None:
        till.empty()
        ann = world.contact("relationlabs", "peer", "ann")
        await wants_it_back(ann)
        await ann.clicks("no")
        await world.settle()
        assert ann.texts[-1] == "Then somebody will look at it with you.", ann.phone()
        assert await ann.handoff() == "order 7: broken"
        ann.clears()
        await ann.says("is anybody there?")
        await world.advance("30m")
        ann.saw_nothing()
        await world.agent(ann).returns()
        await ann.says("order 8")
        await world.settle()
        ann.saw_once("~1 x Matcha")
        assert len(ann.texts) == 1, ann.phone()
        assert (till.asked, await ann.handoff()) == ([], None)

    assert world.explore(scenario, seeds=seeds(60), faults=FAULTS).runs == seeds(60)


@pytest.mark.parametrize(("account", "channel"), HONOUR_KEYS)
def test_who_says_nothing_more_is_reminded_once_and_nobody_else_is(world: World, account: str, channel: str) -> None:
    async def scenario(world: World) -> None:
        ann, bob = (world.contact(account, channel, name) for name in ("ann", "bob"))
        for each in (ann, bob):
            await each.says("order 7")
        await ann.clicks("Track")
        await world.settle()
        await world.advance("1h 59m")
        bob.saw_nothing("~all well")
        await world.advance("2m")
        bob.saw_once("~Is all well with order 7?")
        ann.saw_once("~on its way")
        await world.advance("7d")
        bob.saw_once("~Is all well")
        ann.saw_nothing("~all well")

    assert world.explore(scenario, seeds=seeds(40), faults=FAULTS).runs == seeds(40)


def test_several_lines_get_one_answer(world: World) -> None:
    async def scenario(world: World) -> None:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("hello", "are you there?", "I have got a question")
        await world.settle()
        ann.saw_once("~Tell me which order")
        assert len(ann.texts) == 1, ann.phone()

    assert world.explore(scenario, seeds=seeds(40), faults={"reorder"}).runs == seeds(40)
