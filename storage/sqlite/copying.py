"""A store in an SQLite file as one end of a copy: see bridge.store.copying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.store.copying import INHERITED, CopyRefused, check_begun, not_empty, table_of

from ..moving import (
    MARK_COLUMNS,
    MARK_VALUES,
    MERGED,
    SECRETS,
    Mark,
    any_of_account,
    check_merged,
    greatest_numbers,
    inheritance,
    lowered,
    of_account,
    raised,
    shift_above,
)
from ..records import literal
from ..sealed_copy import SECRET, SealedRows
from ..suspects import SuspectsFile
from .cache import newest_row
from .connection import (
    check_newest,
    connect,
    create_file,
    execute,
    has_own_tables,
    own_names,
    path_of,
    prepare_copy,
    resolved,
    sync_folder,
)
from .encryption import take_keys, use_keys
from .lock import FileLock
from .recovery import refuse_loss
from .schema import UNFINISHED

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bridge.store.copying import CopyEnd, Key, Row, Table
    from bridge.store.encryption import EncryptionKey

    from ..sealer import Sealer
    from .connection import ThreadConnection

_TABLES: Final = f"""
SELECT m.name, c.name, c.pk FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c
WHERE m.type = 'table' AND m.name NOT GLOB 'sqlite_*' AND c.hidden = 0
    AND m.name NOT IN ({literal(UNFINISHED)}, 'migrations', 'encryption_keys')
ORDER BY CASE m.name WHEN 'outbox' THEN (SELECT rowid FROM sqlite_master WHERE name = 'inbox') ELSE m.rowid END,
    m.name = 'outbox', c.cid
"""
"""As they refer to each other; a migration made the outbox anew."""
_DERIVED: Final = {
    ("timers", "account"): "coalesce(account, (SELECT t.account FROM threads t WHERE t.id = timers.thread_id))"
}
"""Columns that a migration has left empty in old rows, and that are not empty in a new store."""
_FAST: Final = ("synchronous = NORMAL", "cache_size = -131072")
"""A power cut may undo the last batches of a copy, and then they are made again."""


class _End:
    """What both ends of a copy do; see bridge.store.copying.CopyEnd."""

    def __init__(
        self, path: Path, connection: ThreadConnection, lock: FileLock, account: str, sealer: Sealer | None
    ) -> None:
        """Take over the connection and the lock."""
        self._values = SealedRows(sealer, self._page)
        self.name = f"sqlite:///{path}"
        self.account = account
        self._path = path
        self._connection = connection
        self._lock = lock

    async def tables(self) -> Mapping[str, Table]:
        """Every table of the file."""
        return await execute(self._connection, _tables)

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        count: int = (await self._fetch(f"SELECT count(*) FROM {quoted(table.name)} WHERE {self._whose(table)}"))[0][0]
        return count

    async def rows(self, table: Table, after: Key | None, limit: int) -> Sequence[Row]:
        """The next rows in the order of their keys."""
        return await self._values.after(table, after, limit)

    async def _page(self, table: Table, after: Key | None, limit: int | None) -> Sequence[Row]:
        columns = ", ".join(_DERIVED.get((table.name, column), quoted(column)) for column in table.columns)
        key = ", ".join(map(quoted, table.key))
        behind = "" if after is None else f"AND ({key}) > ({_named('key', after)})"
        query = (
            f"SELECT {columns} FROM {quoted(table.name)} WHERE {self._whose(table)} {behind} ORDER BY {key} LIMIT :n"
        )
        return await self._fetch(query, n=-1 if limit is None else limit, **_numbered("key", after or ()))

    async def close(self) -> None:
        """Close the file, and let go of its lock."""
        await self._connection.close()
        self._lock.release()

    def _whose(self, table: Table) -> str:
        return of_account(table, ":account", _without_index) if self.account else "true"

    async def _fetch(self, query: str, **values: Any) -> list[Any]:  # noqa: ANN401 - the query's own
        return await execute(self._connection, _fetch, query, {"account": self.account, **values})

    async def _write(self, statement: str, rows: Sequence[Row | Mapping[str, Any]]) -> None:
        await execute(self._connection, _write, statement, rows)


class SqliteCopySource(_End):
    """Implements bridge.store.copying.CopySource; opened by `open_copy_source`."""

    async def check_apart(self) -> None:
        """Whether the contacts of the account can go without others."""
        if self.account:
            check_merged(self.account, await self._fetch(MERGED.format(":account")))

    async def inheritance(self) -> Mapping[str, str]:
        """The secrets of the whole store, and those that the account inherited before."""
        secrets = await self._fetch(SECRETS.format(account=":account"))
        return inheritance(self._values.opened("secrets", SECRET, secrets))

    async def remove(self, tables: Sequence[Table]) -> None:
        """Remove the rows of the account."""
        reading, self._connection = self._connection, await connect(str(self._path), read_only=False)
        await reading.close()
        for table in reversed(tables):
            statement = f"DELETE FROM {quoted(table.name)} WHERE {self._whose(table)}"
            await self._write(statement, [{"account": self.account}])
        await self._write("DELETE FROM secrets WHERE account = :account", [{"account": self.account}])
        if (note := _note_of(self._path)).exists():
            suspects = SuspectsFile(note)
            suspects.reach(min(suspects.newest, await execute(self._connection, newest_row)))
            suspects.close(clean=False)


class SqliteCopyTarget(_End):
    """Implements bridge.store.copying.CopyTarget; opened by `open_copy_target`."""

    _shift = 0

    async def begin(self, source: str) -> bool:
        """Mark the file as an unfinished copy. Raises CopyRefused."""
        tables = [*(await self.tables()).values()]
        mark = await execute(self._connection, _begin, self, source, tables)
        check_begun(self, source, mark.source, mark.account)
        self._shift = mark.shift
        return bool(mark.is_verified)

    def expected(self, table: Table, rows: Sequence[Row]) -> list[Row]:
        """Rows of the source, with the numbers that they have here."""
        return raised(table, rows, self._shift)

    async def reached(self, table: Table) -> Key | None:
        """The greatest key that is here, as the source has it."""
        if self._values.sorts(table):
            last = await self._values.last(table)
            return None if last is None else lowered(table, last, self._shift)
        key = ", ".join(map(quoted, table.key))
        order = ", ".join(f"{quoted(column)} DESC" for column in table.key)
        query = f"SELECT {key} FROM {quoted(table.name)} WHERE {self._whose(table)} ORDER BY {order} LIMIT 1"
        rows = await self._fetch(query)
        return lowered(table, rows[0], self._shift) if rows else None

    async def write(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, all or none."""
        columns = ", ".join(map(quoted, table.columns))
        marks = ", ".join("?" * len(table.columns))
        await self._write(
            f"INSERT INTO {quoted(table.name)} ({columns}) VALUES ({marks})",
            self._values.sealed(table.name, table.columns, rows),
        )

    async def clear(self, table: Table) -> None:
        """Remove the rows of a table."""
        self._values.forget()
        statement = f"DELETE FROM {quoted(table.name)} WHERE {self._whose(table)}"
        await self._write(statement, [{"account": self.account}])

    async def inherit(self, secrets: Mapping[str, str]) -> None:
        """Keep secrets for the account."""
        values = [(self.account, f"{INHERITED}{name}", value) for name, value in secrets.items()]
        statement = "INSERT OR REPLACE INTO secrets (account, name, value) VALUES (?, ?, ?)"
        await self._write(statement, self._values.sealed("secrets", SECRET, values))

    async def note_verified(self) -> None:
        """Note durably that all is here."""
        await execute(self._connection, _safe)
        await self._write(f"UPDATE {UNFINISHED} SET is_verified = 1", [()])

    async def finish(self, tables: Sequence[Table]) -> None:
        """Take the mark away. The next numbers of this kind of store are those behind its last rows."""
        del tables
        await execute(self._connection, _finish)


async def open_copy_source(url: str, account: str = "", keys: Sequence[EncryptionKey] = ()) -> SqliteCopySource:
    """The store at `url`, owned, and only read.

    Raises:
        ConfigError: a key is missing.
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
        sealer = await _with_keys(connection, use_keys, keys)
    except BaseException:
        lock.release()
        raise
    return SqliteCopySource(path, connection, lock, account, sealer)


async def open_copy_target(url: str, account: str = "", keys: Sequence[EncryptionKey] = ()) -> SqliteCopyTarget:
    """The store at `url`, owned, made where there is none; with `keys` it is encrypted.

    Raises:
        ConfigError: a key is missing.
        StoreInUse, NewerSchema, Unavailable, Broken: it cannot be had.
    """
    path = resolved(path_of(url))
    lock = FileLock(path)
    try:
        is_new = create_file(path)
        lock.take_database()
        await _refuse_loss(path)
        connection = await connect(str(path), read_only=False, prepared=prepare_copy)
        if is_new:
            sync_folder(path)
        sealer = await _with_keys(connection, take_keys, keys)
    except BaseException:
        lock.release()
        raise
    return SqliteCopyTarget(path, connection, lock, account, sealer)


async def _with_keys(
    connection: ThreadConnection,
    take: Callable[[sqlite3.Connection, Sequence[EncryptionKey]], Sealer | None],
    keys: Sequence[EncryptionKey],
) -> Sealer | None:
    try:
        return await execute(connection, take, keys)
    except BaseException:
        await connection.close()
        raise


async def _refuse_loss(path: Path) -> None:
    """The note of a process that died stays: its events are suspects of that death for whoever opens the source."""
    if (note := _note_of(path)).exists():
        suspects = SuspectsFile(note)
        try:
            await refuse_loss(path, suspects.newest)
        finally:
            suspects.close(clean=False)


def _note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.running")


def quoted(name: str) -> str:
    """A name in a statement."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _without_index(column: str) -> str:
    return f"+{column}"


def _numbered(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """Values under the names that `_named` gives them."""
    return {f"{name}{number}": value for number, value in enumerate(values)}


def _named(name: str, values: Sequence[object]) -> str:
    return ", ".join(f":{name}{number}" for number in range(len(values)))


def _fetch(db: sqlite3.Connection, query: str, values: Mapping[str, Any]) -> list[Any]:
    return db.execute(query, values).fetchall()


def _tables(db: sqlite3.Connection) -> dict[str, Table]:
    """Those of a bot are left out, where it has migrations for them: it makes them anew."""
    columns: dict[str, list[str]] = {}
    keys: dict[str, dict[int, str]] = {}
    for name, column, place in db.execute(_TABLES):
        columns.setdefault(name, []).append(column)
        if place:
            keys.setdefault(name, {})[place] = column
    left_out = {*columns} - own_names() if has_own_tables(db) else set()
    return {
        name: table_of(name, [column for _, column in sorted(keys.get(name, {}).items())], columns[name])
        for name in columns
        if name not in left_out
    }


def _begin(db: sqlite3.Connection, end: CopyEnd, source: str, tables: Sequence[Table]) -> Mark:
    for setting in _FAST:
        db.execute(f"PRAGMA {setting}").fetchone()
    db.execute("BEGIN IMMEDIATE")
    try:
        mark = _marked(db, end, source, tables)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    return mark


def _marked(db: sqlite3.Connection, end: CopyEnd, source: str, tables: Sequence[Table]) -> Mark:
    """The mark of a copy that was begun, or a new one."""
    db.execute(f"CREATE TABLE IF NOT EXISTS {UNFINISHED} ({MARK_COLUMNS})")
    if begun := db.execute(f"SELECT {MARK_VALUES} FROM {UNFINISHED}").fetchone():
        return Mark(*begun)
    for table in tables:
        query = any_of_account(table, ":account") if end.account else f"SELECT 1 FROM {quoted(table.name)} LIMIT 1"
        if query is not None and db.execute(query, {"account": end.account}).fetchone():
            raise not_empty(end, table.name)
    numbers = db.execute(greatest_numbers(tables)).fetchall() if end.account else []
    mark = Mark(source, end.account, shift_above(numbers))
    db.execute(f"INSERT INTO {UNFINISHED} ({MARK_VALUES}) VALUES (?, ?, ?, ?)", mark)
    return mark


def _write(db: sqlite3.Connection, statement: str, rows: Sequence[Any]) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany(statement, rows)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _safe(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA synchronous = FULL").fetchone()


def _finish(db: sqlite3.Connection) -> None:
    _safe(db)
    db.execute(f"DROP TABLE {UNFINISHED}")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
