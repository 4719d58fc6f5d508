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
from .claims import notify
from .inbox import receive
from .process import CHANNEL
from .transaction import unnest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bridge.store.broadcasts import Broadcast, BroadcastStep, Recipient, RecipientEnd, RecipientState
    from bridge.store.looks import Place

    from ..records import Row
    from .transaction import Transaction

    Fetch = Callable[..., Awaitable[list[Row]]]

STARTED: Final = "broadcast"
"""Told to all processes: a broadcast is to go on, or not to."""
_ADD: Final = f"INSERT INTO broadcasts ({BROADCAST_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_STATE: Final = "SELECT account, status FROM broadcasts WHERE id = $1 FOR NO KEY UPDATE"
_IS_DRAFT: Final = f"SELECT 1 FROM broadcasts WHERE id = $1 AND status = {DRAFT} FOR SHARE"
_TYPES: Final = "text bigint text text text bytea text bigint"
_ADD_RECIPIENTS: Final = f"""
INSERT INTO recipients ({RECIPIENT_VALUES}) SELECT * FROM {unnest(*_TYPES.split())} ON CONFLICT DO NOTHING
"""
_PLACES: Final = f"""
SELECT j.number FROM {unnest("text", "bigint", "text", "text")} j (id, number, channel, conversation)
JOIN recipients r ON r.broadcast_id = j.id AND r.channel = j.channel AND r.conversation = j.conversation
WHERE r.number <> j.number ORDER BY j.number
"""
_MOVE: Final = "UPDATE broadcasts SET status = $1, reason = $2, updated_at = $3 WHERE id = $4"
_BASE: Final = "UPDATE broadcasts SET base = $1 WHERE id = $2"
_WAIT: Final = f"""
SELECT number FROM recipients WHERE broadcast_id = $1 AND number = ANY($2::bigint[]) AND {WAITING} FOR UPDATE
"""
_RELEASE: Final = f"""
UPDATE recipients r SET status = {IS_RELEASED}, thread_id = i.thread_id
FROM {unnest("bigint", "text")} j (number, key) JOIN inbox i ON i.account = $3 AND i.event_key = j.key
WHERE r.broadcast_id = $4 AND r.number = j.number AND r.{WAITING} RETURNING r.number, r.thread_id
"""
_END: Final = {
    happened: f"""
UPDATE recipients r SET status = {literal(RECIPIENT.after(happened))}, reason = j.reason, unanswered = j.unanswered,
                        settled_at = $5, outbox_id = (SELECT o.id FROM outbox o WHERE o.key = j.key)
FROM {unnest("bigint", "text", "bigint", "text")} j (number, reason, unanswered, key)
WHERE r.broadcast_id = $6 AND r.number = j.number AND r.status {before}
"""
    for happened, before in ENDS_FROM.items()
}
_TOLD: Final = """
SELECT o.id, o.delivery, o.delivery_error FROM outbox o WHERE o.key = ANY($1::text[]) AND o.delivery IS NOT NULL
"""
_LATER: Final = f"""
UPDATE recipients r SET look_at = j.look_at FROM {unnest("bigint", "bigint")} j (number, look_at)
WHERE r.broadcast_id = $3 AND r.number = j.number AND r.{RELEASED}
"""
_SELECT: Final = f"SELECT {BROADCAST_COLUMNS} FROM broadcasts"
ONE: Final = f"{_SELECT} WHERE id = $1"
ACTIVE: Final = broadcasts.ACTIVE.format("$1", "")
PAGE: Final = f"{_SELECT} WHERE created_at < $1 ORDER BY created_at DESC LIMIT $2"
PAGE_OF: Final = f"{_SELECT} WHERE account = $3 AND created_at < $1 ORDER BY created_at DESC LIMIT $2"
COUNTED, OPT_OUTS, UNANSWERED = (
    query.format("$1") for query in (broadcasts.COUNTED, broadcasts.OPT_OUTS, broadcasts.UNANSWERED)
)
RECIPIENTS: Final = f"""
SELECT {RECIPIENT_COLUMNS} FROM recipients WHERE broadcast_id = $1 AND number > $2 ORDER BY number LIMIT $3
"""
RECIPIENTS_IN: Final = f"""
SELECT {RECIPIENT_COLUMNS} FROM recipients
WHERE broadcast_id = $1 AND status = $2 AND number > $3 ORDER BY number LIMIT $4
"""
OLD: Final = f"{broadcasts.OLD.format('$1', '', '')} LIMIT $2"
COUNT_OLD, OLD_AND_EMPTY = (query.format("$1", "", "") for query in (broadcasts.COUNT_OLD, broadcasts.OLD_AND_EMPTY))
_REMOVE: Final = f"""
DELETE FROM recipients r USING {unnest("text", "bigint")} j (id, number)
WHERE r.broadcast_id = j.id AND r.number = j.number
"""


async def sweep(tx: Transaction, before: int, limit: int) -> Swept:
    """Remove recipients of broadcasts that are over and old, and then these."""
    rows = [tuple(row) for row in await tx.fetch(OLD, before, limit)]
    await tx.arrays(_REMOVE, rows)
    if len(rows) < limit:
        await tx.execute(OLD_AND_EMPTY, before)
    return Swept(len(rows), 0 if rows else None)


async def add(tx: Transaction, broadcast: Broadcast) -> Result:
    """Begin a draft."""
    await tx.execute(_ADD, *broadcast_values(broadcast))
    return Result()


async def add_recipients(tx: Transaction, broadcast_id: str, added: Sequence[Recipient]) -> Result:
    """Add to a draft. The result's `value` has the numbers of those whose conversation it has; None: no draft."""
    if not await tx.fetch(_IS_DRAFT, broadcast_id):
        return Result()
    await tx.arrays(_ADD_RECIPIENTS, [recipient_values(broadcast_id, recipient) for recipient in added])
    places = [(broadcast_id, recipient.number, recipient.channel, recipient.conversation) for recipient in added]
    return Result(value=[row[0] for row in await tx.arrays(_PLACES, places)])


async def move(tx: Transaction, broadcast_id: str, happened: BroadcastMove, at: int, reason: str) -> Result:
    """Start, pause, cancel or end a broadcast; the result's `value` is whether it could be."""
    found = await tx.fetch(_STATE, broadcast_id)
    if not found or not BROADCAST.can(state := BroadcastState(found[0][1]), happened):
        return Result(value=False)
    if happened is BroadcastMove.STARTED:
        await tx.execute(_BASE, orjson.dumps(base_of(await count(tx.fetch, broadcast_id))), broadcast_id)
    await tx.execute(_MOVE, BROADCAST.move(state, happened), reason, at, broadcast_id)
    await notify(tx, [(CHANNEL, STARTED)])
    return Result(value=True, broadcasts=True)


async def step(tx: Transaction, taken: BroadcastStep) -> Result:
    """Release recipients, unless the broadcast does not run any more, and note the outcomes of others."""
    found = await tx.fetch(_STATE, taken.broadcast_id)
    if not found:
        return Result(value={})
    account, state = found[0]
    result = Result(value={})
    if taken.releases and BROADCAST.can(BroadcastState(state), BroadcastMove.ENDED):
        numbers = [number for number, _ in taken.releases]
        waiting = {row[0] for row in await tx.fetch(_WAIT, taken.broadcast_id, numbers)}
        releases = [(number, arrival) for number, arrival in taken.releases if number in waiting]
        (result,) = await receive(tx, [[arrival for _, arrival in releases]])
        released = [(number, arrival.key) for number, arrival in releases]
        result.value = dict(map(tuple, await tx.arrays(_RELEASE, released, account, taken.broadcast_id)))
    await _end(tx, taken)
    await tx.arrays(_LATER, taken.later, taken.broadcast_id)
    return result


async def _end(tx: Transaction, taken: BroadcastStep) -> None:
    by_move: dict[str, list[RecipientEnd]] = {}
    for end in taken.ends:
        by_move.setdefault(end.move, []).append(end)
    for happened, statement in _END.items():
        ends = [(end.number, end.reason, end.unanswered, end.key) for end in by_move.get(happened, ())]
        await tx.arrays(statement, ends, taken.at, taken.broadcast_id)
    if keys := [end.key for end in taken.ends if end.key is not None]:
        await recipients.tell(tx, [(row[0], row[1], row[2]) for row in await tx.fetch(_TOLD, keys)])


async def count(fetch: Fetch, broadcast_id: str) -> Counts:
    """How many recipients stand where."""
    opt_outs, unanswered = [(await fetch(query, broadcast_id))[0][0] for query in (OPT_OUTS, UNANSWERED)]
    return broadcasts.counts(await fetch(COUNTED, broadcast_id), opt_outs, unanswered)


async def page(fetch: Fetch, account: str | None, before: Place | None, limit: int, *, active: bool) -> list[Broadcast]:
    """Broadcasts, the newest first; or those that run."""
    if active:
        return [broadcast_row(row) for row in await fetch(ACTIVE, limit)]
    query, values = (PAGE, ()) if account is None else (PAGE_OF, (account,))
    return [broadcast_row(row) for row in await fetch(query, (before or FIRST)[0], limit, *values)]


async def listed(
    fetch: Fetch, broadcast_id: str, state: RecipientState | None, after: int, limit: int
) -> list[Recipient]:
    """Recipients by their numbers."""
    if state is None:
        return [recipient_row(row) for row in await fetch(RECIPIENTS, broadcast_id, after, limit)]
    return [recipient_row(row) for row in await fetch(RECIPIENTS_IN, broadcast_id, state, after, limit)]
