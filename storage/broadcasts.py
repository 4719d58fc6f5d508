"""Broadcasts and their recipients: columns, and rows as the engine's records, the same on every database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.store.broadcasts import (
    AFTERWARDS,
    BROADCAST,
    RECIPIENT,
    STATUS_MOVES,
    Bounds,
    Broadcast,
    BroadcastMove,
    BroadcastState,
    Counts,
    Recipient,
    RecipientMove,
    RecipientState,
)

from .records import literal, one_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .records import Row

BROADCAST_COLUMNS: Final = "id, account, status, reason, content, bounds, base, begins_at, created_at, updated_at"
RECIPIENT_VALUES: Final = "broadcast_id, number, contact, channel, conversation, fields, status, look_at"
"""What `recipient_values` gives."""
RECIPIENT_COLUMNS: Final = (
    "number, contact, channel, conversation, fields, status, reason, look_at, opted_out, unanswered, broadcast_id"
)
RUNNING: Final = f"status {one_of(*BROADCAST.before(BroadcastMove.ENDED))}"
WAITING: Final = f"status {one_of(*RECIPIENT.before(RecipientMove.RELEASED))}"
RELEASED: Final = f"status {one_of(*RECIPIENT.before(RecipientMove.EXPIRED))}"
SETTLED_AFTER: Final = f"status {one_of(*AFTERWARDS)}"
_OVER: Final = f"b.status {one_of(BroadcastState.DRAFT, BroadcastState.DONE, BroadcastState.CANCELLED)}"
"""As the partial index has it."""
_OLD: Final = (
    f"FROM broadcasts b{{1}} {{2}} JOIN recipients r ON r.broadcast_id = b.id WHERE {_OVER} AND b.updated_at < {{0}}"
)
OLD: Final = f"SELECT r.broadcast_id, r.number {_OLD}"
"""Recipients that may go; {0} is the time before which they are old."""
COUNT_OLD: Final = f"SELECT count(*) {_OLD}"
OLD_AND_EMPTY: Final = f"""
DELETE FROM broadcasts WHERE id IN (
    SELECT b.id FROM broadcasts b{{1}} WHERE {_OVER} AND b.updated_at < {{0}}
        AND NOT EXISTS (SELECT 1 FROM recipients r WHERE r.broadcast_id = b.id))
"""
DRAFT: Final = literal(BroadcastState.DRAFT)
IS_RELEASED: Final = literal(RECIPIENT.after(RecipientMove.RELEASED))
_OPEN: Final = (RecipientState.WAITING, RecipientState.RELEASED)
ENDS_FROM: Final = {
    move: one_of(*(state for state in RECIPIENT.before(move) if state in _OPEN)) for move in RecipientMove
}
"""In which states a message can come to an outcome."""
NEWS: Final = {value: (move, RECIPIENT.before(move)) for value, move in STATUS_MOVES.items()}
"""What a status of a message does to its recipient, and in which states it can."""
_OF: Final = f"SELECT {BROADCAST_COLUMNS} FROM broadcasts WHERE"
ACTIVE: Final = f"""
{_OF} {RUNNING} UNION {_OF} id IN (SELECT broadcast_id FROM recipients{{1}} WHERE {RELEASED})
ORDER BY created_at DESC LIMIT {{0}}
"""
COUNTED: Final = "SELECT status, count(*) FROM recipients WHERE broadcast_id = {0} GROUP BY status"
OPT_OUTS: Final = "SELECT count(*) FROM recipients WHERE broadcast_id = {0} AND opted_out > 0"
UNANSWERED: Final = "SELECT coalesce(sum(unanswered), 0) FROM recipients WHERE broadcast_id = {0} AND unanswered > 0"


def broadcast_values(broadcast: Broadcast) -> tuple[Any, ...]:
    """The columns BROADCAST_COLUMNS."""
    return (
        broadcast.id,
        broadcast.account,
        broadcast.state,
        broadcast.reason,
        broadcast.content,
        orjson.dumps([*broadcast.bounds]),
        orjson.dumps([*broadcast.base]),
        broadcast.begins_at,
        broadcast.created_at,
        broadcast.updated_at,
    )


def broadcast_row(row: Row) -> Broadcast:
    """A broadcast out of BROADCAST_COLUMNS."""
    id_, account, state, reason, content, bounds, base, begins_at, created_at, updated_at = row
    failed, reached, opt_outs = orjson.loads(base)
    return Broadcast(
        id=id_,
        account=account,
        state=BroadcastState(state),
        reason=reason,
        content=content,
        bounds=Bounds(*orjson.loads(bounds)),
        base=(failed, reached, opt_outs),
        begins_at=begins_at,
        created_at=created_at,
        updated_at=updated_at,
    )


def recipient_values(broadcast_id: str, recipient: Recipient) -> tuple[Any, ...]:
    """The columns RECIPIENT_VALUES."""
    return (
        broadcast_id,
        recipient.number,
        recipient.to,
        recipient.channel,
        recipient.conversation,
        recipient.fields,
        recipient.state,
        recipient.look_at,
    )


def recipient_row(row: Row) -> Recipient:
    """A recipient out of RECIPIENT_COLUMNS."""
    number, to, channel, conversation, fields, state, reason, look_at, opted_out, unanswered, _ = row
    return Recipient(
        number=number,
        to=to,
        channel=channel,
        conversation=conversation,
        fields=fields,
        state=RecipientState(state),
        reason=reason,
        look_at=look_at,
        opted_out=bool(opted_out),
        unanswered=unanswered,
    )


def counts(states: Iterable[Row], opt_outs: int, unanswered: int) -> Counts:
    """What COUNTED, OPT_OUTS and UNANSWERED found."""
    return Counts({state: int(number) for state, number in states}, int(opt_outs), int(unanswered))
