"""Looking into the file without changing it: backlog, history, lists. Also for other processes, beside the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson

from bridge.errors import NoThread
from bridge.events import Echo
from bridge.store.echoes import is_ours
from bridge.store.lifecycle import TimerState
from bridge.store.looks import FIRST
from bridge.store.migrations import Applied
from bridge.store.port import MANY
from bridge.store.replay import letter_of
from bridge.store.takeover import UNMISSED

from .. import records, views
from ..looking import Looking
from ..rows import SECRETS
from ..spending import Spending
from ..tracing import Tracing
from ..unreadable import sort_out
from . import broadcasts, contacts, encryption, looking, lookups, media, people, queries, retention, segments, steps
from .connection import execute
from .evidence import ThreadEvidence
from .tracing import QUERIES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence

    from bridge.events import ThreadRef
    from bridge.store.broadcasts import Broadcast, Counts, Recipient, RecipientState
    from bridge.store.looks import (
        AccountSummary,
        AuditEntry,
        DeadLetter,
        EventSummary,
        HistoryEntry,
        MessageSummary,
        Place,
        ThreadSummary,
        Unconfirmed,
    )
    from bridge.store.media import MediaRow
    from bridge.store.people.cards import ContactCard
    from bridge.store.records import InboxRow, OutboxRow, StepRow, ThreadRow
    from bridge.store.retention import Sweep, Swept
    from bridge.store.shapes import RawWebhook

    from ..unreadable import Sized, Unreadable
    from .connection import Connection

T = TypeVar("T")
W = TypeVar("W", bound="Sized")

_HEADS: Final = """
WHERE {row}.{is_open} AND {row}.seq > ?1 AND NOT EXISTS (
    SELECT 1 FROM {table} e WHERE e.thread_id = {row}.thread_id AND e.{is_open} AND e.seq < {row}.seq)
"""
_SAID: Final = f"NOT i.kind {records.one_of(*UNMISSED)}"
_WAITING: Final = f"status {records.one_of(TimerState.WAITING)}"
_INBOX_HEADS: Final = _HEADS.format(row="i", table="inbox", is_open=records.EVENT_OPEN)
_OUTBOX_HEADS: Final = _HEADS.format(row="o", table="outbox", is_open=records.MESSAGE_OPEN)
_INBOX: Final = f"SELECT {records.INBOX} FROM inbox i JOIN threads t ON t.id = i.thread_id"
_OUTBOX: Final = f"SELECT {records.OUTBOX} FROM outbox o JOIN threads t ON t.id = o.thread_id"


class Reader(Looking, Spending, Tracing):
    """The reading half of the Store port, over one connection."""

    LOOKS = looking.LOOKS
    SPENT = steps.SPENT
    SPENDING = steps.SPENDING
    TRACES = QUERIES

    def __init__(self, connection: Connection) -> None:
        """The connection is closed by whoever opened it."""
        self._connection = connection

    async def _all(self, make: Callable[[tuple[Any, ...]], T], query: str, *values: object) -> list[T]:
        def fetch(db: sqlite3.Connection) -> list[T]:
            return [make(row) for row in db.execute(query, values)]

        return await self._look(fetch)

    async def _fetch(self, query: str, *values: Any) -> list[records.Row]:  # noqa: ANN401 - the query's own
        """The rows of a query."""
        return await self._all(tuple, query, *values)

    async def _positions(self, thread_id: int, before: int, limit: int) -> list[records.Row]:
        """The ids of a thread's latest rows below one, newest first."""
        return await self._look(looking.positions, thread_id, before, limit)

    async def _readable(self, table: str, make: Callable[[tuple[Any, ...]], W], query: str, *values: object) -> list[W]:
        """Rows of work. The owner gives up those that this version cannot read, and looks again."""

        def fetch(db: sqlite3.Connection) -> tuple[list[W], list[Unreadable]]:
            return sort_out(db.execute(query, values), make)

        while True:
            readable, unreadable = await self._look(fetch)
            if not unreadable or not await self._give_up(table, unreadable):
                return readable

    async def _give_up(self, table: str, rows: Sequence[Unreadable]) -> bool:  # noqa: ARG002 - the owner's override asks
        """Whether these rows are given up now; one that only looks leaves them."""
        return False

    async def _look(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - the function's own
        """Run `function(sqlite3 connection, ...)` on the reading connection."""
        return await execute(self._connection, function, *arguments)

    async def thread(self, thread_id: int) -> ThreadRow:
        """A thread as last committed. Raises NoThread when there is no such thread."""
        threads = await self._all(records.thread_row, lookups.ONE_THREAD, thread_id)
        if not threads:
            raise NoThread(f"there is no thread {thread_id}")
        return threads[0]

    async def steps(self, thread_id: int) -> list[StepRow]:
        """The steps noted in a thread whose turn is not committed."""
        return await self._all(records.step_row, f"SELECT {records.STEP} FROM steps WHERE thread_id = ?", thread_id)

    async def held(self, thread_id: int, limit: int) -> list[InboxRow]:
        """The latest events kept in a thread because a person has it, oldest first, without timers and statuses."""
        where = f"WHERE i.thread_id = ? AND i.{records.EVENT_HELD} AND {_SAID} ORDER BY i.seq DESC LIMIT ?"

        def fetch(db: sqlite3.Connection) -> list[InboxRow]:
            rows, _ = sort_out(db.execute(f"{_INBOX} {where}", (thread_id, limit)), records.inbox_row)
            return rows[::-1]

        return await self._look(fetch)

    async def sent_by_us(self, row: InboxRow, now: int) -> bool | None:
        """Whether an echo is of a message of ours; None while one of its thread may be on the wire, and so unnamed."""
        echo, came = row.event, row.received_at
        if not isinstance(echo, Echo):
            return False

        def look(db: sqlite3.Connection) -> bool | None:
            return is_ours(echo, ThreadEvidence(db, row.ref.account, row.thread_id), at=came, waited=now - came)

        return await self._look(look)

    async def dialogs(self, *, after: int = 0, limit: int = 1000) -> list[ThreadRow]:
        """Threads in which a dialog waits, by id from `after` on."""
        where = "WHERE t.dialog IS NOT NULL AND t.id > ? ORDER BY t.id LIMIT ?"
        return await self._all(records.thread_row, f"SELECT {records.THREAD} FROM threads t {where}", after, limit)

    async def due_at(self, thread_id: int, name: str) -> int | None:
        """When the next timer of a name is due in a thread; None: none waits."""
        query = f"SELECT min(due_at) FROM timers WHERE thread_id = ? AND name = ? AND {_WAITING}"
        times: list[int | None] = await self._all(lambda row: row[0], query, thread_id, name)
        return times[0]

    async def inbox_after(self, thread_id: int, seq: int, limit: int) -> list[InboxRow]:
        """A thread's open events after `seq`, in order."""
        where = f"WHERE i.thread_id = ? AND i.{records.EVENT_OPEN} AND i.seq > ? ORDER BY i.seq LIMIT ?"
        return await self._readable("inbox", records.inbox_row, f"{_INBOX} {where}", thread_id, seq, limit)

    async def outbox_after(self, thread_id: int, seq: int, limit: int) -> list[OutboxRow]:
        """A thread's open messages after `seq`, in order."""
        where = f"WHERE o.thread_id = ? AND o.{records.MESSAGE_OPEN} AND o.seq > ? ORDER BY o.seq LIMIT ?"
        return await self._readable("outbox", records.outbox_row, f"{_OUTBOX} {where}", thread_id, seq, limit)

    async def inbox_heads(self, after_seq: int, limit: int, account: str | None = None) -> list[InboxRow]:
        """The first open event of each thread that has one, by seq."""
        where = f"{_INBOX_HEADS} AND (?2 IS NULL OR t.account = ?2) ORDER BY i.seq LIMIT ?3"
        return await self._readable("inbox", records.inbox_row, f"{_INBOX} {where}", after_seq, account, limit)

    async def outbox_heads(self, after_seq: int, limit: int, account: str | None = None) -> list[OutboxRow]:
        """The first open message of each thread that has one, by seq."""
        where = f"{_OUTBOX_HEADS} AND (?2 IS NULL OR t.account = ?2) ORDER BY o.seq LIMIT ?3"
        return await self._readable("outbox", records.outbox_row, f"{_OUTBOX} {where}", after_seq, account, limit)

    async def dead_letters(
        self,
        *,
        account: str | None = None,
        reason: str = "",
        state: str | None = None,
        limit: int = 1000,
        before: Place | None = None,
    ) -> list[DeadLetter]:
        """What was given up or not understood, newest first."""

        async def page(place: Place, most: int) -> list[DeadLetter]:
            chosen = {"account": account, "reason": reason, "state": state}
            return await self._look(queries.newest_letters, {**chosen, "at": place[0], "number": place[1]}, most)

        return await views.of_reason(page, reason, limit, before or FIRST)

    async def oldest_letters(
        self,
        *,
        account: str | None,
        reason: str,
        until: int,
        limit: int,
        after: Place = (0, 0),
        state: str | None = None,
    ) -> list[tuple[int, str]]:
        """Dead letters from the oldest on."""

        async def page(place: Place, most: int) -> list[views.Dead]:
            chosen = {"account": account, "reason": reason, "state": state}
            values = {**chosen, "until": until, "at": place[0], "number": place[1]}
            return await self._look(queries.oldest_letters, values, most)

        return [(dead.at, dead.id) for dead in await views.of_reason(page, reason, limit, after)]

    async def dead_letter(self, letter_id: str) -> DeadLetter | None:
        """One of them, with its content."""
        side, row_id = letter_of(letter_id)
        letters = [] if row_id is None else await self._all(views.dead_letter, queries.DEAD_LETTER[side], row_id)
        return letters[0] if letters else None

    async def cursor(self, account: str, name: str) -> str | None:
        """How far what is called `name` was read at the provider, or None."""
        return await self._value("cursors", account, name)

    async def secret(self, account: str, name: str) -> str | None:
        """What is kept under a name, or None."""
        return await self._value("secrets", account, name)

    async def _value(self, table: str, account: str, name: str) -> str | None:
        query = f"SELECT {SECRETS} FROM {table} WHERE account = ? AND name = ?"
        values: list[str] = await self._all(lambda row: row[0], query, account, name)
        return values[0] if values else None

    async def unconfirmed(self, account: str, *, since: int, after: int, limit: int) -> list[Unconfirmed]:
        """Messages said since then that were sent, and are neither delivered nor failed as far as we know."""

        def fetch(db: sqlite3.Connection) -> list[Unconfirmed]:
            values = {"account": account, "since": since, "after": after, "limit": limit}
            return [views.unconfirmed(row) for row in db.execute(queries.UNCONFIRMED, values)]

        return await self._look(fetch)

    async def threads(
        self, *, account: str | None = None, limit: int = 1000, held: bool = False, before: Place | None = None
    ) -> list[ThreadSummary]:
        """Threads, the latest first; with `held` those that a person has."""
        return await self._look(lambda db: queries.summaries(db, account, limit, before or FIRST, held=held))

    async def summary(self, thread_id: int) -> ThreadSummary | None:
        """The line of one thread."""
        return next(iter(await self._look(queries.summaries_of, [thread_id])), None)

    async def accounts(self) -> list[AccountSummary]:
        """What waits and what was given up, by account."""
        return await self._look(queries.account_summaries)

    async def threads_of_contact(self, contact_id: int) -> list[ThreadRow]:
        """All threads of a person."""
        return await self._look(people.threads_of_person, contact_id)

    async def contacts(self, *, before: int = MANY, limit: int = 100) -> list[ContactCard]:
        """People whose numbers are lower, the newest first."""
        return await self._look(contacts.page, before, limit)

    async def contact(self, contact_id: int) -> ContactCard | None:
        """The person that a contact is."""
        return await self._look(contacts.card, contact_id)

    async def contacts_named(self, value: str) -> list[ContactCard]:
        """People by an identity."""
        return await self._look(contacts.named, value)

    async def find_thread(self, ref: ThreadRef) -> int | None:
        """The id of the thread in which a conversation goes on."""
        query = "SELECT coalesce(leads_to, id) FROM threads WHERE account = ? AND channel = ? AND conversation = ?"
        ids: list[int] = await self._all(lambda row: row[0], query, ref.account, ref.channel, ref.conversation_id)
        return ids[0] if ids else None

    async def history(
        self, thread_id: int, *, after: int = 0, before: int | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        """The latest `limit` things said in a thread between two positions, oldest first."""
        return await self._look(queries.history, thread_id, after, before or segments.LAST, limit)

    async def event(self, account: str, key: str) -> EventSummary | None:
        """Where the event of a key stands."""
        return await self._look(queries.event, account, key)

    async def messages(self, turns: Sequence[Sequence[str]]) -> list[MessageSummary]:
        """Where messages stand, by their idempotency keys."""
        return await self._all(views.message_summary, queries.MESSAGES, orjson.dumps(turns).decode())

    async def audited(
        self, *, account: str | None = None, before: Place | None = None, limit: int = 100
    ) -> list[AuditEntry]:
        """What was asked for, newest first."""
        at, number = before or FIRST

        def fetch(db: sqlite3.Connection) -> list[AuditEntry]:
            values = {"account": account, "at": at, "number": number, "limit": limit}
            query = queries.AUDITED if account is None else queries.AUDITED_OF
            return [views.audit_entry(row) for row in db.execute(query, values)]

        return await self._look(fetch)

    async def broadcasts(
        self, *, account: str | None = None, active: bool = False, before: Place | None = None, limit: int = 100
    ) -> list[Broadcast]:
        """Broadcasts, the newest first."""
        return await self._look(lambda db: broadcasts.page(db, account, before, limit, active=active))

    async def broadcast(self, broadcast_id: str) -> Broadcast | None:
        """One of them."""
        return await self._look(broadcasts.one, broadcast_id)

    async def broadcast_counts(self, broadcast_id: str) -> Counts:
        """How many recipients stand where."""
        return await self._look(broadcasts.count, broadcast_id)

    async def recipients(
        self, broadcast_id: str, *, state: RecipientState | None = None, after: int = 0, limit: int = 1000
    ) -> list[Recipient]:
        """Recipients by their numbers, behind one of them."""
        return await self._look(broadcasts.listed, broadcast_id, state, after, limit)

    async def processes(self) -> list[str]:
        """None: whose the file is, its lock tells."""
        return []

    async def raws(self, limit: int, before: int | None = None) -> list[RawWebhook]:
        """What the latest webhooks brought, newest first."""
        return await self._all(views.raw_webhook, queries.RAWS, before or views.LAST, limit)

    async def migrations(self) -> list[Applied]:
        """The author's migrations that are applied, by their numbers; a file of an older schema has none."""
        if not await self._all(bool, "SELECT 1 FROM sqlite_master WHERE name = 'migrations'"):
            return []
        return await self._all(Applied._make, "SELECT number, name, digest FROM migrations ORDER BY number")

    async def media(self, inbox_ids: Sequence[int]) -> list[MediaRow]:
        """The media of events."""
        return await self._look(media.of_events, inbox_ids)

    async def forgotten_media(self, limit: int) -> list[tuple[MediaRow, bool]]:
        """Media whose bytes are to be removed; True beside one whose bytes another medium has too."""
        return await self._look(media.forgotten, limit)

    async def sweepable(self, sweep: Sweep, before: int, *, after: int = 0, limit: int = 10_000) -> Swept:
        """What a sweep would remove or empty, among so many rows."""
        return await self._look(retention.count, sweep, before, after, limit)

    async def encrypted_under(self) -> Mapping[str, int]:
        """How many values are under each key."""
        return await self._look(encryption.under_keys)

    async def counts(self) -> Mapping[str, int]:
        """How much is waiting and how much was given up."""
        return dict(await self._all(lambda row: (row[0], row[1]), views.COUNTS))
