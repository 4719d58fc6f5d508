"""A store in PostgreSQL as one end of a copy: see bridge.store.copying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg

from bridge.store.copying import CopyRefused, Table, check_begun, not_empty, table_of

from ..records import OPEN, literal
from .connection import LOST, address_of, connect, translate
from .migrations import check_durability, check_readable, copied_from, migrate, schema_version
from .process import own
from .schema import MIGRATIONS, SCHEMA, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from bridge.store.copying import Key, Row

    from .connection import Address

OWN: Final = ("processes", "duties", "schema_version", UNFINISHED)
"""Tables of the store's own working: they tell nothing of a conversation."""
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
_PLACES: Final = f"SELECT setval('places', greatest({_ROWS}) + 1, false)"
"""The places of rows that are settled do not count: only open rows are compared by them."""
_FAST: Final = "SET synchronous_commit = off"
"""A crash of the server may undo the last batches of a copy, and then they are made again."""
_SAFE: Final = "SET LOCAL synchronous_commit = on"
_PATIENT: Final = 24 * 3600.0
"""Seconds for a statement that reads a whole table."""


class PostgresCopySource:
    """Implements bridge.store.copying.CopySource; opened by `open_copy_source`."""

    def __init__(self, address: Address, connection: asyncpg.Connection) -> None:
        """Take over the connection, which holds the lock."""
        self.name = address.name
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
        count: int = (await self._fetch(f"SELECT count(*) FROM {_quoted(table.name)}"))[0][0]
        return count

    async def rows(self, table: Table, after: Key | None, limit: int) -> Sequence[Row]:
        """The next rows in the order of their keys."""
        flags = self._flags.get(table.name, frozenset())
        columns = ", ".join(
            f"{_quoted(column)}::int" if column in flags else _quoted(column) for column in table.columns
        )
        key = ", ".join(map(_quoted, table.key))
        marks = ", ".join(f"${number}" for number in range(2, 2 + len(after or ())))
        behind = "" if after is None else f"WHERE ({key}) > ({marks})"
        query = f"SELECT {columns} FROM {_quoted(table.name)} {behind} ORDER BY {key} LIMIT $1"
        return [tuple(row) for row in await self._fetch(query, limit, *(after or ()))]

    async def close(self) -> None:
        """End the connection, and with it the lock."""
        try:
            await self._connection.close(timeout=1.0)
        except LOST:
            self._connection.terminate()

    async def _fetch(self, query: str, *values: Any) -> list[Any]:  # noqa: ANN401 - the query's own
        rows: list[Any] = await _checked(self._connection.fetch, query, *values, timeout=_PATIENT)
        return rows

    async def _execute(self, statement: str, *values: Any) -> None:  # noqa: ANN401 - the statement's own
        await _checked(self._connection.execute, statement, *values, timeout=_PATIENT)


class PostgresCopyTarget(PostgresCopySource):
    """Implements bridge.store.copying.CopyTarget; opened by `open_copy_target`."""

    async def begin(self, source: str) -> None:
        """Mark the schema as an unfinished copy. Raises CopyRefused."""
        begun = await copied_from(self._fetch)
        if begun is not None:
            check_begun(self.name, source, begun)
        else:
            for table in await self.tables():
                if await self._fetch(f"SELECT 1 FROM {_quoted(table)} LIMIT 1"):
                    raise not_empty(self.name, table)
            await self._execute(f"CREATE TABLE {UNFINISHED} AS SELECT {_text(source)} AS source")
        await self._execute(_FAST)

    async def last_key(self, table: Table) -> Key | None:
        """The greatest key in a table."""
        key = ", ".join(map(_quoted, table.key))
        order = ", ".join(f"{_quoted(column)} DESC" for column in table.key)
        rows = await self._fetch(f"SELECT {key} FROM {_quoted(table.name)} ORDER BY {order} LIMIT 1")
        return tuple(rows[0]) if rows else None

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
            records=rows,
            timeout=_PATIENT,
        )

    async def clear(self, table: Table) -> None:
        """Remove all rows of a table."""
        await self._execute(f"TRUNCATE {_quoted(table.name)}")

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


async def open_copy_source(url: str) -> PostgresCopySource:
    """The store at `url`, owned, and only read.

    Raises:
        CopyRefused: there is none.
        StoreInUse: another process owns it.
        NewerSchema, Unavailable, Broken: it cannot be read as it is.
    """
    address = address_of(url)
    connection = await _owned(address)
    try:
        await _check_source(connection, address)
    except BaseException:
        connection.terminate()
        raise
    return PostgresCopySource(address, connection)


async def open_copy_target(url: str) -> PostgresCopyTarget:
    """The store at `url`, owned, made where there is none. Raises StoreInUse, NewerSchema, Unavailable, Broken."""
    address = address_of(url)
    connection = await _owned(address)
    try:
        await _checked(check_durability, connection, relaxed=address.relaxed)
        if await _checked(copied_from, connection.fetch) is not None:
            await _refuse_older(connection, address)
        await _checked(migrate, connection, is_copy=True)
    except BaseException:
        connection.terminate()
        raise
    return PostgresCopyTarget(address, connection)


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
