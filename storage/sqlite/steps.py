"""Steps of dialogs: noted before and after they are taken, until the turn that took them is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.store.records import StepRow
from bridge.units import SECOND

from ..results import Result

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.errors import StoreError
    from bridge.store.records import TurnCommit

COLUMNS: Final = "thread_id, run, position, call, key, at, result"
_NOTED: Final = f"SELECT {COLUMNS} FROM steps WHERE thread_id = ? AND run = ? AND position = ? AND call = ?"
_START: Final = f"INSERT INTO steps ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL)"
_END: Final = "UPDATE steps SET result = ? WHERE thread_id = ? AND run = ? AND position = ? AND call = ?"
_FORGET: Final = "DELETE FROM steps WHERE thread_id = ? AND (run IN (SELECT value FROM json_each(?)) OR at < ?)"
_KEPT: Final = 90 * 24 * 3600 * SECOND


def step_row(row: tuple[Any, ...]) -> StepRow:
    """From COLUMNS."""
    return StepRow(thread_id=row[0], run=row[1], position=row[2], call=row[3], key=row[4], at=row[5], result=row[6])


def start(db: sqlite3.Connection, steps: Sequence[StepRow]) -> list[Result | StoreError]:
    """Note what is about to be done. Each result's `value` is what was noted of it before."""
    results: list[Result | StoreError] = []
    for step in steps:
        noted = db.execute(_NOTED, (step.thread_id, step.run, step.position, step.call)).fetchone()
        if noted is None:
            db.execute(_START, (step.thread_id, step.run, step.position, step.call, step.key, step.at))
        results.append(Result(value=step_row(noted) if noted is not None else None))
    return results


def end(db: sqlite3.Connection, steps: Sequence[StepRow]) -> list[Result | StoreError]:
    """Note what was done."""
    db.executemany(_END, [(step.result, step.thread_id, step.run, step.position, step.call) for step in steps])
    return [Result() for _ in steps]


def forget(db: sqlite3.Connection, turns: Sequence[TurnCommit]) -> None:
    """What was noted of these runs is in their dialogs now, or these have ended.

    Notes of other runs stay: those of an event that was given up are wanted when a person has it tried again, which
    nobody does after so long a time.
    """
    done = [(turn.thread.id, orjson.dumps(list(turn.steps)).decode(), turn.at - _KEPT) for turn in turns if turn.steps]
    if done:
        db.executemany(_FORGET, done)
