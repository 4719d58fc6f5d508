"""A store in an SQLite file as one end of a copy: see bridge.store.copying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.store.copying import CopyRefused, Table, check_begun, not_empty, table_of

from ..records import literal
from ..suspects import SuspectsFile
from .connection import check_newest, connect, create_file, execute, path_of, prepare_copy, resolved, sync_folder
from .lock import FileLock
from .recovery import refuse_loss
from .schema import UNFINISHED

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bridge.store.copying import Key, Row

    from .connection import ThreadConnection

_TABLES: Final = f"""
SELECT m.name, c.name, c.pk FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c
WHERE m.type = 'table' AND m.name NOT GLOB 'sqlite_*' AND m.name <> {literal(UNFINISHED)} AND c.hidden = 0
ORDER BY m.rowid, c.cid
"""
_DERIVED: Final = {
    ("timers", "account"): "coalesce(account, (SELECT t.account FROM threads t WHERE t.id = timers.thread_id))"
}
"""Columns that a migration has left empty in old rows, and that are not empty in a new store."""
_FAST: Final = ("synchronous = NORMAL", "cache_size = -131072")
"""A power cut may undo the last batches of a copy, and then they are made again."""
_SAFE: Final = "PRAGMA synchronous = FULL"


class SqliteCopySource:
    """Implements bridge.store.copying.CopySource; opened by `open_copy_source`."""

    def __init__(self, path: Path, connection: ThreadConnection, lock: FileLock) -> None:
        """Take over the connection and the lock."""
        self.name = f"sqlite:///{path}"
        self._connection = connection
        self._lock = lock

    async def tables(self) -> Mapping[str, Table]:
        """Every table of the file."""
        return await execute(self._connection, _tables)

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        count: int = (await self._fetch(f"SELECT count(*) FROM {quoted(table.name)}"))[0][0]
        return count

    async def rows(self, table: Table, after: Key | None, limit: int) -> Sequence[Row]:
        """The next rows in the order of their keys."""
        columns = ", ".join(_DERIVED.get((table.name, column), quoted(column)) for column in table.columns)
        key = ", ".join(map(quoted, table.key))
        behind = "" if after is None else f"WHERE ({key}) > ({_marks(after)})"
        query = f"SELECT {columns} FROM {quoted(table.name)} {behind} ORDER BY {key} LIMIT ?"
        return await self._fetch(query, *(after or ()), limit)

    async def close(self) -> None:
        """Close the file, and let go of its lock."""
        await self._connection.close()
        self._lock.release()

    async def _fetch(self, query: str, *values: Any) -> list[Any]:  # noqa: ANN401 - the query's own
        return await execute(self._connection, _fetch, query, values)


class SqliteCopyTarget(SqliteCopySource):
    """Implements bridge.store.copying.CopyTarget; opened by `open_copy_target`."""

    async def begin(self, source: str) -> None:
        """Mark the file as an unfinished copy. Raises CopyRefused."""
        await execute(self._connection, _begin, self.name, source)

    async def last_key(self, table: Table) -> Key | None:
        """The greatest key in a table."""
        key = ", ".join(map(quoted, table.key))
        order = ", ".join(f"{quoted(column)} DESC" for column in table.key)
        rows = await self._fetch(f"SELECT {key} FROM {quoted(table.name)} ORDER BY {order} LIMIT 1")
        return rows[0] if rows else None

    async def write(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, all or none."""
        columns = ", ".join(map(quoted, table.columns))
        statement = f"INSERT INTO {quoted(table.name)} ({columns}) VALUES ({_marks(table.columns)})"
        await execute(self._connection, _write, statement, rows)

    async def clear(self, table: Table) -> None:
        """Remove all rows of a table."""
        await execute(self._connection, _write, f"DELETE FROM {quoted(table.name)}", [()])

    async def finish(self, tables: Sequence[Table]) -> None:
        """Take the mark away. The next numbers of this kind of store are those behind its last rows."""
        del tables
        await execute(self._connection, _finish)


async def open_copy_source(url: str) -> SqliteCopySource:
    """The store at `url`, owned, and only read.

    Raises:
        CopyRefused: there is none.
        StoreInUse: another process owns it.
        NewerSchema, Unavailable, Broken: it cannot be read as it is.
    """
    path = resolved(path_of(url))
    if not path.exists():
        raise CopyRefused(f"there is no store at {path}")
    lock = FileLock(path)
    try:
        lock.take_database()
        await _refuse_loss(path)
        connection = await connect(str(path), read_only=True, prepared=check_newest)
    except BaseException:
        lock.release()
        raise
    return SqliteCopySource(path, connection, lock)


async def open_copy_target(url: str) -> SqliteCopyTarget:
    """The store at `url`, owned, made where there is none. Raises StoreInUse, NewerSchema, Unavailable, Broken."""
    path = resolved(path_of(url))
    lock = FileLock(path)
    try:
        is_new = create_file(path)
        lock.take_database()
        connection = await connect(str(path), read_only=False, prepared=prepare_copy)
        if is_new:
            sync_folder(path)
    except BaseException:
        lock.release()
        raise
    return SqliteCopyTarget(path, connection, lock)


async def _refuse_loss(path: Path) -> None:
    """The note of a process that died stays: its events are suspects of that death for whoever opens the source."""
    note = path.with_name(f"{path.name}.running")
    if note.exists():
        suspects = SuspectsFile(note)
        try:
            await refuse_loss(path, suspects.newest)
        finally:
            suspects.close(clean=False)


def quoted(name: str) -> str:
    """A name in a statement."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _fetch(db: sqlite3.Connection, query: str, values: Sequence[Any]) -> list[Any]:
    return db.execute(query, values).fetchall()


def _tables(db: sqlite3.Connection) -> dict[str, Table]:
    columns: dict[str, list[str]] = {}
    keys: dict[str, dict[int, str]] = {}
    for name, column, place in db.execute(_TABLES):
        columns.setdefault(name, []).append(column)
        if place:
            keys.setdefault(name, {})[place] = column
    return {
        name: table_of(name, [column for _, column in sorted(keys.get(name, {}).items())], columns[name])
        for name in columns
    }


def _begin(db: sqlite3.Connection, name: str, source: str) -> None:
    for setting in _FAST:
        db.execute(f"PRAGMA {setting}").fetchone()
    db.execute("BEGIN IMMEDIATE")
    try:
        _mark(db, name, source)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _mark(db: sqlite3.Connection, name: str, source: str) -> None:
    db.execute(f"CREATE TABLE IF NOT EXISTS {UNFINISHED} (source TEXT NOT NULL) STRICT")
    begun = db.execute(f"SELECT source FROM {UNFINISHED}").fetchone()
    if begun is not None:
        check_begun(name, source, begun[0])
        return
    for table in _tables(db):
        if db.execute(f"SELECT 1 FROM {quoted(table)} LIMIT 1").fetchone():
            raise not_empty(name, table)
    db.execute(f"INSERT INTO {UNFINISHED} VALUES (?)", (source,))


def _write(db: sqlite3.Connection, statement: str, rows: Sequence[Row]) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany(statement, rows)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _finish(db: sqlite3.Connection) -> None:
    db.execute(_SAFE).fetchone()
    db.execute(f"DROP TABLE {UNFINISHED}")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
