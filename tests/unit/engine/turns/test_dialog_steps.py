"""Steps of dialogs: taken once where that can be, under one key where it cannot, and their errors kept like results."""

from __future__ import annotations

import asyncio

from bridge import Dialog  # noqa: TC001 - read from annotations
from bridge.testing.world import World
from tests.support.dialog_bots import asking, play


async def test_a_step_that_ended_is_not_taken_again_when_its_turn_is() -> None:
    calls: list[str] = []

    def charge(no: int, key: str) -> dict[str, int]:
        calls.append(key)
        return {"charged": no}

    async def script(d: Dialog) -> str:
        found = await d.step(charge, 7)
        if len(calls) == 1 and d.turn.state.setdefault("n", 0) == 0 and fails:
            fails.pop()
            raise OSError("after the step")
        again = await d.step(charge, 7)
        return f"{found} {again}"

    fails = [1, 1]
    assert await play(script) == ["{'charged': 7} {'charged': 7}"]
    assert (len(calls), len(set(calls)), fails) == (2, 2, [])


async def test_a_step_cut_short_is_taken_again_under_the_same_key() -> None:
    keys: list[str] = []

    async def slow(*, key: str) -> str:
        keys.append(key)
        if len(keys) == 1:
            await asyncio.Event().wait()
        return "done"

    async def script(d: Dialog) -> str:
        return await d.step(slow)

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.until(lambda: bool(keys))
        await world.crash()
        await world.settle()
        assert (ann.texts, len(keys), len(set(keys))) == (["done"], 2, 1)


async def test_a_step_that_may_not_be_repeated_is_left_to_a_person() -> None:
    keys: list[str] = []

    async def slow(*, key: str) -> str:
        keys.append(key)
        await asyncio.Event().wait()
        return "never"

    async def script(d: Dialog) -> str:
        await d.say("One moment.")
        return await d.step(slow, once=True)

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.until(lambda: bool(keys))
        await world.crash()
        await world.settle()
        await ann.says("hello?")
        await world.settle()
        assert (ann.texts, len(keys)) == (["One moment."], 1)
        (thread,) = await world.inside(world.bridge.store.threads())
        row = await world.inside(world.bridge.store.thread(thread.id))
        assert row.hold.note is not None
        assert "nobody knows whether step 2" in row.hold.note
        assert row.dialog is None


class Refusal(Exception):
    def __init__(self, code: int, why: str) -> None:
        super().__init__(code, why)
        self.code = code


async def test_an_error_of_a_step_that_the_dialog_caught_is_raised_again_when_it_is_played_again() -> None:
    calls: list[int] = []

    def pay() -> None:
        calls.append(1)
        raise Refusal(51, "no funds")

    async def script(d: Dialog) -> str:
        try:
            await d.step(pay)
        except Refusal as error:
            await d.ask(f"Refused ({error.args[0]}). Another card?")
            return f"{error.args[1]}, {type(error).__name__}"
        return "paid"

    assert await play(script, "yes") == ["Refused (51). Another card?", "no funds, Refusal"]
    assert len(calls) == 1
