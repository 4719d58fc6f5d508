"""What is read for those who look in: queries that every database takes, and rows as the engine's records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import orjson

from bridge.events import Contact, ThreadRef
from bridge.store.admission import OWN_KINDS
from bridge.store.following import is_follower
from bridge.store.lifecycle import INBOX, OUTBOX, InboxMove, InboxState, OutboxMove, Outcome, TimerState
from bridge.store.looks import (
    AccountSummary,
    AuditEntry,
    DeadLetter,
    EventSummary,
    HistoryEntry,
    MessageSummary,
    ThreadSummary,
    Unconfirmed,
)
from bridge.store.replay import letter_of
from bridge.store.shapes import RawWebhook

from .records import EVENT_HELD, EVENT_OPEN, MESSAGE_OPEN, REF, literal, one_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from bridge.store.looks import Place

    from .records import Row

DEAD_EVENT: Final = f"status {one_of(*INBOX.before(InboxMove.DROPPED))}"
DEAD_MESSAGE: Final = f"status {one_of(*OUTBOX.before(OutboxMove.DROPPED))}"
"""As the partial indexes have it."""
_QUARANTINED: Final = literal(InboxState.QUARANTINED)
COUNTS: Final = f"""
SELECT 'open_events', count(*) FROM inbox WHERE {EVENT_OPEN} UNION ALL
SELECT 'open_messages', count(*) FROM outbox WHERE {MESSAGE_OPEN} UNION ALL
SELECT 'dead_events', count(*) FROM inbox WHERE {DEAD_EVENT} AND status = {literal(InboxState.DEAD)} UNION ALL
SELECT {_QUARANTINED}, count(*) FROM inbox WHERE {DEAD_EVENT} AND status = {_QUARANTINED} UNION ALL
SELECT 'dead_messages', count(*) FROM outbox WHERE {DEAD_MESSAGE}
"""
EVENT: Final = "i.id, i.account, i.thread_id, i.kind, i.status, coalesce(i.error, ''), i.replay, i.received_at"
MESSAGE: Final = f"""o.key, o.account, o.thread_id, o.kind, o.status, coalesce(o.outcome, ''), coalesce(o.delivery, ''),
    coalesce(nullif(o.delivery_error, ''), o.error, ''), o.message_id, o.attempt, o.created_at, o.id,
    (SELECT count(*) FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = {literal(Outcome.UNKNOWN)})"""
AUDIT: Final = "id, at, who, what, account, target"
AUDIT_VALUES: Final = "at, who, what, account, target"
"""What `audit_values` gives."""
LATER: Final = "at"
"""The name of timers with messages for later: see bridge.conversation.effects.AT."""
DUE_AT: Final = f"CASE WHEN status {one_of(TimerState.WAITING)} THEN due_at END"
LATEST: Final = 5000
"""Events among which an account's last one is looked for: an index would cost each event more than it is worth."""
ACCOUNTS: Final = """
WITH RECURSIVE accounts (name) AS (
    SELECT min(account) FROM threads UNION ALL
    SELECT (SELECT min(account) FROM threads WHERE account > name) FROM accounts WHERE name IS NOT NULL)
SELECT name FROM accounts WHERE name IS NOT NULL
"""
"""Looks at one row of each account, however many threads there are."""


def accounts(rows: Iterable[Row]) -> list[str]:
    """The accounts with conversations: in a follower's nobody speaks."""
    return [account for (account,) in rows if not is_follower(account)]


LAST: Final = 2**62
"""A number that no row has yet."""
RAW: Final = "id, account, received_at, raw"
RAWS: Final = f"""
SELECT {RAW} FROM inbox
WHERE id < {{before}} AND NOT kind {one_of(*OWN_KINDS)} ORDER BY id DESC LIMIT {{limit}}
"""
"""Rows are in the order of time: this one goes back from a row on, and ends after so many."""
SUMMARY: Final = f"""
t.id, {REF}, t.contact, t.step, t.version,
(SELECT count(*) FROM inbox i WHERE i.thread_id = t.id AND i.{EVENT_OPEN}),
(SELECT count(*) FROM outbox o WHERE o.thread_id = t.id AND o.{MESSAGE_OPEN}),
t.updated_at,
coalesce(
    (SELECT o.id || ' ' || o.error FROM outbox o WHERE o.thread_id = t.id AND o.{MESSAGE_OPEN} ORDER BY o.seq LIMIT 1),
    (SELECT i.id || ' ' || i.error FROM inbox i WHERE i.thread_id = t.id AND i.{EVENT_OPEN} ORDER BY i.seq LIMIT 1),
    ''),
t.note, (SELECT count(*) FROM inbox i WHERE i.thread_id = t.id AND i.{EVENT_HELD})
"""
"""What waits in a thread is counted only for those that are shown. A reason has the number of its row before it."""
UNCONFIRMED: Final = f"o.id, {REF}, o.message_id, coalesce(o.delivery, '')"
HISTORY: Final = (
    "id, 'in' AS direction, kind, status, '' AS delivery, event AS content, event_key AS key, received_at AS at"
)
SAID: Final = "o.id, 'out', o.kind, o.status, coalesce(o.delivery, ''), o.message, o.key, o.created_at"
"""A message as HISTORY has it."""
IN_LETTER: Final = (
    "i.id, 'in-' || i.id, i.account, coalesce(t.channel || ':' || t.conversation, ''), i.kind, i.status, "
    "coalesce(i.error, ''), i.attempt, i.done_at, i.raw, i.channel, coalesce(i.trace, ''), '[]'"
)
OUT_LETTER: Final = (
    "o.id, 'out-' || o.id, o.account, t.channel || ':' || t.conversation, o.kind, o.status, "
    "coalesce(o.error, ''), o.attempt, o.done_at, o.message, NULL, ''"
)
"""Its tries come behind it, as JSON."""
IN_LETTER_LINE: Final = IN_LETTER.replace("i.raw", "substr(i.raw, 1, 0)")
OUT_LETTER_LINE: Final = f"{OUT_LETTER.replace('o.message', 'substr(o.message, 1, 0)')}, '[]'"
"""Without their contents."""
LETTER_PLACE: Final = "done_at, id, coalesce(error, '')"


def raw_webhook(row: Row) -> RawWebhook:
    """What one webhook brought."""
    return RawWebhook(id=row[0], account=row[1], received_at=row[2], raw=row[3])


def account_summaries(
    *, last: Iterable[Row], events: Iterable[Row], messages: Iterable[Row], dead: Iterable[Row]
) -> list[AccountSummary]:
    """Every account that one of them names, by name.

    Of each account `last` has the time of its last event, `events` and `messages` how many are open and since when,
    `dead` how many were given up.
    """
    received: dict[str, int] = dict(last)
    waiting = [{account: (count, at) for account, count, at in rows} for rows in (events, messages)]
    given_up: dict[str, int] = {account: int(count) for account, count in dead}
    nothing = (0, None)
    summaries = []
    for account in sorted({*received, *waiting[0], *waiting[1], *given_up}):
        (open_events, event_at), (open_messages, message_at) = (side.get(account, nothing) for side in waiting)
        summaries.append(
            AccountSummary(
                account=account,
                last_received=received.get(account),
                open_events=open_events,
                open_messages=open_messages,
                oldest=min((at for at in (event_at, message_at) if at is not None), default=None),
                dead=given_up.get(account, 0),
            )
        )
    return summaries


def summary(row: Row) -> ThreadSummary:
    """A line of the list of threads."""
    return ThreadSummary(
        id=row[0],
        ref=ThreadRef(*row[1:5]),
        contact=Contact(**orjson.loads(row[5])) if row[5] else None,
        step=row[6],
        version=row[7],
        open_events=row[8],
        open_messages=row[9],
        last_at=row[10],
        reason=row[11].partition(" ")[2],
        note=row[12],
        kept_events=row[13],
    )


def unconfirmed(row: Row) -> Unconfirmed:
    """A message that is not confirmed."""
    return Unconfirmed(row_id=row[0], ref=ThreadRef(*row[1:5]), message_id=row[5], status=row[6])


def event_summary(row: Row, timers: Iterable[Row]) -> EventSummary:
    """Where an event stands; `timers` are those of the messages that its turn keeps for later: id, and when due."""
    later = [*timers]
    return EventSummary(
        id=row[0],
        account=row[1],
        thread_id=row[2],
        kind=row[3],
        state=row[4],
        reason=row[5],
        replay=row[6],
        at=row[7],
        timers=tuple(timer_id for timer_id, _ in later),
        due_at=min((due_at for _, due_at in later if due_at is not None), default=None),
    )


def message_summary(row: Row) -> MessageSummary:
    """Where a message stands."""
    return MessageSummary(
        key=row[0],
        account=row[1],
        thread_id=row[2],
        kind=row[3],
        state=row[4],
        outcome=row[5],
        status=row[6],
        reason=row[7],
        message_id=row[8],
        attempt=row[9],
        at=row[10],
        unanswered=row[12],
    )


def audit_entry(row: Row) -> AuditEntry:
    """A change that somebody asked for."""
    return AuditEntry(id=row[0], at=row[1], who=row[2], what=row[3], account=row[4], target=row[5])


def newest(letters: Sequence[DeadLetter], limit: int) -> list[DeadLetter]:
    """Dead letters of both sides as one list."""
    return sorted(letters, key=lambda letter: (letter.at, letter_of(letter.id)[1]), reverse=True)[:limit]


class Dead(NamedTuple):
    """What a list of dead letters is about."""

    at: int
    id: str
    reason: str


Letter = TypeVar("Letter", Dead, DeadLetter)


def oldest_letters(sides: Mapping[str, Iterable[Row]], limit: int) -> list[Dead]:
    """The dead letters whose LETTER_PLACE each side gives, as one list."""
    places = sorted((at, number, side, reason) for side, rows in sides.items() for at, number, reason in rows)
    return [Dead(at, f"{side}-{number}", reason) for at, number, side, reason in places[:limit]]


async def of_reason(
    page: Callable[[Place, int], Awaitable[list[Letter]]], reason: str, limit: int, place: Place
) -> list[Letter]:
    """The first dead letters of a reason. A page has those too whose reasons a database cannot read."""
    found: list[Letter] = []
    while len(found) < limit:
        letters = await page(place, limit)
        found += [letter for letter in letters if reason in letter.reason]
        if len(letters) < limit:
            break
        place = letters[-1].at, letter_of(letters[-1].id)[1] or 0
    return found[:limit]


def dead_letter(row: Row) -> DeadLetter:
    """A dead letter of either side."""
    return DeadLetter(
        id=row[1],
        account=row[2],
        thread=row[3],
        kind=row[4],
        state=row[5],
        reason=row[6],
        attempt=row[7],
        at=row[8],
        content=row[9],
        channel=row[10],
        trace=row[11],
        tries=row[12],
    )


def history_entry(row: Row) -> HistoryEntry:
    """One thing said in a thread."""
    return HistoryEntry(
        position=row[0],
        id=row[0],
        direction=row[1],
        kind=row[2],
        state=row[3],
        status=row[4],
        content=row[5],
        key=row[6],
        at=row[7],
    )


def audit_values(entry: AuditEntry) -> tuple[int, str, str, str, str]:
    """The columns AUDIT_VALUES."""
    return entry.at, entry.who, entry.what, entry.account, entry.target
