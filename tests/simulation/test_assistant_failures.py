"""The assistant in worlds: what it spends, and what it does when it cannot answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Button, Buttons, HandlerError
from handlers.assistant import Limits, ModelFailed, Prices, to_person, tool
from tests.support.assistants import Till, answered, failing, met, say, shop
from tests.support.priced_model import PricedModel, calls, said

if TYPE_CHECKING:
    from bridge import Turn
    from bridge.testing import World

SORRY = "One moment, somebody will answer you here."


async def spent(world: World, budget: str) -> int:
    found = await world.inside(world.bridge.store.spent("konnek", budget))
    return 0 if found is None else found.amount


# Money


async def test_what_is_spent_is_counted_for_the_contact_and_the_account() -> None:
    model = PricedModel(answered)
    world, ann = met(shop(model, limits=Limits(contact_day="1", contact_month="2", account_day="3", account_month="4")))
    await say(world, ann, "hello")
    names = ("contact 1 day", "contact 1 month", "all day", "all month")
    assert [await spent(world, f"assistant {name}") for name in names] == [model.paid] * 4
    assert model.paid > 0


async def test_a_contact_who_spent_it_all_waits_until_tomorrow_and_others_go_on() -> None:
    model = PricedModel(answered)
    world, ann = met(shop(model, limits=Limits(contact_day="0.005"), fallback=lambda _turn, reason: f"({reason})"))
    bob = world.contact("konnek", "whatsapp", "bob")
    texts = [(await say(world, ann, "hello"))[0] for _ in range(12)]
    assert texts[0] == "You said: hello"
    assert texts[-1] == "(budget)"
    assert await say(world, bob, "hello") == ["You said: hello"]
    await world.advance("1d")
    assert await say(world, ann, "hello") == ["You said: hello"]


async def test_an_account_that_spent_it_all_answers_nobody() -> None:
    model = PricedModel(answered)
    world, ann = met(shop(model, limits=Limits(account_day="0.0035"), fallback=lambda _turn, reason: f"({reason})"))
    bob = world.contact("konnek", "whatsapp", "bob")
    for _ in range(4):
        await say(world, ann, "hello")
    assert await say(world, bob, "hello") == ["(budget)"]
    cat = world.contact("relationlabs", "peer", "cat")
    assert await say(world, cat, "hello") == ["You said: hello"], "another account"


async def test_a_tool_with_a_price_is_charged() -> None:
    model = PricedModel(answered)
    world, ann = met(shop(model, limits=Limits(account_day="1"), tools=[tool(Till().refund, price="0.25")]))
    await say(world, ann, "refund 7")
    assert await spent(world, "assistant all day") == model.paid + 250_000


async def test_a_call_that_may_have_been_billed_counts_with_the_most_it_costs() -> None:
    for failure, is_counted in (
        (ModelFailed("cut", again=True, billed=True), True),
        (ModelFailed("status 429", again=True), False),
    ):
        model = failing(failure)
        world, ann = met(shop(model, limits=Limits(account_day="1")))
        assert await say(world, ann, "hello") == ["You said: hello"]
        assert (await spent(world, "assistant all day") > model.paid) is is_counted


# No answer


@pytest.mark.parametrize(
    ("failures", "seen", "note", "requests"),
    [
        ([ModelFailed("status 429", again=True)] * 2, "You said: hello", None, 3),
        ([ModelFailed("status 500", again=True)] * 9, SORRY, "assistant: model, status 500", 3),
        ([ModelFailed("status 401")], SORRY, "assistant: model, status 401", 1),
        ([said("  ")], "You said: hello", None, 2),
        ([{"message": 7}], "You said: hello", None, 2),
        ([RuntimeError("words")] * 9, SORRY, "assistant: model, RuntimeError", 3),
    ],
    ids=["throttled", "broken", "refused", "blank", "malformed", "an error of its own"],
)
async def test_a_model_that_fails_is_asked_again_or_a_person_is(
    failures: list[Any], seen: str, note: str | None, requests: int
) -> None:
    model = failing(*failures)
    world, ann = met(shop(model))
    assert await say(world, ann, "hello") == [seen]
    assert (await ann.handoff(), len(model.requests)) == (note, requests)


async def test_a_call_that_takes_too_long_is_tried_again_and_then_given_up() -> None:
    model = PricedModel(answered, seconds=100.0)
    world, ann = met(shop(model, call_timeout=10.0))
    assert await say(world, ann, "hello") == [SORRY]
    assert (await ann.handoff(), len(model.requests)) == ("assistant: timeout", 3)


async def test_an_answer_has_a_time_in_all() -> None:
    model = PricedModel(lambda _: calls(("whose", "{}")), seconds=9.0)
    world, ann = met(shop(model, timeout=30.0, rounds=100))
    assert await say(world, ann, "hello") == [SORRY]
    assert (await ann.handoff(), len(model.requests)) == ("assistant: timeout", 4)


async def test_the_fallback_may_be_a_menu() -> None:
    async def menu(_turn: Turn[Any], _reason: str) -> Buttons:
        return Buttons("What would you like?", [Button("teas", "Teas")])

    world, ann = met(shop(failing(ModelFailed("status 401")), fallback=menu))
    (text,) = await say(world, ann, "hello")
    assert text == "What would you like?"
    assert await ann.handoff() is None


async def test_to_person_has_a_text_of_its_own() -> None:
    world, ann = met(shop(failing(ModelFailed("status 401")), fallback=to_person("Wait.")))
    assert await say(world, ann, "hello") == ["Wait."]


# Secrets


async def test_no_prompt_answer_argument_or_error_is_in_the_log() -> None:
    world, ann = met(shop(instructions="PROMPT"))
    for words in ("WORDS", 'call order_status {"no": 13}', "call whose {", 'call launch {"a": "ARGUMENT"}', "refund 7"):
        await say(world, ann, words)
    await ann.clicks("Yes")
    await world.settle()
    other, bob = met(shop(failing(*[RuntimeError("DETAIL")] * 9)))
    await say(other, bob, "WORDS")
    lines = [*world.log, *other.log]
    assert {"assistant_tool_failed", "assistant_gave_up"} <= {line["event"] for line in lines}
    assert not re.search(r"PROMPT|WORDS|ARGUMENT|DETAIL|secret of|You said|paid back|Refund order", repr(lines))


# Mistakes


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"prices": None, "limits": Limits(account_day="1")}, "limits need the model's prices"),
        ({"tools": [Till().refund, Till().refund]}, "two tools of an assistant have one name"),
        ({"tools": [lambda no: no]}, "docstring"),
        ({"history": 1001}, "from 1 to 1000"),
        ({"tries": 0}, "from 1 on"),
    ],
    ids=["no prices", "two of a name", "no docstring", "too much history", "no try"],
)
def test_an_assistant_that_cannot_work_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(HandlerError, match=problem):
        shop(**options)


@pytest.mark.parametrize("amount", ["", "x", "-1", "NaN", "Infinity", 0.5, None])
def test_money_is_no_float_and_not_less_than_nothing(amount: Any) -> None:
    with pytest.raises(HandlerError, match="amount of money as a text"):
        Prices(amount, "1")
    if amount is not None:
        with pytest.raises(HandlerError, match="amount of money as a text"):
            Limits(contact_day=amount)
