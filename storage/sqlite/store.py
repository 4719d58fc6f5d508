"""The Store on SQLite: one file, one writing connection with group commit, one reading connection beside it."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.errors import Broken, StoreError

from ..owner import SLOTS, Owner, indexes_by_kind
from ..records import OPEN
from ..suspects import SuspectsFile
from . import (
    audit,
    broadcasts,
    cursors,
    dead_letters,
    dialogs,
    encryption,
    erasure,
    following,
    inbox,
    media,
    merges,
    outbox,
    retention,
    statements,
    steps,
    timers,
    turns,
    unreadable,
)
from .cache import Cache
from .connection import MEMORY, connect, create_file, execute, path_of, resolved, sync_folder, translate
from .encryption import take_keys, use_keys
from .lock import FileLock
from .reader import Reader
from .recovery import refuse_loss
from .wal import WalWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path
    from typing import TypeVar

    from bridge.statements import Record, Statement
    from bridge.store.encryption import EncryptionKey
    from bridge.store.media import MediaRow
    from bridge.store.records import ThreadRow

    from ..results import Result
    from ..suspects import Suspects
    from ..writer import Unit
    from .connection import Connection, ThreadConnection

    T = TypeVar("T")
    Bulk = Callable[[sqlite3.Connection, Cache, list[Any]], Sequence[Result | StoreError]]


_LOOKS, _A_LOOK = 40, 0.05
"""How often, and after how many seconds, the log is looked at again that somebody reads."""
_BULK: Final[dict[str, Bulk]] = {
    "migrate": lambda db, cache, calls: [statements.migrate(db, cache.guard, *call) for call in calls],
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
    "renew secret": lambda db, _, values: cursors.renew_secrets(db, values),
    "give up unreadable": lambda db, cache, calls: [unreadable.give_up(db, cache, *call) for call in calls],
    "merge": lambda db, cache, calls: [merges.merge(db, cache, *call) for call in calls],
    "unmerge": lambda db, cache, calls: [merges.unmerge(db, cache, *call) for call in calls],
    "fire timers": lambda db, cache, calls: [timers.fire(db, cache, *call) for call in calls],
    "retry fetch": lambda db, _, retries: media.retry(db, retries),
    "settle fetch": lambda db, _, ends: media.settle(db, ends),
    "forget media": lambda db, _, calls: [media.forget(db, *call) for call in calls],
    "remove media": lambda db, _, media_ids: media.remove(db, media_ids),
    "replay": lambda db, cache, calls: [dead_letters.replay(db, cache, *call) for call in calls],
    "drop": lambda db, _, calls: [dead_letters.drop(db, *call) for call in calls],
    "erase": lambda db, cache, calls: [erasure.erase(db, cache, *call) for call in calls],
    "erase contact": lambda db, _, calls: [erasure.erase_contact(db, *call) for call in calls],
    "leap": lambda db, _, calls: [timers.leap(db, *call) for call in calls],
    "sweep": lambda db, _, calls: [retention.sweep_once(db, *call) for call in calls],
    "add broadcast": lambda db, _, calls: [broadcasts.add(db, *call) for call in calls],
    "add recipients": lambda db, _, calls: [broadcasts.add_recipients(db, *call) for call in calls],
    "move broadcast": lambda db, _, calls: [broadcasts.move(db, *call) for call in calls],
    "step broadcast": lambda db, cache, calls: [broadcasts.step(db, cache, *call) for call in calls],
    "audit": lambda db, _, entries: audit.note(db, entries),
    "reseal": lambda db, _, calls: [encryption.reseal(db, *call) for call in calls],
}
"""What one transaction does, kind by kind, in this order; units of one kind go through it together."""
_ORDER: Final = {kind: place for place, kind in enumerate(_BULK)}


class SqliteStore(Owner, Reader):
    """Implements bridge.store.Store; opened by `open_store`."""

    def __init__(
        self, writing: Connection, reading: Connection, suspects: Suspects | None, lock: FileLock | None
    ) -> None:
        """Take over the connections, the suspects and the lock."""
        self._cache = Cache()
        Owner.__init__(self, self._cache, suspects)
        self._suspects = suspects
        Reader.__init__(self, reading)
        self._writing = writing
        self._lock = lock
        self._wal = WalWatch(lock.database) if lock is not None else None
        self._own_reads = statements.OwnReads(reading, lock.database if lock is not None else None)

    @classmethod
    async def started(
        cls, writing: Connection, reading: Connection, suspects: Suspects | None, lock: FileLock | None
    ) -> SqliteStore:
        """A store that continues where the file ends."""
        store = cls(writing, reading, suspects, lock)
        await execute(writing, store._cache.load)
        if suspects is not None:
            for slot, table in SLOTS.items():
                suspects.keep(slot, await execute(writing, _open_among, table, suspects.suspects[slot]))
        store._writer.start()
        return store

    async def thread(self, thread_id: int) -> ThreadRow:
        """A thread as last committed."""
        return self._cache.thread(thread_id) or await super().thread(thread_id)

    async def take_over(self) -> None:
        """Every thread is ours: so says the lock."""

    claimed = thread
    """Nobody else changes a thread."""

    async def tell_pause(self, account: str, reason: str, seconds: float) -> None:
        """Nobody else is there to hear of it."""

    async def has_duty(self, name: str) -> bool:  # noqa: ARG002 - there is no other process
        """Always."""
        return True

    async def claim_media(self, now: int, limit: int) -> tuple[list[MediaRow], int | None]:
        """Media to be fetched now: all are ours, as the lock says."""
        return await self._look(media.due, now, limit)

    async def try_suspect(self, row_id: int) -> None:
        """It is marked, which a death leaves as it is."""

    async def wipe(self) -> bool:
        """Write the log back, and empty it: freed bytes in the file itself are zeros."""
        if self._wal is None:
            return True
        for _ in range(_LOOKS):
            if await execute(self._writing, self._wal.empty):
                return True
            await asyncio.sleep(_A_LOOK)
        return False

    def statement(self, sql: str, parameters: Sequence[Any]) -> Statement:
        """A statement of the author's that changes rows."""
        return statements.change(sql, parameters)

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> list[Record]:
        """The rows of a query of the author's, as last committed."""
        return await self._own_reads.fetch(self._cache.guard, statements.query(sql, parameters))

    async def close(self) -> None:
        """Finish what was accepted, write the log back, let go of the lock."""
        await self._writer.close()
        await self._own_reads.close()
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
        by_kind = indexes_by_kind(units)
        refusal = self._wal.refusal(db) if self._wal is not None and "receive" in by_kind else None
        if refusal is not None:
            for index in by_kind.pop("receive"):
                results[index] = refusal
        try:
            db.execute("BEGIN IMMEDIATE")
            for kind in sorted(by_kind, key=_ORDER.__getitem__):
                indexes = by_kind[kind]
                done = _BULK[kind](db, self._cache, [units[index].payload for index in indexes])
                for index, result in zip(indexes, done, strict=True):
                    results[index] = result
            if self._followers is not None:
                following.tell(db, self._cache, self._followers, units, results, by_kind)
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


class SqliteReader(Reader):
    """The reading half alone, for commands that look into a store that somebody else owns."""

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


async def open_store(url: str, keys: Sequence[EncryptionKey] = ()) -> SqliteStore:
    """The store at sqlite:///relative.db, sqlite:////absolute.db or sqlite:// (in memory), owned by this process.

    With `keys` its values are encrypted.

    Raises:
        ConfigError: a key is missing.
        StoreInUse: another process owns it.
        NewerSchema: a later version, or another application, wrote it.
        Unavailable: it cannot be opened now.
        Broken: it is no sound database.
    """
    path = path_of(url)
    if path != MEMORY:
        return await _open_file(resolved(path), keys)
    connection = await connect(MEMORY, read_only=False, seals=bool(keys))
    await execute(connection, take_keys, keys)
    return await SqliteStore.started(connection, connection, None, None)


async def open_reader(url: str, keys: Sequence[EncryptionKey] = ()) -> SqliteReader:
    """The store at `url` for reading only. Raises ConfigError, Unavailable, Broken, NewerSchema."""
    return SqliteReader(await _reading(path_of(url), keys))


async def _reading(path: str, keys: Sequence[EncryptionKey]) -> ThreadConnection:
    connection = await connect(path, read_only=True, seals=bool(keys))
    try:
        await execute(connection, use_keys, keys)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _open_file(path: Path, keys: Sequence[EncryptionKey]) -> SqliteStore:
    lock = FileLock(path)
    try:
        suspects = SuspectsFile(path.with_name(f"{path.name}.running"))
        try:
            await refuse_loss(path, suspects.newest)
            return await _own(path, keys, lock, suspects)
        except BaseException:
            suspects.close(clean=False)
            raise
    except BaseException:
        lock.release()
        raise


async def _own(path: Path, keys: Sequence[EncryptionKey], lock: FileLock, suspects: SuspectsFile) -> SqliteStore:
    new = create_file(path)
    lock.take_database()
    writing = await connect(str(path), read_only=False, seals=bool(keys))
    try:
        if new:
            sync_folder(path)
        await execute(writing, take_keys, keys)
        reading = await _reading(str(path), keys)
    except BaseException:
        await writing.close()
        raise
    return await SqliteStore.started(writing, reading, suspects, lock)


def _open_among(db: sqlite3.Connection, table: str, row_ids: Collection[int]) -> set[int]:
    """Those rows that have not come to their end."""
    query = f"SELECT w.id FROM json_each(?) j CROSS JOIN {table} w ON w.id = j.value WHERE w.{OPEN[table]}"
    return {row[0] for row in db.execute(query, (orjson.dumps(list(row_ids)).decode(),))}
