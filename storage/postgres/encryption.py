"""The keys of a database: see storage.sealing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.errors import ConfigError, Problem
from bridge.log import log
from bridge.store.encryption import HEAD, PATH, STAYS, Resealed, key_id_of, refuse_missing

from ..results import Result
from ..sealed_columns import SEALED, TEXTS, WITH_VALUES, change_of, columns_of, named, next_place, renewed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from bridge.store.encryption import EncryptionKey

    from ..records import Row
    from ..sealer import Sealer
    from .connection import Fetch
    from .transaction import Transaction

_IN_USE: Final = "/**/ SELECT id, secret FROM encryption_keys"
_USE: Final = "INSERT INTO encryption_keys (id, secret) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_PLACE: Final = "SELECT place FROM encryption_keys WHERE id = $1 FOR UPDATE"
_NOTE_PLACE: Final = "UPDATE encryption_keys SET place = $1 WHERE id = $2"
_RETIRE: Final = "DELETE FROM encryption_keys WHERE id <> $1"
_COMPANY: Final = """
SELECT p.name, p.keys FROM processes p WHERE EXISTS (
    SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()
        AND l.classid = $1 AND l.objid = p.epoch & 2147483647 AND l.objsubid = 2 AND l.pid <> pg_backend_pid())
ORDER BY p.epoch
"""
"""The other processes that live, and their keys."""
_STAYS: Final = ", ".join(f"'\\x{value.encode().hex()}'::bytea" for value in sorted(STAYS))
_ROWS: Final = 1000
"""Rows with names that are encrypted at once."""


async def in_use(fetch: Fetch) -> dict[str, str]:
    """The keys of which the database has values, each with the store's secret under it."""
    return {row[0]: row[1] for row in await fetch(_IN_USE)}


async def sealer_for(fetch: Fetch, keys: Sequence[EncryptionKey]) -> Sealer | None:
    """What opens the values of a database; None: they are not encrypted. Raises ConfigError, Broken."""
    known = await in_use(fetch)
    refuse_missing(known, keys)
    if not known:
        return None
    from ..sealer import sealer_of  # noqa: PLC0415 - a store without keys does not load it

    return sealer_of(keys, known)


async def begin(connection: asyncpg.Connection, keys: Sequence[EncryptionKey]) -> None:
    """The first key of a database, which is ours alone now: all names are encrypted, since rows are looked up by them.

    Nothing is done where another process was faster.
    """
    from ..sealer import Sealer, new_secret  # noqa: PLC0415 - as above

    if await in_use(connection.fetch):
        return
    sealer = Sealer(keys, new_secret())
    log.info("encryption_begun", key=sealer.newest)
    async with connection.transaction():
        for table in (table for table, sealed in SEALED.items() if sealed.names):
            after: list[Any] = []
            while rows := await _page(connection.fetch, table, after, _ROWS):
                after = [*rows[-1][: len(SEALED[table].key)]]
                changes = [(row, new) for row in rows if (new := named(sealer, table, row)) is not None]
                await connection.executemany(_update(table), _values(table, changes))
        await connection.execute(_USE, *sealer.kept)


async def join(connection: asyncpg.Connection, keys: Sequence[EncryptionKey], lock: int) -> Sealer | None:
    """Encrypt as the other processes do, which know our newest key as we know theirs. Raises ConfigError, Broken."""
    sealer = await sealer_for(connection.fetch, keys)
    if sealer is None:
        return None
    ours = {key.id for key in keys}
    for name, theirs in await connection.fetch(_COMPANY, lock):
        if sealer.newest not in theirs.split() or theirs.split()[0] not in ours:
            reason = f"process {name} does not have the same keys: give each of them both, the new key behind the old"
            raise ConfigError([Problem("storage", PATH, reason)])
    await connection.execute(_USE, *sealer.kept)
    return sealer


async def reseal(tx: Transaction, limit: int, lock: int) -> Result:
    """A part of a rotation, from where the last one ended; the result's `value` is a Resealed.

    It locks its rows, and may so meet another process that locks them in another order: then one of both begins anew.
    """
    sealer = tx.sealer
    if sealer is None:
        return Result(value=Resealed(0, 0, more=False))
    place = (await tx.fetch(_PLACE, sealer.newest))[0][0]
    table, *after = orjson.loads(place) if place else [WITH_VALUES[0]]
    rows = await _page(tx.fetch, table, after, limit, "FOR NO KEY UPDATE")
    changes = [(row, new) for row in rows if (new := renewed(sealer, table, row)) is not None]
    await tx.each(_update(table), _values(table, changes))
    goes_on = next_place(table, rows, limit)
    if goes_on is None:
        for name, theirs in await tx.fetch(_COMPANY, lock):
            if theirs.split()[:1] != [sealer.newest]:
                reason = f"process {name} still encrypts under an older key: restart it with {sealer.newest} first"
                raise ConfigError([Problem("storage", PATH, reason)])
        await tx.execute(_RETIRE, sealer.newest)
    await tx.execute(_NOTE_PLACE, orjson.dumps(goes_on).decode() if goes_on else "", sealer.newest)
    return Result(value=Resealed(len(rows), len(changes), more=goes_on is not None))


async def under_keys(fetch: Fetch) -> dict[str, int]:
    """How many values are under each key."""
    counted: dict[str, int] = {}
    for table, column in ((table, column) for table, sealed in SEALED.items() for column in sealed.values):
        value = f"convert_to({column}, 'UTF8')" if f"{table}.{column}" in TEXTS else column
        query = f"""/**/
SELECT substr({column}, 1, {HEAD}), count(*) FROM {table}
WHERE {value} >= '\\x01'::bytea AND {value} <> ALL(ARRAY[{_STAYS}]) GROUP BY 1
"""
        for head, count in await fetch(query):
            key_id = key_id_of(head)
            counted[key_id] = counted.get(key_id, 0) + count
    return counted


async def _page(fetch: Fetch, table: str, after: Sequence[Any], limit: int, locked: str = "") -> list[Row]:
    """The next rows of a table as they are stored, in the order of their keys."""
    key = ", ".join(SEALED[table].key)
    behind = f"WHERE ({key}) > ({', '.join(f'${number}' for number in range(1, len(after) + 1))})" if after else ""
    columns = ", ".join(columns_of(table))
    query = f"/**/ SELECT {columns} FROM {table} {behind} ORDER BY {key} LIMIT ${len(after) + 1} {locked}"
    return [tuple(row) for row in await fetch(query, *after, limit)]


def _update(table: str) -> str:
    """The statement that writes rows: what `change_of` gives of each."""
    columns, key = (*SEALED[table].names, *SEALED[table].values), SEALED[table].key
    changes = ", ".join(f"{column} = ${number}" for number, column in enumerate(columns, 1))
    where = " AND ".join(f"{column} = ${number}" for number, column in enumerate(key, len(columns) + 1))
    return f"/**/ UPDATE {table} SET {changes} WHERE {where}"


def _values(table: str, changes: Sequence[tuple[Row, Row]]) -> list[Row]:
    return [change_of(table, old, new) for old, new in changes]
