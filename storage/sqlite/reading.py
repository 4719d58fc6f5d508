"""Looking into the file without changing it: backlog, history, lists. Also for other processes, beside the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from bridge.errors import Unavailable
from bridge.log import kind_of, log
from storage.sqlite import rows
from storage.sqlite.connection import on_thread
from storage.sqlite.echoes import sent_by_us
from storage.sqlite.holding import WAITING
from storage.sqlite.letters import split
from storage.sqlite.steps import COLUMNS, step_row

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from bridge.events import ThreadRef
    from bridge.store.records import (
        DeadLetter,
        HistoryEntry,
        InboxRow,
        OutboxRow,
        StepRow,
        ThreadRow,
        ThreadSummary,
        Unconfirmed,
    )
    from storage.sqlite.connection import Connection

T = TypeVar("T")

_HEADS: Final = """
WHERE {a}.status = 'open' AND {a}.seq > ? AND NOT EXISTS (
    SELECT 1 FROM {table} e WHERE e.thread_id = {a}.thread_id AND e.status = 'open' AND e.seq < {a}.seq)
"""
_INBOX: Final = f"SELECT {rows.INBOX} FROM inbox i JOIN threads t ON t.id = i.thread_id"
_OUTBOX: Final = f"SELECT {rows.OUTBOX} FROM outbox o JOIN threads t ON t.id = o.thread_id"
_COUNTS: Final = """
SELECT 'open_events', count(*) FROM inbox WHERE status = 'open' UNION ALL
SELECT 'open_messages', count(*) FROM outbox WHERE status = 'open' UNION ALL
SELECT 'dead_events', count(*) FROM inbox WHERE status IN ('dead', 'quarantined') AND status = 'dead' UNION ALL
SELECT 'quarantined', count(*) FROM inbox WHERE status IN ('dead', 'quarantined') AND status = 'quarantined' UNION ALL
SELECT 'dead_messages', count(*) FROM outbox WHERE status = 'dead'
"""


class Reader:
    """The reading half of the Store port, over one connection."""

    def __init__(self, connection: Connection) -> None:
        """The connection is closed by whoever opened it."""
        self._connection = connection

    async def _all(self, make: Callable[[tuple[Any, ...]], T], query: str, *values: object) -> list[T]:
        def fetch(db: sqlite3.Connection) -> list[T]:
            return [make(row) for row in db.execute(query, values)]

        return await on_thread(self._connection, fetch)

    async def _readable(
        self, make: Callable[[tuple[Any, ...]], T], query: str, *values: object, in_order: bool
    ) -> list[T]:
        """Rows of work. One that this version cannot read stays as it is, and holds up its own thread alone.

        `in_order`: what comes behind it has to wait for it.
        """

        def fetch(db: sqlite3.Connection) -> list[T]:
            found = []
            for row in db.execute(query, values):
                try:
                    found.append(make(row))
                except (ValueError, TypeError, KeyError) as error:
                    log.error("row_unreadable", key=str(row[0]), thread=row[2], reason=kind_of(error))
                    if in_order:
                        break
            return found

        return await on_thread(self._connection, fetch)

    async def thread(self, thread_id: int) -> ThreadRow:
        """A thread as last committed. Raises Unavailable when there is no such thread."""
        query = f"SELECT {rows.THREAD} FROM threads t WHERE t.id = ?"
        found = await self._all(rows.thread_row, query, thread_id)
        if not found:
            raise Unavailable(f"there is no thread {thread_id}")
        return found[0]

    async def steps(self, thread_id: int) -> list[StepRow]:
        """The steps noted in a thread whose turn is not committed."""
        return await self._all(step_row, f"SELECT {COLUMNS} FROM steps WHERE thread_id = ?", thread_id)

    async def held(self, thread_id: int, limit: int) -> list[InboxRow]:
        """The latest events kept in a thread because a person has it, oldest first, without timers and statuses."""
        where = f"WHERE i.thread_id = ? AND i.status = 'held' AND i.kind NOT IN {WAITING} ORDER BY i.seq DESC LIMIT ?"
        return (await self._all(rows.inbox_row, f"{_INBOX} {where}", thread_id, limit))[::-1]

    async def sent_by_us(self, row: InboxRow, now: int) -> bool | None:
        """Whether an echo is of a message of ours; None while one of its thread may be on the wire, and so unnamed."""

        def look(db: sqlite3.Connection) -> bool | None:
            came = row.received_at
            return sent_by_us(db, row.ref.account, row.thread_id, row.event, at=came, waited=now - came)

        return await on_thread(self._connection, look)

    async def dialogs(self, *, after: int = 0, limit: int = 1000) -> list[ThreadRow]:
        """Threads in which a dialog waits, by id from `after` on."""
        where = "WHERE t.dialog IS NOT NULL AND t.id > ? ORDER BY t.id LIMIT ?"
        return await self._all(rows.thread_row, f"SELECT {rows.THREAD} FROM threads t {where}", after, limit)

    async def due_at(self, thread_id: int, name: str) -> int | None:
        """When the next timer of a name is due in a thread; None: none waits."""
        query = "SELECT min(due_at) FROM timers WHERE thread_id = ? AND name = ? AND status = 'waiting'"
        found: list[int | None] = await self._all(lambda row: row[0], query, thread_id, name)
        return found[0]

    async def inbox_after(self, thread_id: int, seq: int, limit: int) -> list[InboxRow]:
        """A thread's open events after `seq`, in order."""
        where = "WHERE i.thread_id = ? AND i.status = 'open' AND i.seq > ? ORDER BY i.seq LIMIT ?"
        return await self._readable(rows.inbox_row, f"{_INBOX} {where}", thread_id, seq, limit, in_order=True)

    async def outbox_after(self, thread_id: int, seq: int, limit: int) -> list[OutboxRow]:
        """A thread's open messages after `seq`, in order."""
        where = "WHERE o.thread_id = ? AND o.status = 'open' AND o.seq > ? ORDER BY o.seq LIMIT ?"
        return await self._readable(rows.outbox_row, f"{_OUTBOX} {where}", thread_id, seq, limit, in_order=True)

    async def inbox_heads(self, after_seq: int, limit: int) -> list[InboxRow]:
        """The first open event of each thread that has one, by seq."""
        where = f"{_HEADS.format(a='i', table='inbox')} ORDER BY i.seq LIMIT ?"
        return await self._readable(rows.inbox_row, f"{_INBOX} {where}", after_seq, limit, in_order=False)

    async def outbox_heads(self, after_seq: int, limit: int, account: str | None = None) -> list[OutboxRow]:
        """The first open message of each thread that has one, by seq."""
        where = f"{_HEADS.format(a='o', table='outbox')} AND (?2 IS NULL OR t.account = ?2) ORDER BY o.seq LIMIT ?3"
        query = f"{_OUTBOX} {where.replace('> ?', '> ?1')}"
        return await self._readable(rows.outbox_row, query, after_seq, account, limit, in_order=False)

    async def dead_letters(self, *, account: str | None = None, limit: int = 1000) -> list[DeadLetter]:
        """What was given up or not understood, newest first."""

        def fetch(db: sqlite3.Connection) -> list[DeadLetter]:
            values = {"account": account, "limit": limit}
            found = [rows.letter(row) for query in rows.LETTERS for row in db.execute(query, values)]
            return sorted(found, key=lambda letter: letter.at, reverse=True)[:limit]

        return await on_thread(self._connection, fetch)

    async def dead_letter(self, letter_id: str) -> DeadLetter | None:
        """One of them, with its content."""
        side, row_id = split(letter_id)
        found = [] if row_id is None else await self._all(rows.letter, rows.LETTER[side], row_id)
        return found[0] if found else None

    async def cursor(self, account: str, name: str) -> str | None:
        """How far what is called `name` was read at the provider, or None."""
        query = "SELECT value FROM cursors WHERE account = ? AND name = ?"
        found: list[str] = await self._all(lambda row: row[0], query, account, name)
        return found[0] if found else None

    async def unconfirmed(self, account: str, *, since: int, after: int, limit: int) -> list[Unconfirmed]:
        """Messages said since then that were sent, and are neither delivered nor failed as far as we know."""

        def fetch(db: sqlite3.Connection) -> list[Unconfirmed]:
            values = {"account": account, "since": since, "after": after, "limit": limit}
            return [rows.unconfirmed(row) for row in db.execute(rows.UNCONFIRMED, values)]

        return await on_thread(self._connection, fetch)

    async def threads(
        self, *, account: str | None = None, limit: int = 1000, held: bool = False
    ) -> list[ThreadSummary]:
        """Threads, the latest first; with `held` those that a person has."""

        def fetch(db: sqlite3.Connection) -> list[ThreadSummary]:
            values = {"account": account, "limit": limit, "held": held}
            return [rows.summary(row) for row in db.execute(rows.SUMMARY, values)]

        return await on_thread(self._connection, fetch)

    async def find_thread(self, ref: ThreadRef) -> int | None:
        """The id of a thread."""
        query = "SELECT id FROM threads WHERE account = ? AND channel = ? AND conversation = ?"
        found: list[int] = await self._all(lambda row: row[0], query, ref.account, ref.channel, ref.conversation_id)
        return found[0] if found else None

    async def history(self, thread_id: int, *, after: int = 0, limit: int = 100) -> list[HistoryEntry]:
        """The latest `limit` things said in a thread after position `after`, oldest first."""

        def fetch(db: sqlite3.Connection) -> list[HistoryEntry]:
            found = db.execute(rows.HISTORY, {"thread": thread_id, "after": after, "limit": limit})
            return [rows.history_entry(row) for row in found]

        return await on_thread(self._connection, fetch)

    async def counts(self) -> Mapping[str, int]:
        """How much is waiting and how much was given up."""
        return dict(await self._all(lambda row: (row[0], row[1]), _COUNTS))
