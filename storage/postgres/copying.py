"""A store in PostgreSQL as one end of a copy: see bridge.store.copying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg

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
from ..records import OPEN, literal
from ..sealed_copy import SECRET, SealedRows
from . import encryption
from .connection import LOST, address_of, connect, translate
from .migrations import check_durability, check_readable, copied_from, migrate, schema_version
from .process import LOCK, own
from .schema import MIGRATIONS, SCHEMA, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from bridge.store.copying import Key, Row, Table
    from bridge.store.encryption import EncryptionKey

    from ..sealer import Sealer
    from .connection import Address

OWN: Final = ("processes", "duties", "schema_version", "migrations", "encryption_keys", UNFINISHED)
"""Tables of the store's own working, and of the bot's: they tell nothing of a conversation."""
OWN_COLUMNS: Final = ("holder", "deaths", "on_trial")
"""Which process holds a thread, and what others died of: nothing to those that take over a copy."""
_TABLES: Final = f"""
SELECT c.relname, a.attname, a.atttypid = 'boolean'::regtype, array_position(i.indkey::int2[], a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = '{SCHEMA}'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND a.attgenerated = '' AND c.relname <> ALL($1::text[]) AND a.attname <> ALL($2::text[])
ORDER BY c.oid, a.attnum
"""
_SEQUENCES: Final = f"""
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attidentity <> ''
WHERE c.relnamespace = '{SCHEMA}'::regnamespace AND c.relname <> ALL($1::text[])
"""
_ROWS: Final = ", ".join(
    f"(SELECT coalesce(max(id), 0) FROM {table}), (SELECT coalesce(max(seq), 0) FROM {table} WHERE {is_open})"
    for table, is_open in OPEN.items()
)
_PLACES: Final = f"SELECT setval('places', greatest({_ROWS}, (SELECT last_value FROM places)) + 1, false)"
"""The places of rows that are settled do not count: only open rows are compared by them."""
_FAST: Final = "SET synchronous_commit = off"
"""A crash of the server may undo the last batches of a copy, and then they are made again."""
_SAFE: Final = "SET LOCAL synchronous_commit = on"
_INHERIT: Final = """
INSERT INTO secrets (account, name, value) VALUES ($1, $2, $3)
ON CONFLICT (account, name) DO UPDATE SET value = excluded.value
"""
_PATIENT: Final = 24 * 3600.0
"""Seconds for a statement that reads a whole table."""


class _End:
    """What both ends of a copy do; see bridge.store.copying.CopyEnd."""

    def __init__(self, address: Address, connection: asyncpg.Connection, account: str, sealer: Sealer | None) -> None:
        """Take over the connection, which holds the lock."""
        self._values = SealedRows(sealer, self._page)
        self.name = address.name
        self.account = account
        self._connection = connection
        self._flags: dict[str, frozenset[str]] = {}
        """By table, its columns that are true or false. A copy has 1 and 0, as SQLite."""

    async def tables(self) -> Mapping[str, Table]:
        """Every table of our schema."""
        columns: dict[str, list[str]] = {}
        keys: dict[str, dict[int, str]] = {}
        flags: dict[str, set[str]] = {}
        for name, column, is_flag, place in await self._fetch(_TABLES, OWN, OWN_COLUMNS):
            columns.setdefault(name, []).append(column)
            if place is not None:
                keys.setdefault(name, {})[place] = column
            if is_flag:
                flags.setdefault(name, set()).add(column)
        self._flags = {name: frozenset(of_table) for name, of_table in flags.items()}
        return {
            name: table_of(name, [column for _, column in sorted(keys.get(name, {}).items())], columns[name])
            for name in columns
        }

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        query = f"SELECT count(*) FROM {_quoted(table.name)} WHERE {self._whose(table)}"
        count: int = (await self._fetch(query, *self._of))[0][0]
        return count

    async def rows(self, table: Table, after: Key | None, limit: int) -> Sequence[Row]:
        """The next rows in the order of their keys."""
        return await self._values.after(table, after, limit)

    async def _page(self, table: Table, after: Key | None, limit: int | None) -> Sequence[Row]:
        flags = self._flags.get(table.name, frozenset())
        columns = ", ".join(
            f"{_quoted(column)}::int" if column in flags else _quoted(column) for column in table.columns
        )
        key = ", ".join(map(_quoted, table.key))
        values = (*self._of, *(after or ()))
        marks = ", ".join(f"${number}" for number in range(1 + len(self._of), 1 + len(values)))
        behind = "" if after is None else f"AND ({key}) > ({marks})"
        order = f"ORDER BY {key} LIMIT {'ALL' if limit is None else limit}"
        query = f"SELECT {columns} FROM {_quoted(table.name)} WHERE {self._whose(table)} {behind} {order}"
        return [tuple(row) for row in await self._fetch(query, *values)]

    async def close(self) -> None:
        """End the connection, and with it the lock."""
        try:
            await self._connection.close(timeout=1.0)
        except LOST:
            self._connection.terminate()

    @property
    def _of(self) -> tuple[str, ...]:
        """The value of `_whose`."""
        return (self.account,) if self.account else ()

    def _whose(self, table: Table) -> str:
        return of_account(table, "$1", _without_index) if self.account else "true"

    async def _fetch(self, query: str, *values: Any) -> list[Any]:  # noqa: ANN401 - the query's own
        rows: list[Any] = await _checked(self._connection.fetch, query, *values, timeout=_PATIENT)
        return rows

    async def _execute(self, statement: str, *values: Any) -> None:  # noqa: ANN401 - the statement's own
        await _checked(self._connection.execute, statement, *values, timeout=_PATIENT)


class PostgresCopySource(_End):
    """Implements bridge.store.copying.CopySource; opened by `open_copy_source`."""

    async def check_apart(self) -> None:
        """Whether the contacts of the account can go without others."""
        if self.account:
            check_merged(self.account, [tuple(row) for row in await self._fetch(MERGED.format("$1"), self.account)])

    async def inheritance(self) -> Mapping[str, str]:
        """The secrets of the whole store, and those that the account inherited before."""
        secrets = [tuple(row) for row in await self._fetch(SECRETS.format(account="$1"), self.account)]
        return inheritance(self._values.opened("secrets", SECRET, secrets))

    async def remove(self, tables: Sequence[Table]) -> None:
        """Remove the rows of the account."""
        for table in reversed(tables):
            await self._execute(f"DELETE FROM {_quoted(table.name)} WHERE {self._whose(table)}", *self._of)
        await self._execute("DELETE FROM secrets WHERE account = $1", *self._of)


class PostgresCopyTarget(_End):
    """Implements bridge.store.copying.CopyTarget; opened by `open_copy_target`."""

    _shift = 0

    async def begin(self, source: str) -> bool:
        """Mark the schema as an unfinished copy. Raises CopyRefused."""
        tables = [*(await self.tables()).values()]
        if await copied_from(self._fetch) is None:
            await self._mark(source, tables)
        mark = Mark(*(await self._fetch(f"SELECT {MARK_VALUES} FROM {UNFINISHED}"))[0])
        check_begun(self, source, mark.source, mark.account)
        self._shift = mark.shift
        await self._execute(_FAST)
        return bool(mark.is_verified)

    async def _mark(self, source: str, tables: Sequence[Table]) -> None:
        for table in tables:
            query = any_of_account(table, "$1") if self.account else f"SELECT 1 FROM {_quoted(table.name)} LIMIT 1"
            if query is not None and await self._fetch(query, *self._of):
                raise not_empty(self, table.name)
        numbers = [tuple(row) for row in await self._fetch(greatest_numbers(tables))] if self.account else []
        mark = Mark(source, self.account, shift_above(numbers))
        values = f"{_text(mark.source)}, {_text(mark.account)}, {mark.shift}, 0"
        create = f"CREATE TABLE {UNFINISHED} ({MARK_COLUMNS})"
        await self._execute(f"{create}; INSERT INTO {UNFINISHED} ({MARK_VALUES}) VALUES ({values})")

    def expected(self, table: Table, rows: Sequence[Row]) -> list[Row]:
        """Rows of the source, with the numbers that they have here."""
        return raised(table, rows, self._shift)

    async def reached(self, table: Table) -> Key | None:
        """The greatest key that is here, as the source has it."""
        if self._values.sorts(table):
            last = await self._values.last(table)
            return None if last is None else lowered(table, last, self._shift)
        key = ", ".join(map(_quoted, table.key))
        order = ", ".join(f"{_quoted(column)} DESC" for column in table.key)
        query = f"SELECT {key} FROM {_quoted(table.name)} WHERE {self._whose(table)} ORDER BY {order} LIMIT 1"
        rows = await self._fetch(query, *self._of)
        return lowered(table, tuple(rows[0]), self._shift) if rows else None

    async def write(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, all or none."""
        if flags := self._flags.get(table.name):
            places = [table.columns.index(column) for column in flags]
            rows = [_with_flags(row, places) for row in rows]
        await _checked(
            self._connection.copy_records_to_table,
            table.name,
            schema_name=SCHEMA,
            columns=table.columns,
            records=self._values.sealed(table.name, table.columns, rows),
            timeout=_PATIENT,
        )

    async def clear(self, table: Table) -> None:
        """Remove the rows of a table."""
        self._values.forget()
        await self._execute(f"DELETE FROM {_quoted(table.name)} WHERE {self._whose(table)}", *self._of)

    async def inherit(self, secrets: Mapping[str, str]) -> None:
        """Keep secrets for the account."""
        values = [(self.account, f"{INHERITED}{name}", value) for name, value in secrets.items()]
        for secret in self._values.sealed("secrets", SECRET, values):
            await self._execute(_INHERIT, *secret)

    async def note_verified(self) -> None:
        """Note durably that all is here."""
        await self._execute(f"SET synchronous_commit = on; UPDATE {UNFINISHED} SET is_verified = 1")

    async def finish(self, tables: Sequence[Table]) -> None:
        """Statistics for the planner, the next numbers, and the mark away."""
        for table in tables:
            await self._execute(f"ANALYZE {_quoted(table.name)}")
        try:
            async with self._connection.transaction():
                await self._execute(_SAFE)
                for name, column in await self._fetch(_SEQUENCES, OWN):
                    sequence = f"pg_get_serial_sequence({_text(_quoted(name))}, {_text(column)})"
                    next_number = f"(SELECT coalesce(max({_quoted(column)}), 0) + 1 FROM {_quoted(name)})"
                    await self._execute(f"SELECT setval({sequence}, {next_number}, false)")
                await self._execute(_PLACES)
                await self._execute(f"DROP TABLE {UNFINISHED}")
        except (asyncpg.PostgresError, *LOST) as error:
            raise translate(error) from error


async def open_copy_source(url: str, account: str = "", keys: Sequence[EncryptionKey] = ()) -> PostgresCopySource:
    """The store at `url`, owned, and only read.

    Raises:
        ConfigError: a key is missing.
        CopyRefused: there is none.
        StoreInUse: another process owns it.
        NewerSchema, Unavailable, Broken: it cannot be read as it is.
    """
    address = address_of(url)
    connection = await _owned(address)
    try:
        await _check_source(connection, address)
        sealer = await _checked(encryption.sealer_for, connection.fetch, keys)
    except BaseException:
        connection.terminate()
        raise
    return PostgresCopySource(address, connection, account, sealer)


async def open_copy_target(url: str, account: str = "", keys: Sequence[EncryptionKey] = ()) -> PostgresCopyTarget:
    """The store at `url`, owned, made where there is none; with `keys` it is encrypted.

    Raises:
        ConfigError: a key is missing.
        StoreInUse, NewerSchema, Unavailable, Broken: it cannot be had.
    """
    address = address_of(url)
    connection = await _owned(address)
    try:
        await _checked(check_durability, connection, relaxed=address.relaxed)
        if await _checked(copied_from, connection.fetch) is not None:
            await _refuse_older(connection, address)
        await _checked(migrate, connection, is_copy=True)
        if keys:
            await _checked(encryption.begin, connection, keys)
        sealer = await _checked(encryption.join, connection, keys, LOCK)
    except BaseException:
        connection.terminate()
        raise
    return PostgresCopyTarget(address, connection, account, sealer)


async def _owned(address: Address) -> asyncpg.Connection:
    connection = await connect(address, read_only=False)
    try:
        await _checked(own, connection, address)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def _check_source(connection: asyncpg.Connection, address: Address) -> None:
    if await _checked(schema_version, connection.fetch) is None:
        raise CopyRefused(f"there is no store in {address.name}")
    await _checked(check_readable, connection.fetch)


async def _refuse_older(connection: asyncpg.Connection, address: Address) -> None:
    version = await _checked(schema_version, connection.fetch)
    if version != len(MIGRATIONS):
        reason = f"an earlier threadbridge began the copy in {address.name}: drop its schema {SCHEMA}, and begin again"
        raise CopyRefused(reason)


async def _checked(function: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
    """The result of a call; PostgreSQL's errors are raised as the engine's."""
    try:
        return await function(*arguments, **options)
    except (asyncpg.PostgresError, *LOST) as error:
        raise translate(error) from error


def _without_index(column: str) -> str:
    return f"({column} || '')"


def _with_flags(row: Row, places: Sequence[int]) -> Row:
    values = list(row)
    for place in places:
        values[place] = bool(values[place])
    return tuple(values)


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _text(value: str) -> str:
    """A text in a statement that takes no values."""
    return literal(value.replace("'", "''"))
