"""The assistant in worlds: what it says, calls and asks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge import HandlerError, debounce
from handlers.assistant import tool
from tests.support.assistants import Till, answered, failing, met, say, shop
from tests.support.priced_model import PricedModel, calls, said

SORRY = "One moment, somebody will answer you here."


# Answers


async def test_the_model_reads_the_conversation_and_its_instructions() -> None:
    model = PricedModel(answered)
    world, ann = met(shop(model))
    assert await say(world, ann, "hello") == ["You said: hello"]
    assert await say(world, ann, "again") == ["You said: again"]
    assert model.requests[-1]["messages"] == [
        {"role": "system", "content": "You sell tea."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "You said: hello"},
        {"role": "user", "content": "again"},
    ]


async def test_a_long_conversation_is_read_from_the_newest_back() -> None:
    model = PricedModel(answered)
    world, ann = met(shop(model, history=50))
    for number in range(12):
        await say(world, ann, f"{number} {'x' * 3000}")
    read = [message["content"] for message in model.requests[-1]["messages"][1:]]
    assert read[-1].startswith("11 ")
    assert 20_000 < sum(map(len, read)) <= 24_000


async def test_however_much_a_model_and_its_tools_say_the_dialog_remembers_it() -> None:
    async def much(no: int) -> list[str]:
        """Much."""
        return ["日本"] * 10_000 * no

    model = PricedModel(lambda _: calls(*[("much", '{"no": 1}')] * 2), seconds=0)
    world, ann = met(shop(model, tools=[tool(much)], fallback=lambda _turn, reason: f"({reason})"))
    for number in range(9):
        assert await say(world, ann, f"{number} {'日' * 1300}") == ["(rounds)"]
    assert not world.errors
    results = [said["content"] for said in model.requests[-1]["messages"] if said["role"] == "tool"]
    assert len(results) >= 2
    assert all(7_990 < len(result.encode()) <= 8_006 for result in results)


async def test_an_answer_that_is_too_long_to_remember_is_given_up() -> None:
    world, ann = met(shop(failing(said("x" * 32_001)), max_tokens=10_000))
    assert await say(world, ann, "?") == [SORRY]
    assert await ann.handoff() == "assistant: model, answer too long"


async def test_instructions_may_depend_on_the_turn() -> None:
    model = PricedModel(answered)
    world, ann = met(shop(model, instructions=lambda turn: f"You speak to {turn.contact.name}."))
    await say(world, ann, "hello")
    assert model.requests[0]["messages"][0]["content"] == "You speak to ann."


async def test_settings_are_part_of_each_request() -> None:
    model = PricedModel(answered)
    world, ann = met(shop(model, settings={"temperature": 0.2}))
    await say(world, ann, "hello")
    assert model.requests[0]["temperature"] == 0.2


async def test_markdown_is_made_to_fit_the_channel() -> None:
    world, ann = met(shop(failing(said("It is **7**."))))
    assert await say(world, ann, "?") == ["It is *7*."]


async def test_an_answer_that_the_model_cuts_is_continued() -> None:
    model = failing(said("The end is", finish="length"), said(" near."))
    world, ann = met(shop(model))
    assert await say(world, ann, "?") == ["The end is near."]
    assert model.requests[-1]["messages"][-2]["content"] == "The end is"


async def test_it_is_silent_in_groups_unless_it_is_told_not_to_be() -> None:
    for groups in (False, True):
        world, ann = met(shop(groups=groups), "konnek", "whatsapp")
        assert bool(await say(world, ann, "hello"))
        group = world.contact("relationlabs", "group", "bob")
        assert bool(await say(world, group, "hello")) == groups


# Tools


@pytest.mark.parametrize(
    ("call", "result"),
    [
        ('order_status {"no": 7}', 'Done: {"no":7,"where":"on its way"}'),
        ("whose {}", "Done: ann"),
        ('order_status {"no": 101}', "Done: there is no order 101"),
        ('order_status {"no": 13}', "Done: It failed."),
        ('order_status {"no": "seven"}', "~Done: wrong arguments: no: "),
        ('order_status {"number": 7}', "~number: Extra inputs"),
        ("order_status {", "~Done: wrong arguments"),
        ("launch {}", "Done: There is no tool launch. There is: order_status, refund, whose, misprogrammed."),
    ],
)
async def test_what_a_tool_gives_or_refuses_is_told_to_the_model(call: str, result: str) -> None:
    world, ann = met(shop())
    (text,) = await say(world, ann, f"call {call}")
    assert result[1:] in text if result.startswith("~") else text == result


async def test_a_tool_that_takes_too_long_is_left() -> None:
    async def slow() -> str:
        """Be slow."""
        await asyncio.sleep(3600)
        return "done"

    world, ann = met(shop(tools=[tool(slow, timeout=20)]))
    assert await say(world, ann, "call slow {}") == ["Done: It took too long, and may have happened all the same."]


async def test_a_result_that_is_not_json_is_the_authors_mistake() -> None:
    world, ann = met(shop())
    await say(world, ann, "call misprogrammed {}")
    assert any(isinstance(error, HandlerError) for error in world.errors)


async def test_endless_calls_of_tools_end() -> None:
    model = PricedModel(lambda _: calls(("order_status", '{"no": 7}')))
    world, ann = met(shop(model, rounds=4))
    assert await say(world, ann, "?") == [SORRY]
    assert await ann.handoff() == "assistant: rounds"
    assert len(model.requests) == 4


async def test_several_calls_at_once_are_made_in_order() -> None:
    model = failing(calls(("whose", "{}"), ("order_status", '{"no": 7}')))
    world, ann = met(shop(model))
    await say(world, ann, "?")
    results = [message["content"] for message in model.requests[-1]["messages"] if message["role"] == "tool"]
    assert results == ["ann", '{"no":7,"where":"on its way"}']


# Confirmation


@pytest.mark.parametrize(
    ("answer", "result", "receipts"),
    [
        ("Yes", "Done: paid back order 7", [7]),
        ("No", "Done: The contact refuses.", []),
        ("wait, which one?", "Done: The contact did not confirm, and wrote: wait, which one?", []),
    ],
)
async def test_a_contact_confirms_and_may_take_days_over_restarts(
    answer: str, result: str, receipts: list[int]
) -> None:
    till = Till()
    world, ann = met(shop(till=till, confirm_timeout="7d"))
    assert await say(world, ann, "refund 7") == ["Refund order 7?"]
    await world.crash("2d")
    await world.advance("3d")
    await (ann.says(answer) if "?" in answer else ann.clicks(answer))
    await world.settle()
    assert (ann.texts[1:], [*till.receipts.values()]) == ([result], receipts)


async def test_who_never_confirms_gets_nothing_done() -> None:
    till = Till()
    world, ann = met(shop(till=till))
    await say(world, ann, "refund 7")
    await world.advance("2d")
    assert (till.receipts, await ann.dialog()) == ({}, None)
    assert await say(world, ann, "hello") == ["You said: hello"]


async def test_the_instructions_may_change_while_a_contact_has_to_confirm() -> None:
    text = ["You sell tea."]
    world, ann = met(shop(instructions=lambda _turn: text[0]))
    await say(world, ann, "refund 7")
    text[0] = "You sell coffee."
    await ann.clicks("Yes")
    await world.settle()
    assert ann.texts[-1] == "Done: paid back order 7"


# What comes while it works


@pytest.mark.parametrize(
    ("overlap", "texts"),
    [
        ("queue", ["You said: one", "You said: two", "You said: three"]),
        ("merge", ["You said: one", "You said: three"]),
        ("interrupt", ["You said: three"]),
        (debounce("10s"), ["You said: three"]),
    ],
    ids=["queue", "merge", "interrupt", "debounce"],
)
async def test_a_question_that_comes_while_it_works_goes_by_policy(overlap: Any, texts: list[str]) -> None:
    model = PricedModel(answered, seconds=3.0)
    world, ann = met(shop(model, overlap=overlap))
    await ann.says("one")
    await world.until(lambda: bool(model.requests) or overlap not in {"queue", "merge", "interrupt"})
    await ann.says("two", "three")
    await world.settle()
    assert ann.texts == texts
    last = model.requests[-1]["messages"]
    assert [words for said in last if said["role"] == "user" for words in said["content"].splitlines()] == [
        "one",
        "two",
        "three",
    ]


async def test_what_acted_before_it_is_interrupted_does_not_act_again() -> None:
    till = Till()

    def rule(messages: list[dict[str, Any]]) -> dict[str, Any]:
        return said("Done.") if messages[-1]["role"] == "tool" else calls(("refund", '{"no": 7}'))

    model = PricedModel(rule, seconds=3.0)
    world, ann = met(shop(model, till, overlap="interrupt", tools=[tool(till.refund)]))
    await ann.says("refund 7")
    await world.until(lambda: bool(till.receipts))
    await ann.says("please")
    await world.settle()
    assert len(till.asked) == 2, "the model called it again, for the question with more words"
    assert len(till.receipts) == 1
    ann.saw_once("Done.")


async def test_progress_leaves_at_once_and_words_that_come_then_join_the_question() -> None:
    model = PricedModel(answered)

    async def look(no: int) -> str:
        """Look it up."""
        await asyncio.sleep(30)
        return f"{no} found"

    world, ann = met(shop(model, tools=[tool(look, progress="I look it up.")]))
    await ann.says('call look {"no": 7}')
    assert await world.until(lambda: ann.texts == ["I look it up."])
    await world.settle()
    assert ann.texts == ["I look it up.", "Done: 7 found"]
