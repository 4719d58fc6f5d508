"""The order bot in worlds where everything goes wrong: each reply is seen once, and money is paid back once a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from bridge.testing.world import World
from handlers import orders
from handlers.orders import Declined, Order, Payments, Shop, router

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.testing.contacts import Contact

FAULTS = frozenset({"duplicate", "reorder", "crash", "lost_answer"})

HONOUR_KEYS = (("konnek", "whatsapp"), ("relationlabs", "peer"))
"""Buttons here, and numbered text there; a repeated message with a known key is taken once at both."""

KNOW_NO_KEYS = (("ginalne", "whatsapp"), ("whautochat", "whatsapp"), ("aelyst", "telegram"))


@dataclass(slots=True)
class Till(Payments):
    """The same till, that also notes how often it was asked, and with which key."""

    asked: list[str] = field(default_factory=list)
    declines: bool = False

    async def pay_back(self, no: int, *, key: str) -> str:
        self.asked.append(key)
        if self.declines:
            raise Declined("it is closed")
        return await Payments.pay_back(self, no, key=key)

    def empty(self) -> None:
        """As it was in the morning: it is outside of the world, so worlds share it."""
        self.asked.clear()
        self.receipts.clear()


@dataclass(slots=True)
class Forgetful(Till):
    """A till that pays whenever it is asked."""

    async def pay_back(self, no: int, *, key: str) -> str:
        return await Till.pay_back(self, no, key=f"{key} {len(self.asked)}")


@pytest.fixture
def till(monkeypatch: pytest.MonkeyPatch) -> Till:
    made = Till()
    monkeypatch.setattr(orders, "payments", made)
    return made


@pytest.fixture
def world() -> World:
    return World(router)


async def wants_it_back(ann: Contact) -> None:
    """As far as the last question."""
    await ann.says("order 7")
    await ann.clicks("Refund")
    await ann.sees("~went wrong?")
    await ann.says("broken")
    await ann.sees("~pay back")


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


@pytest.mark.parametrize(("account", "channel", "seeds"), [(*HONOUR_KEYS[0], 200), (*HONOUR_KEYS[1], 100)])
def test_a_refund_is_answered_and_paid_once_whatever_goes_wrong(
    world: World, till: Till, account: str, channel: str, seeds: int
) -> None:
    again: list[int] = []

    async def scenario(world: World) -> None:
        await refunded(till, account, channel)(world)
        again.append(len(till.asked))

    assert world.explore(scenario, seeds=seeds, faults=FAULTS).runs == seeds
    assert {1, 2} <= {*again}, "no crash fell between the payment and the note that it was made"


@pytest.mark.parametrize(("account", "channel"), KNOW_NO_KEYS)
def test_where_messages_have_no_keys_it_is_so_as_long_as_no_answer_is_lost(
    world: World, till: Till, account: str, channel: str
) -> None:
    faults = FAULTS - {"lost_answer", "crash"}  # after both of them nobody knows whether the message was taken
    assert world.explore(refunded(till, account, channel), seeds=40, faults=faults).runs == 40


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

    assert world.explore(scenario, seeds=40, faults=FAULTS).runs == 40


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

    assert world.explore(scenario, seeds=60, faults=FAULTS).runs == 60


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

    assert world.explore(scenario, seeds=40, faults=FAULTS).runs == 40


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


def test_several_lines_get_one_answer(world: World) -> None:
    async def scenario(world: World) -> None:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("hello", "are you there?", "I have got a question")
        await world.settle()
        ann.saw_once("~Tell me which order")
        assert len(ann.texts) == 1, ann.phone()

    assert world.explore(scenario, seeds=40, faults={"reorder"}).runs == 40


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
