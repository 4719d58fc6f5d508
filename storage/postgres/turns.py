"""Turns: what their ends, good or bad, change in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.errors import ClaimLost, StoreError
from bridge.frozen import changed
from bridge.store.fencing import fence
from bridge.store.lifecycle import INBOX, InboxState
from bridge.store.takeover import after_silence

from .. import records
from ..results import Result
from . import holds, media, outbox, people, recipients, sends, statements, steps, threads, timers
from .heads import begin_next
from .transaction import unnest
from .waves import waves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.records import Retry, Settled, TurnCommit

    from .transaction import Transaction

_STANDING: Final = f"""
SELECT i.id, t.version, t.spoken FROM inbox i JOIN threads t ON t.id = i.thread_id
WHERE i.id = ANY($1::bigint[]) AND i.{records.EVENT_OPEN}
"""
_DONE: Final = f"""
UPDATE inbox i SET status = j.status, error = j.error, done_at = j.at
FROM {unnest("text", "text", "bigint", "bigint")} j (status, error, at, id) WHERE i.id = j.id
"""
_SETTLE: Final = f"""
UPDATE inbox i SET status = j.status, error = j.error, trace = j.trace, done_at = j.at
FROM {unnest("text", "text", "text", "bigint", "bigint")} j (status, error, trace, at, id)
WHERE i.id = j.id AND i.{records.EVENT_OPEN} RETURNING i.id
"""
_RETRY: Final = f"""
UPDATE inbox i SET attempt = j.attempt, available_at = j.available_at, tried_at = j.at, error = j.error,
                   deaths = CASE WHEN i.on_trial THEN 0 ELSE i.deaths END, on_trial = false
FROM {unnest("bigint", "bigint", "bigint", "text", "bigint")} j (attempt, available_at, at, error, id)
WHERE i.id = j.id AND i.{records.EVENT_OPEN} RETURNING i.id
"""
"""A suspect that ran and is still there did not die of it."""
_TRY_SUSPECTS: Final = f"UPDATE inbox SET on_trial = true WHERE id = ANY($1::bigint[]) AND {records.EVENT_OPEN}"
_TOOK_PART: Final = f"""
UPDATE inbox SET attempt = attempt + 1, error = $1 WHERE id = $2 AND thread_id = $3 AND {records.EVENT_OPEN}
"""


async def commit(tx: Transaction, turns: Sequence[TurnCommit]) -> list[Result | StoreError]:
    """Event done, thread moved on, messages waiting: all of each turn."""
    rows = await tx.fetch(_STANDING, [row.id for turn in turns for row in turn.rows])
    fenced = fence(turns, {row_id: (version, taken) for row_id, version, taken in rows})
    verdicts = await statements.run(tx, turns, await sends.fence(tx, turns, fenced))
    standing = [turn for turn, lost in zip(turns, verdicts, strict=True) if lost is None]
    good = [await _numbered(tx, turn) for turn in standing]
    results = [Result(threads={turn.thread.id}) for turn in good]
    await tx.arrays(
        _DONE,
        [
            (INBOX.move(InboxState.OPEN, turn.move), turn.dead or None, turn.at, row.id)
            for turn in good
            for row in turn.rows
        ],
    )
    await threads.commit(tx, good)
    await outbox.say(tx, good, results)
    await timers.set_timers(tx, good, results)
    await media.keep(tx, good)
    await holds.note_judgement(tx, good)
    await holds.give_back(tx, good, results)
    await steps.forget(tx, good)
    await begin_next(tx, "inbox", {turn.thread.id for turn in good})
    await people.keep(tx, good)
    await recipients.opt_out(tx, good)
    await sends.store(tx, good, results)
    committed = iter(results)
    return [next(committed) if lost is None else lost for lost in verdicts]


async def _numbered(tx: Transaction, turn: TurnCommit) -> TurnCommit:
    """The turn; one by which a person takes a thread silences what stands in the outbox now."""
    return changed(turn, thread=after_silence(turn.thread, (await tx.numbers(1))[0])) if turn.silences else turn


async def retry(tx: Transaction, retries: Sequence[Retry]) -> list[Result | StoreError]:
    """Failed events wait for their next attempt, which is counted now."""
    results: list[Result | StoreError] = []
    for wave in waves(retries, lambda again: again.thread_id):
        values = [(again.attempt, again.available_at, again.at, again.reason, again.row_id) for again in wave]
        changed = {row[0] for row in await tx.arrays(_RETRY, values)}
        for again in wave:
            if again.row_id in changed and again.others:
                await tx.each(_TOOK_PART, [(again.reason, row_id, again.thread_id) for row_id in again.others])
            kept = again.row_id in changed
            results.append(Result(threads={again.thread_id}) if kept else _lost(again.row_id))
    return results


async def try_suspects(tx: Transaction, row_ids: Sequence[int]) -> list[Result | StoreError]:
    """Note that suspects are about to run: a process that dies now dies of one of them."""
    await tx.execute(_TRY_SUSPECTS, [*row_ids])
    return [Result() for _ in row_ids]


async def settle(tx: Transaction, settled: Sequence[Settled]) -> list[Result | StoreError]:
    """Events given up; their threads go on."""
    results: list[Result | StoreError] = []
    freed: set[int] = set()
    for wave in waves(settled, lambda end: end.row_id):
        values = []
        for end in wave:
            assert isinstance(end.state, InboxState)
            state = INBOX.reach(InboxState.OPEN, end.state)
            values.append((state, end.reason or None, end.trace or None, end.at, end.row_id))
        changed = {row[0] for row in await tx.arrays(_SETTLE, values)}
        for end in wave:
            results.append(Result(threads={end.thread_id}) if end.row_id in changed else _lost(end.row_id))
            if end.row_id in changed:
                freed.add(end.thread_id)
                await threads.note_heard(tx, end.thread_id, end.row_id)
    await begin_next(tx, "inbox", freed)
    return results


def _lost(row_id: int) -> ClaimLost:
    return ClaimLost(f"event {row_id} is settled")
