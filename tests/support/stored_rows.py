"""What a store holds, table by table, read past all of threadbridge; and stores full of random rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from storage.postgres.copying import OWN, OWN_COLUMNS
from storage.sqlite.connection import path_of, prepare
from tests.support.kept_connections import connections
from tests.support.postgres import plain

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

Contents = dict[str, list[dict[str, Any]]]

_US: Final = "threadbridge"
_COLUMNS: Final = """
SELECT m.name, c.name, c.type, c."notnull" OR c.pk, c.name = 'id' OR c.name IN (
    SELECT i.name FROM pragma_index_list(m.name) l JOIN pragma_index_info(l.name) i WHERE l."unique")
FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid
"""
_LETTERS: Final = "aB0 _~\x01\x7f\n'\"\\é\u00df\u0130\uffff\U0001f600"
"""Among them some that other collations order otherwise, or hold for equal."""
_EMPTY: Final = 0.3
"""The share of columns without a value, where they may have none."""
_SMALL: Final = {"taken": 2, "wanted": 2, "seq": 2**62}
"""Columns of numbers that have a bound."""


def contents(url: str) -> Contents:
    """All rows of a store, those of its own working apart."""
    if url.startswith("sqlite:"):
        return _of_sqlite(path_of(url))
    return connections().run(_of_postgres(url))


def _of_sqlite(path: str) -> Contents:
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: _ordered([dict(row) for row in db.execute(f'SELECT * FROM "{name}"')])
            for name in names
            if name not in OWN
        }


async def _of_postgres(url: str) -> Contents:
    connection = await asyncpg.connect(plain(url))
    try:
        names = [row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", _US)]
        return {
            name: _ordered([dict(row) for row in await connection.fetch(f'SELECT * FROM {_US}."{name}"')])
            for name in names
            if name not in OWN
        }
    finally:
        await connection.close()


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(({name: row[name] for name in sorted(row) if name not in OWN_COLUMNS} for row in rows), key=repr)


def random_rows(rng: Random, least: int = 0, most: int = 6) -> Contents:
    """Rows for every table of the schema, with whatever values its columns may have."""
    tables: Contents = {}
    with closing(sqlite3.connect(":memory:")) as db:
        prepare(db)
        for table, column, kind, is_wanted, is_unique in db.execute(_COLUMNS).fetchall():
            if table in OWN:
                continue
            if table not in tables:
                tables[table] = [{} for _ in range(rng.randint(least, most))]
            for number, row in enumerate(tables[table]):
                row[column] = _value(rng, kind, number, column, is_unique=is_unique, is_wanted=is_wanted)
    return tables


def _value(rng: Random, kind: str, number: int, column: str, *, is_unique: bool, is_wanted: bool) -> Any:
    if is_unique:
        return number * 10**9 + rng.randrange(10**9) if kind == "INTEGER" else f"{_text(rng)}{number}"
    if not is_wanted and column != "account" and rng.random() < _EMPTY:
        return None
    if column in _SMALL:
        return rng.randrange(_SMALL[column])
    if kind == "INTEGER":
        return rng.choice((0, -1, 2**63 - 1, -(2**63), rng.getrandbits(40)))
    return rng.randbytes(rng.randrange(6)) if kind == "BLOB" else _text(rng)


def _text(rng: Random) -> str:
    return "".join(rng.choices(_LETTERS, k=rng.randrange(4)))


def write_rows(file: Path, tables: Contents) -> None:
    """Make an SQLite store of rows."""
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        prepare(db)
        db.execute("BEGIN")
        for table, rows in tables.items():
            for row in rows:
                marks = ", ".join("?" * len(row))
                db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", [*row.values()])
        db.execute("COMMIT")
