"""The way of one event, looked up row by row; each database has its own queries for that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol

import orjson

from bridge.store.replay import SIDES, letter_of
from bridge.store.traces import Trace, TracedEvent, TracedMessage, TracedTimer, Try, comes_of, of_turn

from . import views
from .fetching import Fetching
from .records import unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .records import Row

EVENT: Final = (
    "i.id, i.account, i.thread_id, coalesce(t.channel || ':' || t.conversation, ''), i.seq, i.event_key, i.kind, "
    "i.status, i.attempt, i.replay, i.received_at, i.available_at, i.tried_at, i.done_at, coalesce(i.error, ''), "
    "coalesce(i.trace, ''), i.event, i.raw, i.address, i.channel"
)
EVENT_LINE: Final = EVENT.replace("i.raw", "NULL")
"""Without the webhook."""
MESSAGE: Final = (
    "o.id, o.account, o.thread_id, t.channel || ':' || t.conversation, o.inbox_id, o.seq, o.key, o.kind, o.message, "
    "o.given_up, o.status, coalesce(o.outcome, ''), coalesce(o.delivery, ''), coalesce(o.delivery_error, ''), "
    "o.message_id, o.attempt, o.available_at, o.expires_at, o.created_at, o.done_at, coalesce(o.error, '')"
)
TRY: Final = "attempt, at, outcome, coalesce(reason, ''), exchange, outbox_id"
TIMER: Final = "id, name, due_at, set_at, status"
HEARD: Final = """
WITH RECURSIVE d (digest) AS (
    SELECT substr(min(event_key), 1, 16) FROM inbox WHERE account = {account} UNION ALL
    SELECT (SELECT substr(min(event_key), 1, 16) FROM inbox
            WHERE account = {account} AND event_key > d.digest || '\U0010ffff')
    FROM d WHERE d.digest IS NOT NULL),
names (name) AS (SELECT digest || '/' || {name} FROM d)
SELECT i.id FROM names CROSS JOIN inbox i
WHERE i.account = {account} AND i.event_key >= name AND i.event_key < name || ';'
    AND (i.event_key = name OR i.event_key >= name || ':')
"""
"""What a gateway calls an event stands behind a digest of its conversation: the index is asked once for each of those.

An index of names would cost each event more than a person's look is worth. `:` is before what a provider adds.
"""
PAGE: Final = 100
"""Messages of a thread that are read at once."""


class Fetch(Protocol):
    """Runs a query."""

    async def __call__(self, query: str, *values: object) -> Sequence[Row]:
        """The rows of a query."""
        ...


class Queries(NamedTuple):
    """What is asked, in the SQL of one database. Each but `named` gives the columns above.

    `named` gives ids of messages by account and the gateway's name; `heard` those of events. `said` are messages of a
    thread behind a row, said at a time or later; `events` its events behind a row, `news` those of the kinds in NEWS.
    `tries`, `events_of` and `messages_of` are by JSON lists of ids; an event comes without its webhook there.
    """

    event: str
    event_keyed: str
    message: str
    message_keyed: str
    named: str
    heard: str
    said: str
    events: str
    news: str
    tries: str
    timers: str
    events_of: str
    messages_of: str


async def find(fetch: Fetch, queries: Queries, name: str) -> list[str]:
    """The events and messages that a name is for."""
    if letter_of(name)[1] is not None:
        return await _existing(fetch, queries, name)
    if found := [f"out-{row[0]}" for row in await fetch(queries.message_keyed, name)]:
        return found
    accounts = [row[0] for row in await fetch(views.ACCOUNTS)]
    for account in accounts:
        found += [f"in-{row[0]}" for row in await fetch(queries.event_keyed, account, name)]
        found += [f"out-{row[0]}" for row in await fetch(queries.named, account, name)]
    if found:
        return [*dict.fromkeys(found)]
    found = [letter for side in SIDES for letter in await _existing(fetch, queries, f"{side}-{name}")]
    for account in accounts:
        found += [f"in-{row[0]}" for row in await fetch(queries.heard, account, name)]
    return found


async def _existing(fetch: Fetch, queries: Queries, letter: str) -> list[str]:
    side, row_id = letter_of(letter)
    query = queries.event if side == "in" else queries.message
    return [letter] if row_id is not None and await fetch(query, row_id) else []


async def recorded(fetch: Fetch, queries: Queries, thread_id: int, after: int, limit: int) -> list[TracedEvent]:
    """A thread's events as stored, by their ids, behind one of them."""
    return [_event(row) for row in await fetch(queries.events, thread_id, after, limit)]


async def spoken(fetch: Fetch, queries: Queries, thread_id: int, after: int, limit: int) -> list[TracedMessage]:
    """A thread's messages as stored, by their ids, behind one of them."""
    return [_message(row) for row in await fetch(queries.said, thread_id, after, 0, limit)]


async def rows_of(
    fetch: Fetch, queries: Queries, places: Sequence[tuple[int, str]]
) -> list[TracedEvent | TracedMessage]:
    """The events and messages at places, which are ids and sides, by their ids."""
    ids = {side: [row_id for row_id, where in places if where == side] for side in SIDES}
    events = [_event(row) for row in await fetch(queries.events_of, _json(ids["in"]))]
    messages = [_message(row) for row in await fetch(queries.messages_of, _json(ids["out"]))]
    return sorted([*events, *await _with_tries(fetch, queries, messages)], key=lambda row: row.id)


async def trace(fetch: Fetch, queries: Queries, letter: str) -> Trace | None:
    """The way of an event, or of that whose turn said a message; None: there is no such row."""
    side, row_id = letter_of(letter)
    asked: TracedMessage | None = None
    if side == "out":
        rows = [] if row_id is None else await fetch(queries.message, row_id)
        if not rows:
            return None
        asked = _message(rows[0])
        row_id = asked.event_id
    events = [] if row_id is None else [_event(row) for row in await fetch(queries.event, row_id)]
    event = events[0] if events else None
    if event is None and asked is None:
        return None
    messages = await _said(fetch, queries, event) if event is not None else []
    if asked is not None and asked.id not in {message.id for message in messages}:
        messages.append(asked)
    messages = await _with_tries(fetch, queries, messages)
    return Trace(
        event=event,
        messages=messages,
        timers=await _timers(fetch, queries, event),
        later=await _later(fetch, queries, event, messages),
    )


async def _with_tries(fetch: Fetch, queries: Queries, messages: Sequence[TracedMessage]) -> list[TracedMessage]:
    tries: dict[int, list[Try]] = {message.id: [] for message in messages}
    for *row, row_id in await fetch(queries.tries, _json([*tries])):
        tries[row_id].append(_try(row))
    return [replace(message, tries=tries[message.id]) for message in messages]


async def _said(fetch: Fetch, queries: Queries, event: TracedEvent) -> list[TracedMessage]:
    """The messages of the turn that settled an event: those of its thread with the time of its commit."""
    messages: list[TracedMessage] = []
    after = event.id
    while event.thread_id is not None and event.done_at is not None:
        page = [_message(row) for row in await fetch(queries.said, event.thread_id, after, event.done_at, PAGE)]
        messages += page
        if len(page) < PAGE or page[-1].created_at > event.done_at:
            break
        after = page[-1].id
    return of_turn(event, messages)


async def _timers(fetch: Fetch, queries: Queries, event: TracedEvent | None) -> list[TracedTimer]:
    if event is None or event.thread_id is None or event.done_at is None:
        return []
    return [_timer(row) for row in await fetch(queries.timers, event.thread_id, event.done_at)]


async def _later(
    fetch: Fetch, queries: Queries, event: TracedEvent | None, messages: Sequence[TracedMessage]
) -> list[TracedEvent]:
    """What the thread heard of the turn afterwards."""
    thread_id = event.thread_id if event is not None else messages[0].thread_id
    if thread_id is None:
        return []
    after = event.id if event is not None else messages[0].id
    news = [_event(row) for row in await fetch(queries.news, thread_id, after)]
    return [one for one in news if comes_of(one, event, messages)]


def _event(row: Row) -> TracedEvent:
    return TracedEvent(
        id=row[0],
        account=row[1],
        thread_id=row[2],
        thread=row[3],
        seq=row[4],
        key=row[5],
        kind=row[6],
        state=row[7],
        attempt=row[8],
        replay=row[9],
        received_at=row[10],
        available_at=row[11],
        tried_at=row[12],
        done_at=row[13],
        reason=row[14],
        trace=row[15],
        content=row[16],
        raw=row[17] or b"",
        address=unpack(row[18]),
        channel=row[19],
    )


def _message(row: Row) -> TracedMessage:
    return TracedMessage(
        id=row[0],
        account=row[1],
        thread_id=row[2],
        thread=row[3],
        event_id=row[4],
        seq=row[5],
        key=row[6],
        kind=row[7],
        content=row[8],
        given_up=orjson.loads(row[9]) if row[9] else (),
        state=row[10],
        outcome=row[11],
        status=row[12],
        status_error=row[13],
        message_id=row[14],
        attempt=row[15],
        available_at=row[16],
        expires_at=row[17],
        created_at=row[18],
        done_at=row[19],
        reason=row[20],
    )


def _json(ids: Sequence[int]) -> str:
    return orjson.dumps([*ids]).decode()


def _try(row: Sequence[Any]) -> Try:
    return Try(attempt=row[0], at=row[1], outcome=row[2], reason=row[3], exchange=row[4] or b"")


def _timer(row: Row) -> TracedTimer:
    return TracedTimer(id=row[0], name=row[1], due_at=row[2], set_at=row[3], state=row[4])


class Tracing(Fetching):
    """Both readers' methods for traces."""

    TRACES: ClassVar[Queries]

    async def find(self, name: str) -> list[str]:
        """The events and messages that a name is for."""
        return await find(self._fetch, self.TRACES, name)

    async def trace(self, letter_id: str) -> Trace | None:
        """The way of an event, or of that whose turn said a message."""
        return await trace(self._fetch, self.TRACES, letter_id)

    async def recorded(self, thread_id: int, *, after: int = 0, limit: int = 1000) -> list[TracedEvent]:
        """A thread's events as stored, by their ids, behind one of them."""
        return await recorded(self._fetch, self.TRACES, thread_id, after, limit)

    async def spoken(self, thread_id: int, *, after: int = 0, limit: int = 1000) -> list[TracedMessage]:
        """A thread's messages as stored, by their ids, behind one of them."""
        return await spoken(self._fetch, self.TRACES, thread_id, after, limit)
