"""News of messages: noted at its message, or kept in early_statuses until that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.events import Status
from bridge.store.following import RESOLVED
from bridge.store.lifecycle import INBOX, OUTBOX, InboxMove, InboxState, OutboxMove, OutboxState, Outcome, climbs
from bridge.store.statuses import EarlyStatus, early_state, highest, is_wanted, resolves

from .. import records
from ..rows import EARLY
from . import lookups, recipients, segments, unreadable
from .heads import begin_next, is_idle

if TYPE_CHECKING:
    import sqlite3

    from bridge.store.records import Arrival

    from ..results import Result
    from .cache import Cache

_KEYED: Final = f"""
{segments.BACK} SELECT o.id, o.thread_id, o.delivery, o.status, o.outcome FROM s CROSS JOIN {segments.KEYED} = ?
WHERE o.account = ? LIMIT 1
"""
_NOTE: Final = "UPDATE outbox SET delivery = ?, delivery_error = ? WHERE id = ?"
_RESOLVE: Final = f"""
UPDATE outbox SET status = {records.literal(OUTBOX.after(OutboxMove.RESOLVED))},
                  outcome = {records.literal(Outcome.RESOLVED)}, done_at = ?
WHERE id = ?
"""
_KEEP: Final = (
    "INSERT INTO early_statuses (account, message_id, inbox_id, value, error, wanted) VALUES (?, ?, ?, ?, ?, ?)"
)
_IS_EARLY: Final = "SELECT 1 FROM early_statuses WHERE account = ? AND message_id = ? LIMIT 1"
ANY_EARLY: Final = "SELECT 1 FROM early_statuses LIMIT 1"
_TAKE_EARLY: Final = f"""
DELETE FROM early_statuses WHERE account = ? AND message_id IN (?, ?) RETURNING {EARLY}
"""
_JOIN_EARLY: Final = f"""
UPDATE inbox SET thread_id = coalesce(thread_id, ?), seq = ?, status = ?, attempt = ?
WHERE id = ? AND status {records.one_of(*INBOX.before(InboxMove.JOINED))}
"""


def join(db: sqlite3.Connection, arrival: Arrival, number: int, result: Result) -> tuple[int | None, InboxState]:
    """Note a status at the message it speaks of, or keep it until that is known; its thread and its own state."""
    status = arrival.event
    assert isinstance(status, Status)
    message = _spoken_of(db, arrival, status.message_id)
    if message is None:
        early = (arrival.account, status.message_id, number, status.value, status.error, is_wanted(arrival))
        db.execute(_KEEP, early)
        return None, early_state(arrival)
    outbox_id, thread_id, before, state, outcome = message
    if resolves(OutboxState(state), Outcome(outcome) if outcome else None, status.value):
        db.execute(_RESOLVE, (arrival.received_at, outbox_id))
        if OutboxState(state) is OutboxState.OPEN:  # a dead one had freed its thread before
            begin_next(db, "outbox", {thread_id})
        result.resolved.append(outbox_id)
        result.news.append((thread_id, outbox_id, RESOLVED, ""))
    if note(db, outbox_id, before, status.value, status.error):
        result.news.append((thread_id, outbox_id, status.value, status.error))
    return thread_id, arrival.state


def _spoken_of(db: sqlite3.Connection, arrival: Arrival, name: str) -> records.Row | None:
    """By the gateway's id in the status's own conversation, else by its key, else by that id in another conversation.

    Most speak of what was said of late, so that is looked through first. Where other news of the message waits for it,
    the past was searched before: a message takes all that waits for it when it is sent.
    """
    here, _ = _named(db, arrival, name, segments.of_late(db))
    if here is not None or db.execute(_IS_EARLY, (arrival.account, name)).fetchone() is not None:
        return here
    here = db.execute(_KEYED, (name, arrival.account)).fetchone()
    if here is None:
        here, elsewhere = _named(db, arrival, name)
        here = here or elsewhere
    return here


def _named(
    db: sqlite3.Connection, arrival: Arrival, name: str, after: int = 0
) -> tuple[records.Row | None, records.Row | None]:
    """The newest message of that name in the status's own conversation, and the newest in another one."""
    elsewhere: records.Row | None = None
    place = (arrival.ref.channel, arrival.ref.conversation_id) if arrival.ref else None
    for *found, _, _, channel, conversation in segments.named(db, arrival.account, name, after):
        if place in (None, (channel, conversation)):
            return tuple(found), None
        elsewhere = elsewhere or tuple(found)
    return None, elsewhere


def note(db: sqlite3.Connection, outbox_id: int, before: str | None, value: str, error: str) -> bool:
    """Note what became of a message; False: later news is noted already."""
    if is_news := climbs(before, value):
        db.execute(_NOTE, (value, error or None, outbox_id))
        recipients.tell(db, outbox_id, value, error)
    return is_news


def any_early(db: sqlite3.Connection) -> bool:
    """Whether news waits for its message."""
    return db.execute(ANY_EARLY).fetchone() is not None


def join_early(
    db: sqlite3.Connection, cache: Cache, outbox_id: int, thread_id: int, message_id: str | None, result: Result
) -> None:
    """A message that was sent meets the news of it that came before."""
    query = "SELECT account, key, delivery FROM outbox WHERE id = ?"
    account, key, delivery = db.execute(query, (outbox_id,)).fetchone()
    taken = db.execute(_TAKE_EARLY, (account, key, message_id or key)).fetchall()
    early = [EarlyStatus(*row) for row in sorted(taken)]
    if (news := highest(delivery, [(status.value, status.error) for status in early])) is not None:
        note(db, outbox_id, delivery, *news)
        result.news.append((thread_id, outbox_id, *news))
    for status in early:
        _take_place(db, cache, status, thread_id, result)


def _take_place(db: sqlite3.Connection, cache: Cache, status: EarlyStatus, thread_id: int, result: Result) -> None:
    """A status that came early takes its place in the thread."""
    state = INBOX.move(InboxState.EARLY, status.move)
    head = state is InboxState.OPEN and is_idle(db, "inbox", thread_id)
    values = (thread_id, cache.number(), state, int(head), status.inbox_id)
    if db.execute(_JOIN_EARLY, values).rowcount and state is InboxState.OPEN:
        row = db.execute(lookups.ONE_EVENT, (status.inbox_id,)).fetchall()
        result.received.extend(unreadable.readable(db, cache, row, records.inbox_row))
