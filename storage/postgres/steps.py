"""Steps of dialogs: noted before and after they are taken, until the turn that took them is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.errors import BudgetSpent
from bridge.store.spending import KEPT, Purse, Spent, places

from .. import records
from ..records import STEP, STEPS_KEPT
from ..results import Result
from .transaction import columns, unnest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.errors import StoreError
    from bridge.store.records import StepRow, TurnCommit

    from .transaction import Transaction

_NOTED: Final = f"SELECT {STEP} FROM steps WHERE thread_id = $1 AND run = $2 AND position = $3 AND call = $4"
_START: Final = f"INSERT INTO steps ({STEP}) VALUES ($1, $2, $3, $4, $5, $6, NULL)"
_END: Final = """
UPDATE steps SET result = $1 WHERE thread_id = $2 AND run = $3 AND position = $4 AND call = $5 AND result IS NULL
"""
_FORGET: Final = "DELETE FROM steps WHERE thread_id = $1 AND (run = ANY($2::text[]) OR at < $3)"
SPENT: Final = "SELECT period, amount FROM step_spending WHERE account = $1 AND name = $2 AND period > ''"
SPENDING: Final = """
SELECT account, name, period, amount FROM step_spending
WHERE period > '' AND ($1::text IS NULL OR account = $1) ORDER BY at DESC LIMIT $2
"""
_BEGIN: Final = f"""
INSERT INTO step_spending (account, name, period, amount, at) SELECT j.a, j.n, '', 0, $3
FROM {unnest("text", "text")} j (a, n) ON CONFLICT (account, name) DO NOTHING
"""
_STANDING: Final = f"""
SELECT s.account, s.name, s.period, s.amount FROM {unnest("text", "text")} j (a, n)
JOIN step_spending s ON (s.account, s.name) = (j.a, j.n) ORDER BY s.account, s.name FOR UPDATE OF s
"""
_SPEND: Final = f"""
UPDATE step_spending s SET period = j.p, amount = j.m, at = j.t
FROM {unnest("text", "text", "text", "bigint", "bigint")} j (a, n, p, m, t) WHERE (s.account, s.name) = (j.a, j.n)
"""
_TOO_OLD: Final = "DELETE FROM step_spending WHERE at <= $1"


async def start(tx: Transaction, steps: Sequence[StepRow]) -> list[Result | StoreError]:
    """Note what is about to be done. Each result's `value` is what was noted of it before."""
    results: list[Result | StoreError] = []
    purse = await _purse(tx, steps)
    for step in steps:
        noted = await tx.fetch(_NOTED, step.thread_id, step.run, step.position, step.call)
        known = records.step_row(noted[0]) if noted else None
        try:
            if known is None or known.result is None:
                purse.take(step.charges)
        except BudgetSpent as spent:
            results.append(spent)
            continue
        if known is None:
            await tx.execute(_START, step.thread_id, step.run, step.position, step.call, step.key, step.at)
        results.append(Result(value=known))
    await _keep(tx, purse)
    return results


async def end(tx: Transaction, steps: Sequence[StepRow]) -> list[Result | StoreError]:
    """Note what was done, and settle what it cost with the first note."""
    purse = await _purse(tx, steps)
    for step in steps:
        if await tx.execute(_END, step.result, step.thread_id, step.run, step.position, step.call):
            purse.settle(step.charges, step.cost)
    await _keep(tx, purse)
    return [Result() for _ in steps]


async def _purse(tx: Transaction, steps: Sequence[StepRow]) -> Purse:
    """The budgets of steps, locked in the order that every process has; each row is there before it is read."""
    wanted, now = places([step.charges for step in steps]), max(step.at for step in steps)
    if not wanted:
        return Purse({}, now)
    await tx.execute(_BEGIN, *columns(wanted), now)
    found = await tx.fetch(_STANDING, *columns(wanted))
    return Purse({(row[0], row[1]): Spent(row[2], row[3]) for row in found}, now)


async def _keep(tx: Transaction, purse: Purse) -> None:
    if purse.changed:
        await tx.execute(_SPEND, *columns(purse.rows))
    if purse.began:
        await tx.execute(_TOO_OLD, purse.now - KEPT)


async def forget(tx: Transaction, turns: Sequence[TurnCommit]) -> None:
    """What was noted of these runs is in their dialogs now, or these have ended.

    Notes of other runs stay: those of an event that was given up are wanted when a person has it tried again.
    """
    await tx.each(_FORGET, [(turn.thread.id, [*turn.steps], turn.at - STEPS_KEPT) for turn in turns if turn.steps])
