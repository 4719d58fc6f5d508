"""The order bot, question by question; tests/simulation/test_orders_explored.py lets everything go wrong."""

from __future__ import annotations

import pytest

from bridge.testing.world import World
from handlers import orders
from handlers.orders import Order, Shop, router
from tests.support.order_tills import Till, wants_it_back


@pytest.fixture
def till(monkeypatch: pytest.MonkeyPatch) -> Till:
    made = Till()
    monkeypatch.setattr(orders, "payments", made)
    return made


@pytest.fixture
def world() -> World:
    return World(router)


async def test_each_order_is_asked_after_once_the_last_one_in_question(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("order 7", "My order no. 8, please")
    await world.advance("3h")
    ann.saw_once("~all well")
    ann.saw_once("~all well with order 8?")


async def test_a_reason_that_never_comes_ends_the_refund_in_a_day(world: World, till: Till) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("order 7")
    await ann.clicks("Refund")
    await world.settle()
    assert await ann.dialog() == "refund: I am sorry. What went wrong?"
    await world.advance("25h")
    ann.saw_once("Well, another time.")
    assert (await ann.dialog(), till.asked) == (None, [])


async def test_track_and_person_work_while_the_refund_waits(world: World, till: Till) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await wants_it_back(ann)
    await ann.clicks("Track")
    await world.settle()
    ann.saw_once("Order 7 is on its way, and with you tomorrow.")
    await ann.says("person")
    await world.settle()
    assert await ann.handoff() == "asked for a person, last about order 7"
    await world.agent(ann).returns()
    await ann.clicks("yes")
    await world.settle()
    ann.saw_once("~Done")
    assert till.asked == ["refund-7"]


async def test_what_was_paid_back_is_not_paid_back_again(world: World, till: Till) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await wants_it_back(ann)
    await ann.clicks("yes")
    await ann.sees("~Done")
    await ann.clicks("Refund")
    await world.settle()
    ann.saw_once("Order 7 was paid back already.")
    assert till.asked == ["refund-7"]


async def test_a_till_that_declines_is_a_matter_for_a_person(world: World, till: Till) -> None:
    till.declines = True
    ann = world.contact("konnek", "whatsapp", "ann")
    await wants_it_back(ann)
    await ann.clicks("yes")
    await world.settle()
    ann.saw_once("The till does not let me do that. Somebody will look at it.")
    assert await ann.handoff() == "the till declined: it is closed"
    till.declines = False
    await world.agent(ann).returns()
    await ann.clicks("yes")
    await world.settle()
    ann.saw_once("~Done")


async def test_a_button_is_good_for_a_week(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("order 7")
    await world.advance("8d")
    await ann.clicks("Refund")
    await world.settle()
    ann.saw_once("That button is out of date. Write: order 7")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("order 9", "There is no order 9."),
        ("Order no. 8", "~Matcha"),
        ("my order 8 is missing", "~Matcha"),
        ("hello", "~Tell me which order"),
        ("order " + "9" * 5000, "~Tell me which order"),
    ],
)
async def test_what_is_said_at_first(world: World, words: str, answer: str) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says(words)
    await world.settle()
    ann.saw_once(answer)
    assert len(ann.texts) == 1


async def test_the_shop_is_another_one_in_a_test(world: World) -> None:
    other = Shop(orders={1: Order(what="a test", price=0, where="nowhere")})
    with router.override(orders.get_shop, lambda: other):
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("order 1")
        await world.settle()
        ann.saw_once("~a test, 0 euro")


@pytest.mark.parametrize(
    ("meanwhile", "answer"), [(["still there?"], ["Nobody was free, I fear. Write: order 7"]), ([], [])]
)
async def test_who_asked_a_person_and_got_none_is_told_so_in_an_hour(
    world: World, meanwhile: list[str], answer: list[str]
) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("person")
    await world.settle()
    for words in meanwhile:
        await ann.says(words)
    ann.clears()
    await world.advance("2h")
    assert (ann.texts, await ann.handoff()) == (answer, None)
