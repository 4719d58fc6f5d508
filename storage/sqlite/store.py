"""The Store on SQLite: one file, one writing connection with group commit, one reading connection beside it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.errors import Broken, StoreError

from ..writer import Unit, Writer
from . import cursors, dead_letters, dialogs, inbox, outbox, steps, timers, turns, unreadable
from .cache import Cache
from .connection import MEMORY, connect, execute, path_of, sync_folder, translate
from .lock import FileLock
from .reader import Reader
from .records import OPEN
from .recovery import refuse_loss
from .suspects import SuspectsFile
from .wal import WalWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import TypeVar

    from bridge.store.port import Listener
    from bridge.store.records import Arrival, Receipt, Retry, Settled, StepRow, ThreadRow, TurnCommit

    from ..results import Result
    from .connection import Connection
    from .suspects import Suspects
    from .unreadable import Unreadable

    T = TypeVar("T")
    Bulk = Callable[[sqlite3.Connection, Cache, list[Any]], Sequence[Result | StoreError]]


_BULK: Final[dict[str, Bulk]] = {
    "settle delivery": outbox.settle,
    "retry delivery": lambda db, _, retries: outbox.retry(db, retries),
    "claim delivery": lambda db, _, claims: outbox.claim(db, claims),
    "settle turn": turns.settle,
    "retry turn": lambda db, _, retries: turns.retry(db, retries),
    "end dialog": lambda db, cache, calls: [dialogs.end(db, cache, *call) for call in calls],
    "start step": lambda db, _, taken: steps.start(db, taken),
    "end step": lambda db, _, taken: steps.end(db, taken),
    "commit turn": turns.commit,
    "receive": inbox.receive,
    "advance": lambda db, _, values: cursors.advance(db, values),
    "keep secret": lambda db, _, values: cursors.keep_secrets(db, values),
    "give up unreadable": lambda db, cache, calls: [unreadable.give_up(db, cache, *call) for call in calls],
    "fire timers": lambda db, cache, calls: [timers.fire(db, cache, *call) for call in calls],
    "replay": lambda db, cache, calls: [dead_letters.replay(db, cache, *call) for call in calls],
    "drop": lambda db, _, calls: [dead_letters.drop(db, *call) for call in calls],
}
"""What one transaction does, kind by kind, in this order; units of one kind go through it together."""


_SLOTS: Final = {"in": "inbox", "out": "outbox"}
"""What suspects are rows of."""


class SqliteStore(Reader):
    """Implements bridge.store.Store; opened by `open_store`."""

    def __init__(
        self, writing: Connection, reading: Connection, suspects: Suspects | None, lock: FileLock | None
    ) -> None:
        """Take over the connections, the suspects and the lock."""
        super().__init__(reading)
        self._writing = writing
        self._suspects = suspects
        self._lock = lock
        self._wal = WalWatch(lock.database) if lock is not None else None
        self._cache = Cache()
        self._listener: Listener | None = None
        self._writer = Writer(self._transact, self._tell, self._broke)

    @classmethod
    async def started(
        cls, writing: Connection, reading: Connection, suspects: Suspects | None, lock: FileLock | None
    ) -> SqliteStore:
        """A store that continues where the file ends."""
        store = cls(writing, reading, suspects, lock)
        await execute(writing, store._cache.load)
        if suspects is not None:
            for slot, table in _SLOTS.items():
                suspects.keep(slot, await execute(writing, _open_among, table, suspects.suspects[slot]))
        store._writer.start()
        return store

    def listen(self, listener: Listener) -> None:
        """Whom to tell what was committed, from now on."""
        self._listener = listener

    async def receive(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Store events, once each by account and key, all or none, in the given order."""
        size = sum(len(arrival.raw) + len(arrival.encoded) for arrival in arrivals)
        receipts: list[Receipt] = (await self._writer.submit(Unit("receive", arrivals, size, lapses=True))).value
        return receipts

    async def thread(self, thread_id: int) -> ThreadRow:
        """A thread as last committed."""
        return self._cache.thread(thread_id) or await super().thread(thread_id)

    def peek(self, thread_id: int) -> ThreadRow | None:
        """A thread as last committed, if it is remembered."""
        return self._cache.thread(thread_id)

    async def commit_turn(self, turn: TurnCommit) -> None:
        """One turn's whole effect. Raises ClaimLost when the event is settled, ThreadMoved when only the thread is."""
        await self._writer.submit(Unit("commit turn", turn))

    async def end_dialog(self, thread_id: int, timer: str, at: int) -> bool:
        """End the dialog that waits in a thread; False: none waits."""
        return bool((await self._writer.submit(Unit("end dialog", (thread_id, timer, at)))).value)

    async def start_step(self, step: StepRow) -> StepRow | None:
        """Note durably that a step is about to be taken; the one noted under its name before, if there is one."""
        noted: StepRow | None = (await self._writer.submit(Unit("start step", step))).value
        return noted

    async def end_step(self, step: StepRow) -> None:
        """Note durably what a step gave, so that it is not taken again when its turn is."""
        await self._writer.submit(Unit("end step", step))

    async def fire_timers(self, now: int, limit: int) -> int | None:
        """Make inbox events of the timers that are due, at most `limit`; when the next one is due, or None."""
        due: int | None = (await self._writer.submit(Unit("fire timers", (now, limit)))).value
        return due

    async def retry_turn(self, retry: Retry) -> None:
        """The turn failed and will be tried again; counts the next attempt."""
        await self._writer.submit(Unit("retry turn", retry))

    async def settle_turn(self, settled: Settled) -> None:
        """The event is given up; its thread goes on."""
        await self._writer.submit(Unit("settle turn", settled))

    async def retry_delivery(self, retry: Retry) -> None:
        """The message did not leave and will be tried again; counts the next attempt."""
        await self._writer.submit(Unit("retry delivery", retry))

    async def claim_delivery(self, row_id: int, at: int) -> None:
        """Note durably that the message is about to be sent."""
        await self._writer.submit(Unit("claim delivery", (row_id, at)))

    async def settle_delivery(self, settled: Settled) -> None:
        """The message's journey ended; joins any status that came early; the thread's next one may go."""
        await self._writer.submit(Unit("settle delivery", settled))

    async def advance(self, account: str, name: str, value: str) -> None:
        """Everything before `value` is received."""
        await self._writer.submit(Unit("advance", (account, name, value)))

    async def keep_secret(self, account: str, name: str, value: str) -> str:
        """Keep a value under a name; the value kept there before, if there is one, else this one."""
        kept: str = (await self._writer.submit(Unit("keep secret", (account, name, value)))).value
        return kept

    async def replay(self, letter_id: str, at: int, arrivals: Sequence[Arrival] | None = None) -> bool:
        """Append a dead letter to its thread again; for quarantine, the events it now turns out to hold."""
        return bool((await self._writer.submit(Unit("replay", (letter_id, at, arrivals)))).value)

    async def drop(self, letter_id: str, at: int) -> bool:
        """Put a dead letter aside for good."""
        return bool((await self._writer.submit(Unit("drop", (letter_id, at)))).value)

    def mark(self, slot: str, row_id: int, *, running: bool) -> None:
        """Note that a row ("in" or "out") is being worked on in this very moment."""
        if self._suspects is not None:
            self._suspects.mark(slot, row_id, running=running)

    def suspects(self, slot: str) -> frozenset[int]:
        """The rows that were being worked on when the last process died."""
        return self._suspects.suspects[slot] if self._suspects is not None else frozenset()

    def deaths(self, slot: str, row_id: int) -> int:
        """At how many deaths of a process a suspect was being worked on; 0: it is none."""
        return self._suspects.deaths(slot, row_id) if self._suspects is not None else 0

    async def close(self) -> None:
        """Finish what was accepted, write the log back, let go of the lock."""
        await self._writer.close()
        if self._connection is not self._writing:
            await self._connection.close()
        await self._writing.close()
        if self._suspects is not None:
            self._suspects.close(clean=self._lock is not None and not self._writer.failed and not self._lock.has_log())
        if self._lock is not None:
            self._lock.release()

    async def _look(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - the function's own
        """A disk that cannot be read is as broken as one that cannot be written: the process has to hear of it."""
        try:
            return await super()._look(function, *arguments)
        except Broken as error:
            self._writer.fail(error)
            raise

    async def _give_up(self, table: str, rows: Sequence[Unreadable]) -> bool:
        await self._writer.submit(Unit("give up unreadable", (table, rows)))
        return True

    async def _transact(self, units: Sequence[Unit]) -> list[Result | StoreError]:
        if self._lock is not None:
            self._lock.check()
        try:
            return await self._writing.transact(self._execute, units)
        except sqlite3.Error as error:
            raise translate(error) from error

    def _execute(self, db: sqlite3.Connection, units: Sequence[Unit]) -> list[Result | StoreError]:
        """All units in one transaction, on the connection's thread; nothing is awaited in between."""
        results: list[Result | StoreError] = [StoreError("not run")] * len(units)
        by_kind = _by_kind(units)
        refusal = self._wal.refusal(db) if self._wal is not None and "receive" in by_kind else None
        if refusal is not None:
            for index in by_kind.pop("receive"):
                results[index] = refusal
        try:
            db.execute("BEGIN IMMEDIATE")
            for kind, bulk in _BULK.items():
                if indexes := by_kind.get(kind):
                    done = bulk(db, self._cache, [units[index].payload for index in indexes])
                    for index, result in zip(indexes, done, strict=True):
                        results[index] = result
            db.execute("COMMIT")
        except BaseException:
            self._cache.rollback()
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self._committed(db)
        return results

    def _committed(self, db: sqlite3.Connection) -> None:
        """A transaction is durable."""
        self._cache.commit()
        if self._suspects is not None:
            self._suspects.reach(self._cache.last_row)
        if self._wal is not None:
            self._wal.committed(db)

    def _tell(self, results: Sequence[Result]) -> None:
        """Hand on what a transaction brought, in the order of its numbers."""
        if self._listener is None:
            return
        if received := [row for result in results for row in result.received]:
            received.sort(key=lambda row: row.seq)
            self._listener.received(received)
        if queued := [row for result in results for row in result.queued]:
            queued.sort(key=lambda row: row.seq)
            self._listener.queued(queued)
        if resolved := [row_id for result in results for row_id in result.resolved]:
            self._listener.resolved(resolved)
        if due := [result.due for result in results if result.due is not None]:
            self._listener.timed(min(due))
        self._listener.changed({thread_id for result in results for thread_id in result.threads})

    def _broke(self, error: Exception) -> None:
        if self._listener is not None:
            self._listener.broken(error)


class SqliteReader(Reader):
    """The reading half alone, for commands that look into a store that somebody else owns."""

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


async def open_store(url: str) -> SqliteStore:
    """The store at sqlite:///relative.db, sqlite:////absolute.db or sqlite:// (in memory), owned by this process.

    Raises:
        StoreInUse: another process owns it.
        NewerSchema: a later version, or another application, wrote it.
        Unavailable: it cannot be opened now.
        Broken: it is no sound database.
    """
    path = path_of(url)
    if path != MEMORY:
        return await _open_file(_without_links(path))
    connection = await connect(MEMORY, read_only=False)
    return await SqliteStore.started(connection, connection, None, None)


async def open_reader(url: str) -> SqliteReader:
    """The store at `url` for reading only. Raises Unavailable, Broken, NewerSchema."""
    return SqliteReader(await connect(path_of(url), read_only=True))


def _without_links(path: str) -> Path:
    """SQLite names its log after the file that a link leads to, and so are the lock and the note."""
    return Path(path).resolve()


async def _open_file(path: Path) -> SqliteStore:
    lock = FileLock(path)
    try:
        suspects = SuspectsFile(path.with_name(f"{path.name}.running"))
        try:
            await refuse_loss(path, suspects.newest)
            return await _own(path, lock, suspects)
        except BaseException:
            suspects.close(clean=False)
            raise
    except BaseException:
        lock.release()
        raise


async def _own(path: Path, lock: FileLock, suspects: SuspectsFile) -> SqliteStore:
    new = _create(path)
    lock.take_database()
    writing = await connect(str(path), read_only=False)
    try:
        if new:
            sync_folder(path)
        reading = await connect(str(path), read_only=True)
    except BaseException:
        await writing.close()
        raise
    return await SqliteStore.started(writing, reading, suspects, lock)


def _by_kind(units: Sequence[Unit]) -> dict[str, list[int]]:
    """The indexes of units, by their kinds."""
    indexes: dict[str, list[int]] = {}
    for index, unit in enumerate(units):
        indexes.setdefault(unit.kind, []).append(index)
    return indexes


def _open_among(db: sqlite3.Connection, table: str, row_ids: Collection[int]) -> set[int]:
    """Those rows that have not come to their end."""
    query = f"SELECT w.id FROM json_each(?) j CROSS JOIN {table} w ON w.id = j.value WHERE w.{OPEN[table]}"
    return {row[0] for row in db.execute(query, (orjson.dumps(list(row_ids)).decode(),))}


def _create(path: Path) -> bool:
    """Make the file, for our eyes only, unless it is there; whether it was made."""
    if path.exists():
        return False
    path.touch(mode=0o600)
    return True
