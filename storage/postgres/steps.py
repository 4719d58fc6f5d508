"""Steps of dialogs: noted before and after they are taken, until the turn that took them is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import records
from ..records import STEP, STEPS_KEPT
from ..results import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.errors import StoreError
    from bridge.store.records import StepRow, TurnCommit

    from .transaction import Transaction

_NOTED: Final = f"SELECT {STEP} FROM steps WHERE thread_id = $1 AND run = $2 AND position = $3 AND call = $4"
_START: Final = f"INSERT INTO steps ({STEP}) VALUES ($1, $2, $3, $4, $5, $6, NULL)"
_END: Final = "UPDATE steps SET result = $1 WHERE thread_id = $2 AND run = $3 AND position = $4 AND call = $5"
_FORGET: Final = "DELETE FROM steps WHERE thread_id = $1 AND (run = ANY($2::text[]) OR at < $3)"


async def start(tx: Transaction, steps: Sequence[StepRow]) -> list[Result | StoreError]:
    """Note what is about to be done. Each result's `value` is what was noted of it before."""
    results: list[Result | StoreError] = []
    for step in steps:
        noted = await tx.fetch(_NOTED, step.thread_id, step.run, step.position, step.call)
        if not noted:
            await tx.execute(_START, step.thread_id, step.run, step.position, step.call, step.key, step.at)
        results.append(Result(value=records.step_row(noted[0]) if noted else None))
    return results


async def end(tx: Transaction, steps: Sequence[StepRow]) -> list[Result | StoreError]:
    """Note what was done."""
    await tx.each(_END, [(step.result, step.thread_id, step.run, step.position, step.call) for step in steps])
    return [Result() for _ in steps]


async def forget(tx: Transaction, turns: Sequence[TurnCommit]) -> None:
    """What was noted of these runs is in their dialogs now, or these have ended.

    Notes of other runs stay: those of an event that was given up are wanted when a person has it tried again.
    """
    await tx.each(_FORGET, [(turn.thread.id, [*turn.steps], turn.at - STEPS_KEPT) for turn in turns if turn.steps])
