"""Steps with a price: charged before, settled after, and refused where a budget has too little left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge import Budget, BudgetSpent, Dialog, Paid, Spending
from bridge.testing import World
from tests.support.dialog_bots import asking

if TYPE_CHECKING:
    from bridge.testing.contacts import Contact

SPENDING = Spending(most=30, budgets=[Budget(name="all", limit=100)])


async def spent(world: World) -> int:
    found = await world.inside(world.bridge.store.spent("konnek", "all"))
    return 0 if found is None else found.amount


def begun(script: Any) -> tuple[World, Contact]:
    world = World(asking(script))
    return world, world.contact("konnek", "whatsapp", "ann")


@pytest.mark.parametrize(
    ("result", "cost"), [(7, 30), (Paid(7, cost=12), 12), (Paid(7, cost=0), 0), (Paid(7, cost=45), 45)]
)
async def test_a_step_is_charged_the_most_or_what_it_says(result: Any, cost: int) -> None:
    async def paid() -> Any:
        return result

    async def script(d: Dialog) -> str:
        return f"it gave {await d.step(paid, spending=SPENDING)}"

    world, ann = begun(script)
    await ann.says("go")
    await world.settle()
    assert (ann.texts, await spent(world)) == (["it gave 7"], cost)


async def test_a_step_that_raises_stays_charged() -> None:
    async def fails() -> None:
        raise ValueError("no")

    async def script(d: Dialog) -> str:
        try:
            await d.step(fails, spending=SPENDING)
        except ValueError:
            return "it failed"
        return "it did not"

    world, ann = begun(script)
    await ann.says("go")
    await world.settle()
    assert (ann.texts, await spent(world)) == (["it failed"], 30)


async def test_a_step_that_is_not_taken_raises_now_and_when_it_is_played_back() -> None:
    taken: list[int] = []

    async def paid(number: int) -> int:
        taken.append(number)
        return number

    async def script(d: Dialog) -> str:
        for number in range(9):
            try:
                await d.step(paid, number, spending=SPENDING)
            except BudgetSpent as error:
                await d.ask(f"{number} of budget {error.budget}. Go on?")
                return f"{error}"
        return "never"

    world, ann = begun(script)
    await ann.says("go")
    await world.settle()
    await world.crash()
    await world.advance("2d")  # there is enough again, and the past stays as it was
    await ann.says("yes")
    await world.settle()
    assert ann.texts == ["3 of budget all. Go on?", "the budget all is spent"]
    assert taken == [0, 1, 2]


async def test_who_does_not_catch_it_has_a_dead_letter_at_once() -> None:
    async def paid() -> None:
        return None

    async def script(d: Dialog) -> None:
        await d.step(paid, spending=Spending(most=101, budgets=[Budget(name="all", limit=100)]))

    world, ann = begun(script)
    await ann.says("go")
    await world.settle()
    assert [type(error) for error in world.errors] == [BudgetSpent]
    assert await spent(world) == 0
