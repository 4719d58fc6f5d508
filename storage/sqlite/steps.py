"""Steps of dialogs: noted before and after they are taken, until the turn that took them is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from bridge.errors import BudgetSpent, NoThread
from bridge.store.spending import KEPT, Purse, Spent, places

from .. import records
from ..records import STEP, STEPS_KEPT
from ..results import Result

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.errors import StoreError
    from bridge.store.records import StepRow, TurnCommit

_NOTED: Final = f"SELECT {STEP} FROM steps WHERE thread_id = ? AND run = ? AND position = ? AND call = ?"
_START: Final = f"""
INSERT INTO steps ({STEP}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, NULL WHERE EXISTS (SELECT 1 FROM threads WHERE id = ?1)
"""
_END: Final = """
UPDATE steps SET result = ? WHERE thread_id = ? AND run = ? AND position = ? AND call = ? AND result IS NULL
"""
_FORGET: Final = "DELETE FROM steps WHERE thread_id = ? AND (run IN (SELECT value FROM json_each(?)) OR at < ?)"
SPENT: Final = "SELECT period, amount FROM step_spending WHERE account = ? AND name = ?"
SPENDING: Final = """
SELECT account, name, period, amount FROM step_spending INDEXED BY threadbridge_step_spending_by_age
WHERE ?1 IS NULL OR account = ?1 ORDER BY at DESC LIMIT ?2
"""
_SPEND: Final = "INSERT OR REPLACE INTO step_spending (account, name, period, amount, at) VALUES (?, ?, ?, ?, ?)"
_TOO_OLD: Final = "DELETE FROM step_spending WHERE at <= ?"


def start(db: sqlite3.Connection, steps: Sequence[StepRow]) -> list[Result | StoreError]:
    """Note what is about to be done. Each result's `value` is what was noted of it before."""
    results: list[Result | StoreError] = []
    purse = _purse(db, steps)
    for step in steps:
        noted = db.execute(_NOTED, (step.thread_id, step.run, step.position, step.call)).fetchone()
        known = records.step_row(noted) if noted is not None else None
        try:
            if known is None or known.result is None:
                purse.take(step.charges)
        except BudgetSpent as spent:
            results.append(spent)
            continue
        values = (step.thread_id, step.run, step.position, step.call, step.key, step.at)
        if known is None and not db.execute(_START, values).rowcount:
            results.append(NoThread(f"there is no thread {step.thread_id}"))
            continue
        results.append(Result(value=known))
    _keep(db, purse)
    return results


def end(db: sqlite3.Connection, steps: Sequence[StepRow]) -> list[Result | StoreError]:
    """Note what was done, and settle what it cost with the first note."""
    purse = _purse(db, steps)
    for step in steps:
        if db.execute(_END, (step.result, step.thread_id, step.run, step.position, step.call)).rowcount:
            purse.settle(step.charges, step.cost)
    _keep(db, purse)
    return [Result() for _ in steps]


def _purse(db: sqlite3.Connection, steps: Sequence[StepRow]) -> Purse:
    rows = ((place, db.execute(SPENT, place).fetchone()) for place in places([step.charges for step in steps]))
    return Purse({place: Spent(*row) for place, row in rows if row is not None}, max(step.at for step in steps))


def _keep(db: sqlite3.Connection, purse: Purse) -> None:
    if purse.changed:
        db.executemany(_SPEND, purse.rows)
    if purse.began:
        db.execute(_TOO_OLD, (purse.now - KEPT,))


def forget(db: sqlite3.Connection, turns: Sequence[TurnCommit]) -> None:
    """What was noted of these runs is in their dialogs now, or these have ended.

    Notes of other runs stay: those of an event that was given up are wanted when a person has it tried again, which
    nobody does after so long a time.
    """
    done = [
        (turn.thread.id, orjson.dumps(list(turn.steps)).decode(), turn.at - STEPS_KEPT) for turn in turns if turn.steps
    ]
    if done:
        db.executemany(_FORGET, done)
