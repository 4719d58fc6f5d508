"""The outbox: messages said by turns, their tries, and the ends of their journeys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.errors import ClaimLost, StoreError
from bridge.store.following import DROPPED
from bridge.store.heads import begins
from bridge.store.lifecycle import OUTBOX, OutboxMove, OutboxState, Outcome

from .. import records
from ..results import Result
from ..rows import MESSAGE_VALUES, message_row, message_values, said_by
from . import statuses
from .heads import begin_next, busy
from .inserting import Change, Insert

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.store.records import Retry, Settled, TurnCommit

    from ..rows import Said
    from .cache import Cache

_SAY: Final = Insert("outbox", MESSAGE_VALUES)
_RETRY: Final = f"""
UPDATE outbox SET attempt = ?, available_at = ?, tried_at = ?, error = ?, outcome = ?
WHERE id = ? AND {records.MESSAGE_OPEN}
"""
_SETTLE: Final = f"""
UPDATE outbox SET status = ?, outcome = coalesce(?, outcome), message_id = ?, error = nullif(?, ''), done_at = ?
WHERE id = ? AND {records.MESSAGE_OPEN}
"""
_COUNT_OPEN: Final = f"""
SELECT count(*) FROM json_each(?) j CROSS JOIN outbox o NOT INDEXED ON o.id = j.value WHERE o.{records.MESSAGE_OPEN}
"""
_SENT: Final = Change(
    "outbox",
    f"status = {records.literal(OutboxState.SENT)}, outcome = {records.literal(Outcome.SENT)}, error = NULL, "
    "message_id = {}, done_at = {}",
)
"""What _SETTLE does to a message that is sent, as nearly all are."""
_USUAL: Final = (OutboxState.SENT, Outcome.SENT, "")
_FEW: Final = 3
"""So many are settled one by one: it costs as much to look at all first."""
_NAME: Final = f"""
UPDATE outbox SET message_id = ?
WHERE id = ? AND status = {records.literal(OUTBOX.after(OutboxMove.RESOLVED))} AND message_id IS NULL
"""
"""A message that a status proved sent learns the provider's id of it, so that later statuses find it."""
_IS_THERE: Final = "SELECT 1 FROM outbox WHERE id = ? AND thread_id = ?"
_CLAIM: Final = f"""
UPDATE outbox SET outcome = {records.literal(Outcome.CLAIMED)} WHERE id = ? AND {records.MESSAGE_OPEN}
"""
_ATTEMPT: Final = Insert("attempts", "outbox_id, attempt, at, outcome, reason, exchange")


def say(db: sqlite3.Connection, cache: Cache, turns: Sequence[TurnCommit], results: Sequence[Result]) -> None:
    """The messages of the turns into the outbox."""
    speaking = zip(turns, results, strict=True)
    put(db, cache, [(said, result) for turn, result in speaking if turn.sayings for said in said_by(turn)])


def put(db: sqlite3.Connection, cache: Cache, messages: Sequence[tuple[Said, Result]]) -> None:
    """Messages into the outbox; one that finds its thread's outbox empty is its runnable head."""
    if not messages:
        return
    in_use = busy(db, "outbox", {said.thread.id for said, _ in messages})
    values: list[tuple[Any, ...]] = []
    for said, result in messages:
        leaves = said.saying.state is OutboxState.OPEN
        row = message_row(said, cache.row_number(), attempt=int(leaves and begins(said.thread.id, in_use)))
        if leaves:
            result.queued.append(row)
        else:
            result.news.append((said.thread.id, row.id, DROPPED, said.saying.dropped))
        values.append(message_values(said, row))
    _SAY.run(db, values)


def retry(db: sqlite3.Connection, retries: Sequence[Retry]) -> list[Result | StoreError]:
    """Messages that did not leave wait for their next attempt, which is counted now."""
    results: list[Result | StoreError] = []
    for again in retries:
        values = (again.attempt, again.available_at, again.at, again.reason, again.outcome, again.row_id)
        if db.execute(_RETRY, values).rowcount == 0:
            results.append(ClaimLost(f"message {again.row_id} is settled"))
            continue
        if again.outcome:
            tried = again.attempt if again.free else again.attempt - 1
            tried_so = (again.row_id, tried, again.at, again.outcome, again.reason, again.exchange or None)
            _ATTEMPT.run(db, [tried_so])
        results.append(Result(threads={again.thread_id}))
    return results


def claim(db: sqlite3.Connection, claims: Sequence[tuple[int, int]]) -> list[Result | StoreError]:
    """Messages about to be sent at most once: should the process die now, their outcome is unknown."""
    db.executemany(_CLAIM, [(row_id,) for row_id, _ in claims])
    return [Result() for _ in claims]


def settle(db: sqlite3.Connection, cache: Cache, settled: Sequence[Settled]) -> list[Result | StoreError]:
    """Messages at the end of their journey, joined with any news of them that came early.

    Each result's `value` is whether this ended the journey.
    """
    for state in {end.state for end in settled}:
        OUTBOX.reach(OutboxState.OPEN, OutboxState(state))
    freed: set[int] = set()
    results: list[Result | StoreError] = []
    together = _end_together(db, settled)
    for end in settled:
        ended = together or _end(db, end)
        if not ended and db.execute(_IS_THERE, (end.row_id, end.thread_id)).fetchone() is None:
            results.append(ClaimLost(f"message {end.row_id} is erased"))
            continue
        if ended:
            freed.add(end.thread_id)
        if not ended or end.status is not None:
            _conclude(db, end, ended=ended)
        results.append(Result(ended, threads={end.thread_id}))
    _ATTEMPT.run(
        db,
        [
            (end.row_id, end.attempt, end.at, str(end.outcome), end.reason or None, end.exchange or None)
            for end, result in zip(settled, results, strict=True)
            if end.outcome and isinstance(result, Result)
        ],
    )
    if statuses.any_early(db):
        for end, result in zip(settled, results, strict=True):
            if end.state is OutboxState.SENT and isinstance(result, Result):
                statuses.join_early(db, cache, end.row_id, end.thread_id, end.message_id, result)
    begin_next(db, "outbox", freed)
    return results


def _end_together(db: sqlite3.Connection, settled: Sequence[Settled]) -> bool:
    """End all with one statement, where all are sent, as is usual, and none had ended before; whether it was so."""
    if len(settled) <= _FEW:
        return False
    ids = {end.row_id for end in settled if (end.state, end.outcome, end.reason) == _USUAL}
    if len(ids) < len(settled) or db.execute(_COUNT_OPEN, (orjson.dumps([*ids]).decode(),)).fetchone()[0] < len(ids):
        return False
    _SENT.run(db, [(end.message_id, end.at, end.row_id) for end in settled])
    return True


def _end(db: sqlite3.Connection, end: Settled) -> bool:
    """Whether this ended the message's journey, and a status had not done so before."""
    outcome = end.outcome and str(end.outcome)
    values = (str(end.state), outcome, end.message_id, end.reason, end.at, end.row_id)
    return db.execute(_SETTLE, values).rowcount == 1


def _conclude(db: sqlite3.Connection, end: Settled, *, ended: bool) -> None:
    """What is learned of a message at the end of its journey, also where a status had ended it before."""
    if not ended and end.message_id is not None:
        db.execute(_NAME, (end.message_id, end.row_id))
    if end.status is not None:
        delivery = db.execute("SELECT delivery FROM outbox WHERE id = ?", (end.row_id,)).fetchone()[0]
        statuses.note(db, end.row_id, delivery, end.status, "")
