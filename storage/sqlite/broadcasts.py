"""Broadcasts: a draft is filled with recipients, and each becomes an event of its thread once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from bridge.store.broadcasts import BROADCAST, RECIPIENT, BroadcastMove, BroadcastState, Counts, base_of
from bridge.store.looks import FIRST
from bridge.store.retention import Swept

from .. import broadcasts
from ..broadcasts import (
    BROADCAST_COLUMNS,
    DRAFT,
    ENDS_FROM,
    IS_RELEASED,
    RECIPIENT_COLUMNS,
    RECIPIENT_VALUES,
    RELEASED,
    WAITING,
    broadcast_row,
    broadcast_values,
    recipient_row,
    recipient_values,
)
from ..records import literal
from ..results import Result
from . import recipients
from .inbox import receive
from .segments import BACK, KEYED

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.store.broadcasts import Broadcast, BroadcastStep, Recipient, RecipientState
    from bridge.store.looks import Place

    from .cache import Cache

_ADD: Final = f"INSERT INTO broadcasts ({BROADCAST_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_STATE: Final = "SELECT account, status FROM broadcasts WHERE id = ?"
_IS_DRAFT: Final = f"SELECT 1 FROM broadcasts WHERE id = ? AND status = {DRAFT}"
_ADD_RECIPIENT: Final = f"""
INSERT INTO recipients ({RECIPIENT_VALUES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_PLACE: Final = "SELECT number FROM recipients WHERE broadcast_id = ? AND channel = ? AND conversation = ?"
_MOVE: Final = "UPDATE broadcasts SET status = ?, reason = ?, updated_at = ? WHERE id = ?"
_BASE: Final = "UPDATE broadcasts SET base = ? WHERE id = ?"
_WAIT: Final = f"""
SELECT r.number FROM json_each(?) j CROSS JOIN recipients r
    ON r.broadcast_id = ? AND r.number = j.value WHERE r.{WAITING}
"""
_RELEASE: Final = f"""
UPDATE recipients SET status = {IS_RELEASED}, thread_id = (
    SELECT i.thread_id FROM inbox i WHERE i.account = ? AND i.event_key = ?)
WHERE broadcast_id = ? AND number = ? AND {WAITING} RETURNING number, thread_id
"""
_END: Final = {
    happened: f"""
UPDATE recipients SET status = {literal(RECIPIENT.after(happened))}, reason = ?, unanswered = ?, settled_at = ?,
                      outbox_id = ({BACK} SELECT o.id FROM s CROSS JOIN {KEYED} = ? LIMIT 1)
WHERE broadcast_id = ? AND number = ? AND status {before}
RETURNING outbox_id
"""
    for happened, before in ENDS_FROM.items()
}
_TOLD: Final = """
SELECT id, delivery, coalesce(delivery_error, '') FROM outbox WHERE id = ? AND delivery IS NOT NULL
"""
_LATER: Final = f"UPDATE recipients SET look_at = ? WHERE broadcast_id = ? AND number = ? AND {RELEASED}"
_SELECT: Final = f"SELECT {BROADCAST_COLUMNS} FROM broadcasts"
ONE: Final = f"{_SELECT} WHERE id = ?"
ACTIVE: Final = broadcasts.ACTIVE.format("?", " INDEXED BY recipients_released")
PAGES: Final = {
    of_account: f"{_SELECT} WHERE {where} created_at < :before ORDER BY created_at DESC LIMIT :limit"
    for of_account, where in {False: "", True: "account = :account AND"}.items()
}
COUNTED, OPT_OUTS, UNANSWERED = (
    query.format("?") for query in (broadcasts.COUNTED, broadcasts.OPT_OUTS, broadcasts.UNANSWERED)
)
RECIPIENTS: Final = f"""
SELECT {RECIPIENT_COLUMNS} FROM recipients WHERE broadcast_id = ? AND number > ? ORDER BY number LIMIT ?
"""
RECIPIENTS_IN: Final = f"""
SELECT {RECIPIENT_COLUMNS} FROM recipients INDEXED BY recipients_standing
WHERE broadcast_id = ? AND status = ? AND number > ? ORDER BY number LIMIT ?
"""
_BY_AGE: Final = ("?", " INDEXED BY broadcasts_over", "CROSS")
OLD: Final = f"{broadcasts.OLD.format(*_BY_AGE)} LIMIT ?"
COUNT_OLD, OLD_AND_EMPTY = (query.format(*_BY_AGE) for query in (broadcasts.COUNT_OLD, broadcasts.OLD_AND_EMPTY))
_REMOVE: Final = "DELETE FROM recipients WHERE broadcast_id = ? AND number = ?"


def sweep(db: sqlite3.Connection, before: int, limit: int) -> Swept:
    """Remove recipients of broadcasts that are over and old, and then these."""
    rows = db.execute(OLD, (before, limit)).fetchall()
    db.executemany(_REMOVE, rows)
    if len(rows) < limit:
        db.execute(OLD_AND_EMPTY, (before,))
    return Swept(len(rows), 0 if rows else None)


def add(db: sqlite3.Connection, broadcast: Broadcast) -> Result:
    """Begin a draft."""
    db.execute(_ADD, broadcast_values(broadcast))
    return Result()


def add_recipients(db: sqlite3.Connection, broadcast_id: str, added: Sequence[Recipient]) -> Result:
    """Add to a draft. The result's `value` has the numbers of those whose conversation it has; None: no draft."""
    if db.execute(_IS_DRAFT, (broadcast_id,)).fetchone() is None:
        return Result()
    repeated: list[int] = []
    for recipient in added:
        if db.execute(_ADD_RECIPIENT, recipient_values(broadcast_id, recipient)).rowcount == 0:
            place = (broadcast_id, recipient.channel, recipient.conversation)
            if db.execute(_PLACE, place).fetchone() != (recipient.number,):
                repeated.append(recipient.number)
    return Result(value=repeated)


def move(db: sqlite3.Connection, broadcast_id: str, happened: BroadcastMove, at: int, reason: str) -> Result:
    """Start, pause, cancel or end a broadcast; the result's `value` is whether it could be."""
    found = db.execute(_STATE, (broadcast_id,)).fetchone()
    if found is None or not BROADCAST.can(state := BroadcastState(found[1]), happened):
        return Result(value=False)
    if happened is BroadcastMove.STARTED:
        db.execute(_BASE, (orjson.dumps(base_of(count(db, broadcast_id))), broadcast_id))
    db.execute(_MOVE, (BROADCAST.move(state, happened), reason, at, broadcast_id))
    return Result(value=True, broadcasts=True)


def step(db: sqlite3.Connection, cache: Cache, taken: BroadcastStep) -> Result:
    """Release recipients, unless the broadcast does not run any more, and note the outcomes of others."""
    found = db.execute(_STATE, (taken.broadcast_id,)).fetchone()
    if found is None:
        return Result(value={})
    account, state = found
    result = Result(value={})
    if taken.releases and BROADCAST.can(BroadcastState(state), BroadcastMove.ENDED):
        numbers = orjson.dumps([number for number, _ in taken.releases]).decode()
        waiting = {row[0] for row in db.execute(_WAIT, (numbers, taken.broadcast_id))}
        releases = [(number, arrival) for number, arrival in taken.releases if number in waiting]
        (result,) = receive(db, cache, [[arrival for _, arrival in releases]])
        result.value = dict(
            row
            for number, arrival in releases
            for row in db.execute(_RELEASE, (account, arrival.key, taken.broadcast_id, number)).fetchall()
        )
    for end in taken.ends:
        ended = (end.reason, end.unanswered, taken.at, end.key, taken.broadcast_id, end.number)
        for said in db.execute(_END[end.move], ended).fetchall():
            for outbox_id, value, error in db.execute(_TOLD, said).fetchall():
                recipients.tell(db, outbox_id, value, error)
    db.executemany(_LATER, [(look_at, taken.broadcast_id, number) for number, look_at in taken.later])
    return result


def count(db: sqlite3.Connection, broadcast_id: str) -> Counts:
    """How many recipients stand where."""
    opt_outs, unanswered = (db.execute(query, (broadcast_id,)).fetchone()[0] for query in (OPT_OUTS, UNANSWERED))
    return broadcasts.counts(db.execute(COUNTED, (broadcast_id,)), opt_outs, unanswered)


def one(db: sqlite3.Connection, broadcast_id: str) -> Broadcast | None:
    """A broadcast."""
    row = db.execute(ONE, (broadcast_id,)).fetchone()
    return None if row is None else broadcast_row(row)


def page(
    db: sqlite3.Connection, account: str | None, before: Place | None, limit: int, *, active: bool
) -> list[Broadcast]:
    """Broadcasts, the newest first; or those that are active."""
    if active:
        return [broadcast_row(row) for row in db.execute(ACTIVE, (limit,))]
    values = {"account": account, "before": (before or FIRST)[0], "limit": limit}
    return [broadcast_row(row) for row in db.execute(PAGES[account is not None], values)]


def listed(
    db: sqlite3.Connection, broadcast_id: str, state: RecipientState | None, after: int, limit: int
) -> list[Recipient]:
    """Recipients by their numbers."""
    if state is None:
        return [recipient_row(row) for row in db.execute(RECIPIENTS, (broadcast_id, after, limit))]
    return [recipient_row(row) for row in db.execute(RECIPIENTS_IN, (broadcast_id, state, after, limit))]
