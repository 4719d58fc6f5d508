"""Corners of dialogs and timers that a single wrong line would open: each test was seen to fail for one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from bridge import Dialog, Message, Router, Timer, Turn
from bridge.conversation.journal import digest
from bridge.testing.world import World
from tests.support.dialog_bots import asking
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


class Order(BaseModel):
    no: int


async def nudge(_turn: Turn[Timer]) -> str:
    return "Still there?"


async def anything(_turn: Turn[Timer], **told: int) -> str:
    return f"{told}"


def test_a_call_is_known_by_its_values_in_whatever_order() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest(Order(no=1)) == digest(Order(no=1)) != digest(Order(no=2))


async def test_a_timer_that_is_not_its_own_goes_past_a_dialog_that_waits() -> None:
    async def script(d: Dialog) -> str:
        d.turn.after(60, nudge)
        return f"got {await d.ask('Well?', timeout='1h')}"

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.advance("10min")
        await ann.says("yes")
        await world.settle()
        assert ann.texts == ["Well?", "Still there?", "got yes"]


async def test_a_dialog_begins_with_json_only() -> None:
    async def script(_d: Dialog, _order: Order) -> None: ...

    router = Router()
    router.dialog()(script)

    @router.default()
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(script, Order(no=1))

    async with turns(router, attempts=1) as world:
        await world.heard("go", "m-1")
        await world.settle()
        (reason,) = await world.reasons()
        assert reason.endswith("a dialog's arguments are JSON: an argument[0] is a Order, which is not JSON")


async def size(d: Dialog) -> str:
    return f"first {await d.choose('Size?', small=1, large=2)}"


async def other_size(d: Dialog) -> str:
    return f"second {await d.choose('Which size?', small=1, large=2)}"


async def last_size(d: Dialog) -> str:
    return f"third {await d.choose('What size?', small=1, large=2)}"


async def size_of(d: Dialog, what: str) -> str:
    return f"{what} {await d.ask('Size?')}"


async def at_a_question(folder: Path, script: Callable[..., Any]) -> str:
    url = f"sqlite:///{folder}/test.db"
    async with turns(asking(script), url=url) as world:
        await world.heard("go", "m-go")
        await world.settle()
    return url


async def test_of_several_versions_the_newest_takes_over_what_none_of_them_began(tmp_path: Path) -> None:
    url = await at_a_question(tmp_path, size)
    router = asking(other_size, 2)
    router.dialog(3, name="quiz")(last_size)
    async with turns(router, url=url) as world:
        for number, word in enumerate(("hm", "large")):
            await world.heard(word, f"m-{number}")
            await world.settle()
        assert [text.partition("\n")[0] for text in (await world.said())[1:]] == ["What size?", "third 2"]


async def test_one_that_cannot_begin_with_what_it_was_begun_with_is_handed_off(tmp_path: Path) -> None:
    url = await at_a_question(tmp_path, size)
    async with turns(asking(size_of, 2), url=url) as world:
        await world.heard("large", "m-1")
        await world.settle()
        assert (await world.store.thread(1)).is_held


async def test_a_button_of_before_a_restart_answers_no_question_of_after_it(tmp_path: Path) -> None:
    url = await at_a_question(tmp_path, size)
    async with turns(asking(other_size), url=url) as world:
        before = (await world.store.thread(1)).choices
        await world.heard("hm", "m-1")
        await world.settle()
        after = (await world.store.thread(1)).choices
        assert [each.title for each in before] == [each.title for each in after] == ["small", "large"]
        assert {each.key for each in before}.isdisjoint({each.key for each in after})


async def test_a_step_keeps_the_key_it_had_first() -> None:
    keys: list[str] = []

    async def pay(*, key: str) -> int:
        keys.append(key)
        if len(keys) == 1:
            raise OSError("not now")
        return 1

    async def script(d: Dialog) -> str:
        return f"{await d.step(pay, key=f'key {len(keys)}')}"

    async with turns(asking(script)) as world:
        await world.heard("go", "m-1")
        await world.wait_out()
        assert (await world.said(), keys) == (["1"], ["key 0", "key 0"])


async def test_the_key_of_a_step_is_the_same_in_a_store_that_was_restored() -> None:
    keys: list[str] = []

    async def pay(*, key: str) -> None:
        keys.append(key)

    async def script(d: Dialog) -> None:
        await d.step(pay)

    for _ in range(2):
        async with turns(asking(script)) as world:
            await world.heard("go", "m-1")
            await world.settle()
    first, second = keys
    assert first == second


async def test_what_is_noted_of_steps_goes_with_their_dialog_however_that_ends() -> None:
    def pay() -> None: ...

    async def script(d: Dialog) -> str:
        if await d.ask("Pay?") == "yes":
            await d.step(pay)
            raise OSError("after it")
        return "Another time."

    router = asking(script)

    @router.message(text="anew", anytime=True)
    async def anew(turn: Turn[Message]) -> None:
        await turn.begin(script)

    @router.error(OSError)
    async def failed(_turn: Turn[Any], _error: OSError) -> str:
        return "Sorry."

    async with turns(router) as world:
        left = []
        for number, word in enumerate(("go", "yes", "no", "go", "yes", "anew")):
            await world.heard(word, f"m-{number}")
            await world.settle()
            left.append(len(await world.store.steps(1)))
        assert left == [0, 1, 0, 0, 1, 0]
        assert await world.said() == ["Pay?", "Sorry.", "Another time.", "Pay?", "Sorry.", "Pay?"]


async def test_a_doubt_about_one_step_is_none_about_the_next() -> None:
    def look() -> None:
        raise LookupError("no")

    def pay() -> str:
        return "paid"

    async def script(d: Dialog) -> str:
        try:
            await d.step(look)
        except LookupError:
            return await d.step(pay, once=True)
        return "never"

    async with turns(asking(script)) as world:
        await world.heard("go", "m-1")
        await world.settle()
        assert await world.said() == ["paid"]


async def test_a_timer_may_be_due_at_once_and_its_function_take_whatever_it_is_given() -> None:
    router = Router()

    @router.message()
    async def go(turn: Turn[Message]) -> None:
        turn.after(0, anything, no=1, more=2)

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.settle()
        await world.advance(1)
        assert ann.texts == ["{'no': 1, 'more': 2}"]


async def test_a_function_of_a_script_that_is_run_is_not_found_by_the_next_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def late(_turn: Turn[Timer]) -> None: ...

    late.__module__, late.__qualname__ = "__main__", "late"
    monkeypatch.setattr(sys.modules["__main__"], "late", late, raising=False)
    router = Router()

    @router.message()
    async def go(turn: Turn[Message]) -> None:
        turn.after(1, late)

    async with turns(router, attempts=1) as world:
        await world.heard("go", "m-1")
        await world.settle()
        (reason,) = await world.reasons()
        assert "at the top level of a module, which __main__:late is not" in reason


async def test_a_question_whose_time_ran_out_while_a_person_had_it_waits_again_and_ends() -> None:
    async def script(d: Dialog) -> str:
        return f"got {await d.ask('Well?', timeout=60, on_timeout='Late.')}"

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.settle()
        agent = world.agent(ann)
        await agent.takes()
        await world.advance("10min")
        await agent.returns()
        await world.advance("50s")
        assert ann.texts == ["Well?"]
        await world.advance("20s")
        assert ann.texts == ["Well?", "Late."]
