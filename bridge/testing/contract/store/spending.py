"""The Store port's promises about budgets: what a step may cost is taken before it, and settled after it, once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bridge.errors import BudgetSpent
from bridge.store.records import StepRow
from bridge.store.spending import KEPT, Charge, Spent
from bridge.testing.contract.store.desk import AT, Desk
from bridge.testing.contract.store.suite import StoreSuite

if TYPE_CHECKING:
    from bridge.store.records import InboxRow

TODAY, TOMORROW = "2026-11-29", "2026-11-30"


def charge(amount: int, budget: str = "all", *, period: str = TODAY, limit: int = 100, account: str = "shop") -> Charge:
    return Charge(account=account, budget=budget, period=period, amount=amount, limit=limit)


def step(row: InboxRow, position: int, *charges: Charge, at: int = AT) -> StepRow:
    return StepRow(
        thread_id=row.thread_id, run="run", position=position, call="f", key=f"k{position}", at=at, charges=charges
    )


def ended(begun: StepRow, cost: int) -> StepRow:
    return replace(begun, result=b"1", cost=cost)


class SpendingContract(StoreSuite):
    """Budgets that steps are charged to."""

    async def test_a_step_is_charged_before_it_and_settled_after_it(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        assert await desk.store.spent("shop", "all") is None
        begun = step(row, 0, charge(60), charge(60, "ann"))
        await desk.store.start_step(begun)
        await desk.reopen()
        assert await desk.store.spent("shop", "all") == Spent(TODAY, 60)
        await desk.store.end_step(ended(begun, 25))
        await desk.reopen()
        assert await desk.store.spent("shop", "all") == await desk.store.spent("shop", "ann") == Spent(TODAY, 25)
        assert await desk.store.spent("other", "all") is None

    async def test_a_step_that_one_of_its_budgets_has_too_little_for_is_not_noted_and_costs_nothing(
        self, desk: Desk
    ) -> None:
        (row,) = await desk.hear("1")
        await desk.store.start_step(step(row, 0, charge(60, "ann")))
        with pytest.raises(BudgetSpent, match="ann"):
            await desk.store.start_step(step(row, 1, charge(60), charge(41, "ann")))
        assert await desk.store.spent("shop", "all") is None
        assert [noted.position for noted in await desk.store.steps(row.thread_id)] == [0]
        await desk.store.start_step(step(row, 1, charge(40), charge(40, "ann")))
        assert await desk.store.spent("shop", "ann") == Spent(TODAY, 100)

    async def test_a_step_that_is_tried_again_is_charged_again_and_one_that_ended_is_not(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        begun = step(row, 0, charge(30))
        await desk.store.start_step(begun)
        await desk.store.start_step(begun)
        assert await desk.store.spent("shop", "all") == Spent(TODAY, 60)
        for _ in range(2):  # an answer was lost, and the store is told again
            await desk.store.end_step(ended(begun, 10))
            assert await desk.store.spent("shop", "all") == Spent(TODAY, 40)
        assert (await desk.store.start_step(begun)) is not None
        assert await desk.store.spent("shop", "all") == Spent(TODAY, 40)

    async def test_a_step_may_cost_more_than_was_thought(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        begun = step(row, 0, charge(30))
        await desk.store.start_step(begun)
        await desk.store.end_step(ended(begun, 130))
        assert await desk.store.spent("shop", "all") == Spent(TODAY, 130)

    async def test_a_budget_begins_anew_with_its_period_and_never_goes_back(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        late = step(row, 0, charge(90))
        await desk.store.start_step(late)
        await desk.store.start_step(step(row, 1, charge(20, period=TOMORROW)))
        assert await desk.store.spent("shop", "all") == Spent(TOMORROW, 20)
        await desk.store.end_step(ended(late, 10))
        assert await desk.store.spent("shop", "all") == Spent(TOMORROW, 20)
        await desk.store.start_step(step(row, 2, charge(70)))
        assert await desk.store.spent("shop", "all") == Spent(TOMORROW, 90)
        with pytest.raises(BudgetSpent):
            await desk.store.start_step(step(row, 3, charge(20)))

    async def test_steps_that_begin_at_once_share_what_is_left(self, desk: Desk) -> None:
        rows = [(await desk.hear(name, conversation=name))[0] for name in "abcdefghi"]
        begun = [desk.store.start_step(step(row, 0, charge(30), charge(30, f"of {row.id}"))) for row in rows]
        found = await asyncio.gather(*begun, return_exceptions=True)
        assert [found.count(None), sum(isinstance(each, BudgetSpent) for each in found)] == [3, 6]
        assert await desk.store.spent("shop", "all") == Spent(TODAY, 90)

    async def test_steps_that_end_at_once_are_all_settled(self, desk: Desk) -> None:
        rows = [(await desk.hear(name, conversation=name))[0] for name in "abc"]
        begun = [step(row, 0, charge(30)) for row in rows]
        await asyncio.gather(*map(desk.store.start_step, begun))
        await asyncio.gather(*(desk.store.end_step(ended(each, cost)) for cost, each in enumerate(begun)))
        assert await desk.store.spent("shop", "all") == Spent(TODAY, 3)

    async def test_a_budget_that_nobody_used_for_long_is_forgotten(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await desk.store.start_step(step(row, 0, charge(1, "old")))
        await desk.store.start_step(step(row, 1, charge(1, period=TOMORROW), at=AT + KEPT - 1))
        assert await desk.store.spent("shop", "old") == Spent(TODAY, 1)
        await desk.store.start_step(step(row, 2, charge(1, period="2027-01-31"), at=AT + KEPT))
        assert await desk.store.spent("shop", "old") is None

    async def test_what_was_spent_is_listed_the_last_charged_first(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (row,), (other,) = await desk.hear("1"), await desk.hear("2", account="other")
        for position, budget in enumerate(("all", "ann", "bob")):
            await desk.store.start_step(step(row, position, charge(position, budget), at=AT + position))
        await desk.store.start_step(step(other, 0, charge(9, account="other"), at=AT + 9))
        with pytest.raises(BudgetSpent):
            await desk.store.start_step(step(row, 9, charge(101, "never"), at=AT + 10))
        await desk.reopen()
        listed = [(spent.account, spent.budget, spent.amount) for spent in await desk.store.spending()]
        assert listed == [("other", "all", 9), ("shop", "bob", 2), ("shop", "ann", 1), ("shop", "all", 0)]
        assert await desk.store.spending(account="other") == [("other", "all", TODAY, 9)]
        assert [spent.budget for spent in await desk.store.spending(account="shop", limit=2)] == ["bob", "ann"]
