"""Turns: what their ends, good or bad, change in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from bridge.errors import ClaimLost, StoreError
from bridge.frozen import changed
from bridge.store.fencing import fence
from bridge.store.lifecycle import INBOX, InboxMove, InboxState
from bridge.store.takeover import after_silence

from .. import records
from ..results import Result
from . import holds, media, outbox, people, recipients, sends, statements, steps, threads, timers
from .heads import begin_next

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.store.records import Retry, Settled, TurnCommit

    from .cache import Cache

_STANDING: Final = f"""
SELECT i.id, t.version, t.spoken
FROM json_each(?) j CROSS JOIN inbox i ON i.id = j.value CROSS JOIN threads t ON t.id = i.thread_id
WHERE i.{records.EVENT_OPEN}
"""
"""In this order, or SQLite reads all that waits where statistics of a quiet day say that nothing does."""
_DONE: Final = "UPDATE inbox SET status = ?, error = ?, done_at = ? WHERE id = ?"
_ANSWERED: Final = f"""
UPDATE inbox NOT INDEXED
SET status = {records.literal(INBOX.after(InboxMove.ANSWERED))}, error = NULL, done_at = j.value
FROM json_each(?) j WHERE inbox.id = j.key
"""
"""The same for the events of plain turns, each with its time: a third less for many, and more for one.

NOT INDEXED leaves the way by the id: else SQLite reads all rows, where old statistics say that there are few.
"""
_FEW: Final = 3
_SETTLE: Final = f"UPDATE inbox SET status = ?, error = ?, trace = ?, done_at = ? WHERE id = ? AND {records.EVENT_OPEN}"
_RETRY: Final = f"""
UPDATE inbox SET attempt = ?, available_at = ?, tried_at = ?, error = ? WHERE id = ? AND {records.EVENT_OPEN}
"""
_TOOK_PART: Final = f"""
UPDATE inbox SET attempt = attempt + 1, error = ? WHERE id = ? AND thread_id = ? AND {records.EVENT_OPEN}
"""


def commit(db: sqlite3.Connection, cache: Cache, turns: Sequence[TurnCommit]) -> list[Result | StoreError]:
    """Event done, thread moved on, messages waiting: all of each turn."""
    wanted = orjson.dumps([row.id for turn in turns for row in turn.rows]).decode()
    standing = {row_id: (version, taken) for row_id, version, taken in db.execute(_STANDING, (wanted,))}
    verdicts: Sequence[StoreError | None] = fence(turns, standing)
    are_plain = all(turn.is_plain for turn in turns)
    if not are_plain:
        verdicts = statements.run(db, cache.guard, turns, sends.fence(db, turns, verdicts))
    good = [_numbered(cache, turn) for turn, lost in zip(turns, verdicts, strict=True) if lost is None]
    results = [Result(threads={turn.thread.id}) for turn in good]
    if are_plain and len(good) > _FEW:
        db.execute(_ANSWERED, (orjson.dumps({str(turn.row.id): turn.at for turn in good}).decode(),))
    else:
        ends = [
            (INBOX.move(InboxState.OPEN, turn.move), turn.dead or None, turn.at, row.id)
            for turn in good
            for row in turn.rows
        ]
        db.executemany(_DONE, ends)
    threads.commit(db, cache, good)
    outbox.say(db, cache, good, results)
    if not are_plain:
        timers.set_timers(db, good, results)
        media.keep(db, good)
        holds.note_judgement(db, good)
        holds.give_back(db, cache, good, results)
        steps.forget(db, good)
    begin_next(db, "inbox", {turn.thread.id for turn in good})
    if not are_plain:
        people.keep(db, cache, good)
        recipients.opt_out(db, good)
        sends.store(db, cache, good, results)
    committed = iter(results)
    return [next(committed) if lost is None else lost for lost in verdicts]


def _numbered(cache: Cache, turn: TurnCommit) -> TurnCommit:
    """The turn; one by which a person takes a thread silences what stands in the outbox now."""
    return changed(turn, thread=after_silence(turn.thread, cache.number())) if turn.silences else turn


def retry(db: sqlite3.Connection, retries: Sequence[Retry]) -> list[Result | StoreError]:
    """Failed events wait for their next attempt, which is counted now."""
    results: list[Result | StoreError] = []
    for again in retries:
        values = (again.attempt, again.available_at, again.at, again.reason, again.row_id)
        changed = db.execute(_RETRY, values).rowcount
        if changed and again.others:
            db.executemany(_TOOK_PART, [(again.reason, row_id, again.thread_id) for row_id in again.others])
        results.append(Result(threads={again.thread_id}) if changed else _lost(again.row_id))
    return results


def settle(db: sqlite3.Connection, cache: Cache, settled: Sequence[Settled]) -> list[Result | StoreError]:
    """Events given up; their threads go on."""
    results: list[Result | StoreError] = []
    freed: set[int] = set()
    for end in settled:
        assert isinstance(end.state, InboxState)
        state = INBOX.reach(InboxState.OPEN, end.state)
        changed = db.execute(_SETTLE, (state, end.reason or None, end.trace or None, end.at, end.row_id)).rowcount
        results.append(Result(threads={end.thread_id}) if changed else _lost(end.row_id))
        if changed:
            freed.add(end.thread_id)
            threads.note_heard(db, cache, end.thread_id, end.row_id)
    begin_next(db, "inbox", freed)
    return results


def _lost(row_id: int) -> ClaimLost:
    return ClaimLost(f"event {row_id} is settled")
