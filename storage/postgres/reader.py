"""Looking into the database without changing it: backlog, history, lists. Also for other processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

from bridge.errors import NoThread
from bridge.events import Echo
from bridge.store.lifecycle import TimerState
from bridge.store.looks import FIRST
from bridge.store.migrations import Applied
from bridge.store.port import MANY
from bridge.store.records import READ_BYTES
from bridge.store.replay import letter_of
from bridge.store.takeover import UNMISSED

from .. import records, views
from ..broadcasts import broadcast_row
from ..looking import Looking
from ..media import media_row
from ..rows import SECRETS
from ..spending import Spending
from ..tracing import Tracing
from ..unreadable import sort_out
from . import broadcasts, contacts, encryption, looking, lookups, media, people, queries, retention, segments, steps
from .evidence import is_ours
from .tracing import QUERIES

if TYPE_CHECKING:
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

    from ..records import Row
    from ..unreadable import Sized, Unreadable

T = TypeVar("T")
W = TypeVar("W", bound="Sized")

_WORK: Final = """
SELECT * FROM (
    SELECT {columns}, sum({size}) OVER (ORDER BY {row}.seq) - {size} AS before
    FROM {table} {row} JOIN threads t ON t.id = {row}.thread_id WHERE {row}.{is_open} AND {where}
    ORDER BY {row}.seq LIMIT $3) r
WHERE before < {most} ORDER BY 2
"""
"""Rows of work by their places: they end with the one that makes them so large."""
_SIDES: Final = {
    "inbox": {
        "row": "i",
        "columns": records.INBOX,
        "size": "(octet_length(i.event) + octet_length(i.raw))",
        "is_open": records.EVENT_OPEN,
    },
    "outbox": {
        "row": "o",
        "columns": records.OUTBOX,
        "size": "octet_length(o.message)",
        "is_open": records.MESSAGE_OPEN,
    },
}
_AFTER: Final = "{row}.thread_id = $1 AND {row}.seq > $2"
_HEADS: Final = """{row}.seq > $1 AND ($2::text IS NULL OR t.account = $2) AND NOT EXISTS (
        SELECT 1 FROM {table} e WHERE e.thread_id = {row}.thread_id AND e.{is_open} AND e.seq < {row}.seq)"""


def _work(table: str, where: str) -> str:
    side = _SIDES[table]
    return _WORK.format(table=table, where=where.format(table=table, **side), most=READ_BYTES, **side)


class Work(NamedTuple):
    """The queries for the open rows of a table: those of a thread after a place, and the heads of threads."""

    after: str
    heads: str


def _both(table: str, more: str = "") -> Work:
    return Work(_work(table, _AFTER + more), _work(table, _HEADS + more))


ANYBODYS: Final = {table: _both(table) for table in _SIDES}
MINE: Final = {table: _both(table, " AND t.holder = $4") for table in _SIDES}
"""Of threads that a process holds."""
_SAID: Final = f"NOT i.kind {records.one_of(*UNMISSED)}"
_WAITING: Final = f"status {records.one_of(TimerState.WAITING)}"
HELD: Final = f"""
SELECT {records.INBOX} FROM inbox i JOIN threads t ON t.id = i.thread_id
WHERE i.thread_id = $1 AND i.{records.EVENT_HELD} AND {_SAID} ORDER BY i.seq DESC LIMIT $2
"""
DIALOGS: Final = (
    f"SELECT {records.THREAD} FROM threads t WHERE t.dialog IS NOT NULL AND t.id > $1 ORDER BY t.id LIMIT $2"
)


class Source(Protocol):
    """Where rows are read."""

    async def fetch(self, query: str, *values: Any) -> list[Row]:  # noqa: ANN401 - the query's own
        """The rows of a query."""
        ...

    async def close(self) -> None:
        """Let go of the database."""
        ...


class Reader(Looking, Spending, Tracing):
    """The reading half of the Store port."""

    LOOKS = looking.LOOKS
    SPENT = steps.SPENT
    SPENDING = steps.SPENDING
    TRACES = QUERIES

    def __init__(self, source: Source) -> None:
        """The source is closed by whoever opened it."""
        self._source = source

    async def _fetch(self, query: str, *values: Any) -> list[Row]:  # noqa: ANN401 - the query's own
        """The rows of a query."""
        return await self._source.fetch(query, *values)

    async def _positions(self, thread_id: int, before: int, limit: int) -> list[Row]:
        """The ids of a thread's latest rows below one, newest first."""
        return await self._fetch(looking.POSITIONS, thread_id, before, limit)

    async def _all(self, make: Callable[[tuple[Any, ...]], T], query: str, *values: object) -> list[T]:
        return [make(row) for row in await self._fetch(query, *values)]

    async def _readable(self, table: str, make: Callable[[tuple[Any, ...]], W], query: str, *values: object) -> list[W]:
        """Rows of work. The owner gives up those that this version cannot read, and looks again."""
        while True:
            readable, unreadable = sort_out(await self._fetch(query, *values), make)
            if not unreadable or not await self._give_up(table, unreadable):
                return readable

    async def _give_up(self, table: str, rows: Sequence[Unreadable]) -> bool:  # noqa: ARG002 - the owner's override asks
        """Whether these rows are given up now; one that only looks leaves them."""
        return False

    async def thread(self, thread_id: int) -> ThreadRow:
        """A thread as last committed. Raises NoThread when there is no such thread."""
        threads = await self._all(records.thread_row, lookups.ONE_THREAD, thread_id)
        if not threads:
            raise NoThread(f"there is no thread {thread_id}")
        return threads[0]

    async def steps(self, thread_id: int) -> list[StepRow]:
        """The steps noted in a thread whose turn is not committed."""
        query = f"SELECT {records.STEP} FROM steps WHERE thread_id = $1 ORDER BY run, position, call"
        return await self._all(records.step_row, query, thread_id)

    async def held(self, thread_id: int, limit: int) -> list[InboxRow]:
        """The latest events kept in a thread because a person has it, oldest first, without timers and statuses."""
        rows, _ = sort_out(await self._fetch(HELD, thread_id, limit), records.inbox_row)
        return rows[::-1]

    async def sent_by_us(self, row: InboxRow, now: int) -> bool | None:
        """Whether an echo is of a message of ours; None while one of its thread may be on the wire, and so unnamed."""
        echo, came = row.event, row.received_at
        if not isinstance(echo, Echo):
            return False
        return await is_ours(self._fetch, echo, row.ref.account, row.thread_id, at=came, waited=now - came)

    async def dialogs(self, *, after: int = 0, limit: int = 1000) -> list[ThreadRow]:
        """Threads in which a dialog waits, by id from `after` on."""
        return await self._all(records.thread_row, DIALOGS, after, limit)

    async def due_at(self, thread_id: int, name: str) -> int | None:
        """When the next timer of a name is due in a thread; None: none waits."""
        query = f"SELECT min(due_at) FROM timers WHERE thread_id = $1 AND name = $2 AND {_WAITING}"
        times: list[int | None] = await self._all(lambda row: row[0], query, thread_id, name)
        return times[0]

    async def inbox_after(self, thread_id: int, seq: int, limit: int) -> list[InboxRow]:
        """A thread's open events after `seq`, in order."""
        return await self._readable("inbox", records.inbox_row, ANYBODYS["inbox"].after, thread_id, seq, limit)

    async def outbox_after(self, thread_id: int, seq: int, limit: int) -> list[OutboxRow]:
        """A thread's open messages after `seq`, in order."""
        return await self._readable("outbox", records.outbox_row, ANYBODYS["outbox"].after, thread_id, seq, limit)

    async def inbox_heads(self, after_seq: int, limit: int, account: str | None = None) -> list[InboxRow]:
        """The first open event of each thread that has one, by seq."""
        return await self._readable("inbox", records.inbox_row, ANYBODYS["inbox"].heads, after_seq, account, limit)

    async def outbox_heads(self, after_seq: int, limit: int, account: str | None = None) -> list[OutboxRow]:
        """The first open message of each thread that has one, by seq."""
        return await self._readable("outbox", records.outbox_row, ANYBODYS["outbox"].heads, after_seq, account, limit)

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
            letters: list[DeadLetter] = []
            for query in queries.DEAD_LETTERS:
                letters += await self._all(views.dead_letter, query, account, reason, state, most, *place)
            return views.newest(letters, most)

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
            values = account, reason, state, most, *place, until
            sides = {side: await self._fetch(query, *values) for side, query in queries.OLDEST_DEAD.items()}
            return views.oldest_letters(sides, most)

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
        query = f"SELECT {SECRETS} FROM {table} WHERE account = $1 AND name = $2"
        values: list[str] = await self._all(lambda row: row[0], query, account, name)
        return values[0] if values else None

    async def unconfirmed(self, account: str, *, since: int, after: int, limit: int) -> list[Unconfirmed]:
        """Messages said since then that were sent, and are neither delivered nor failed as far as we know."""
        return await self._all(views.unconfirmed, queries.UNCONFIRMED, account, after, since, limit)

    async def threads(
        self, *, account: str | None = None, limit: int = 1000, held: bool = False, before: Place | None = None
    ) -> list[ThreadSummary]:
        """Threads, the latest first; with `held` those that a person has."""
        return await queries.summaries(self._fetch, account, limit, before or FIRST, held=held)

    async def summary(self, thread_id: int) -> ThreadSummary | None:
        """The line of one thread."""
        return next(iter(await self._all(views.summary, queries.SUMMARY, [thread_id])), None)

    async def accounts(self) -> list[AccountSummary]:
        """What waits and what was given up, by account."""
        return await queries.account_summaries(self._fetch)

    async def threads_of_contact(self, contact_id: int) -> list[ThreadRow]:
        """All threads of a person."""
        family = await self._all(lambda row: row[0], people.FAMILY, [contact_id])
        return await self._all(records.thread_row, people.THREADS_OF, family)

    async def contacts(self, *, before: int = MANY, limit: int = 100) -> list[ContactCard]:
        """People whose numbers are lower, the newest first."""
        return await contacts.page(self._fetch, before, limit)

    async def contact(self, contact_id: int) -> ContactCard | None:
        """The person that a contact is."""
        return await contacts.card(self._fetch, contact_id)

    async def contacts_named(self, value: str) -> list[ContactCard]:
        """People by an identity."""
        return await contacts.named(self._fetch, value)

    async def find_thread(self, ref: ThreadRef) -> int | None:
        """The id of the thread in which a conversation goes on."""
        query = "SELECT coalesce(leads_to, id) FROM threads WHERE account = $1 AND channel = $2 AND conversation = $3"
        ids: list[int] = await self._all(lambda row: row[0], query, ref.account, ref.channel, ref.conversation_id)
        return ids[0] if ids else None

    async def history(
        self, thread_id: int, *, after: int = 0, before: int | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        """The latest `limit` things said in a thread between two positions, oldest first."""
        values = thread_id, after, before or segments.LAST, limit
        entries = await self._all(views.history_entry, queries.HISTORY, *values)
        return sorted(entries, key=lambda entry: entry.position)

    async def event(self, account: str, key: str) -> EventSummary | None:
        """Where the event of a key stands."""
        rows = await self._fetch(queries.EVENT, account, key)
        return views.event_summary(rows[0], await self._fetch(queries.TIMERS, rows[0][0])) if rows else None

    async def messages(self, turns: Sequence[Sequence[str]]) -> list[MessageSummary]:
        """Where messages stand, by their idempotency keys."""
        return await self._all(views.message_summary, queries.MESSAGES, [key for keys in turns for key in keys])

    async def audited(
        self, *, account: str | None = None, before: Place | None = None, limit: int = 100
    ) -> list[AuditEntry]:
        """What was asked for, newest first."""
        values = *(before or FIRST), limit
        if account is None:
            return await self._all(views.audit_entry, queries.AUDITED, *values)
        return await self._all(views.audit_entry, queries.AUDITED_OF, *values, account)

    async def broadcasts(
        self, *, account: str | None = None, active: bool = False, before: Place | None = None, limit: int = 100
    ) -> list[Broadcast]:
        """Broadcasts, the newest first."""
        return await broadcasts.page(self._fetch, account, before, limit, active=active)

    async def broadcast(self, broadcast_id: str) -> Broadcast | None:
        """One of them."""
        return next(iter(await self._all(broadcast_row, broadcasts.ONE, broadcast_id)), None)

    async def broadcast_counts(self, broadcast_id: str) -> Counts:
        """How many recipients stand where."""
        return await broadcasts.count(self._fetch, broadcast_id)

    async def recipients(
        self, broadcast_id: str, *, state: RecipientState | None = None, after: int = 0, limit: int = 1000
    ) -> list[Recipient]:
        """Recipients by their numbers, behind one of them."""
        return await broadcasts.listed(self._fetch, broadcast_id, state, after, limit)

    async def processes(self) -> list[str]:
        """The processes that share the database, by the time that they came."""
        return await self._all(lambda row: row[0], "SELECT name FROM processes ORDER BY epoch")

    async def raws(self, limit: int, before: int | None = None) -> list[RawWebhook]:
        """What the latest webhooks brought, newest first."""
        return await self._all(views.raw_webhook, queries.RAWS, before or views.LAST, limit)

    async def migrations(self) -> list[Applied]:
        """The author's migrations that are applied, by their numbers."""
        rows = await self._fetch("SELECT number, name, digest FROM migrations ORDER BY number")
        return [Applied(*row) for row in rows]

    async def media(self, inbox_ids: Sequence[int]) -> list[MediaRow]:
        """The media of events."""
        return await self._all(media_row, media.OF_EVENTS, [*inbox_ids])

    async def forgotten_media(self, limit: int) -> list[tuple[MediaRow, bool]]:
        """Media whose bytes are to be removed; True beside one whose bytes another medium has too."""
        return await self._all(lambda row: (media_row(row[:-1]), bool(row[-1])), media.FORGOTTEN_MEDIA, limit)

    async def sweepable(self, sweep: Sweep, before: int, *, after: int = 0, limit: int = 10_000) -> Swept:
        """What a sweep would remove or empty, among so many rows."""
        return await retention.count(self._fetch, sweep, before, after, limit)

    async def encrypted_under(self) -> Mapping[str, int]:
        """How many values are under each key."""
        return await encryption.under_keys(self._fetch)

    async def counts(self) -> Mapping[str, int]:
        """How much is waiting and how much was given up."""
        return dict(await self._all(lambda row: (row[0], row[1]), views.COUNTS))
