"""Budgets that two processes charge at once on PostgreSQL: nothing is lost, overspent or deadlocked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bridge.errors import BudgetSpent
from bridge.testing.contract.store.spending import charge, ended, step

if TYPE_CHECKING:
    from bridge.store.records import StepRow
    from bridge.testing.contract.store.desk import Desk
    from tests.support.postgres_processes import Open

pytestmark = pytest.mark.slow

ROUNDS = 12


async def steps_of(desk: Desk, name: str) -> list[StepRow]:
    """Steps of several threads, which name the shared budgets in another order each."""
    rows = [(await desk.hear(f"{name}{number}", conversation=f"{name}{number}"))[0] for number in range(4)]
    shared = [charge(1, budget, limit=1_000) for budget in ("z", "all", "m")]
    return [step(row, number, *(shared if number % 2 else reversed(shared))) for number, row in enumerate(rows)]


async def spend(desk: Desk, name: str) -> None:
    begun = await steps_of(desk, name)
    for number in range(ROUNDS):
        now = [replace(each, run=f"{number}") for each in begun]
        await asyncio.gather(*map(desk.store.start_step, now))
        await asyncio.gather(*(desk.store.end_step(ended(each, 1)) for each in now))


async def test_two_processes_charge_the_same_budgets_at_once(ours: Desk, one_more: Open) -> None:
    theirs = await one_more()
    await asyncio.gather(spend(ours, "a"), spend(theirs, "b"))
    for budget in ("all", "m", "z"):
        spent = await ours.store.spent("shop", budget)
        assert spent is not None
        assert spent.amount == 2 * 4 * ROUNDS


async def test_two_processes_share_what_is_left(ours: Desk, one_more: Open) -> None:
    theirs = await one_more()
    begun = [(desk, each) for desk, name in ((ours, "a"), (theirs, "b")) for each in await steps_of(desk, name)]
    tight = [(desk, replace(each, charges=(charge(30),))) for desk, each in begun]
    found = await asyncio.gather(*(desk.store.start_step(each) for desk, each in tight), return_exceptions=True)
    assert [found.count(None), sum(isinstance(each, BudgetSpent) for each in found)] == [3, 5]
