"""A connection that encrypts, and the keys of a file: see storage.sealing."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.log import log
from bridge.store.encryption import HEAD, STAYS, Resealed, key_id_of, refuse_missing

from ..results import Result
from ..sealed_columns import SEALED, WITH_VALUES, change_of, columns_of, named, next_place, renewed
from ..sealing import plan_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bridge.store.encryption import EncryptionKey

    from ..records import Row
    from ..sealed_columns import Plan
    from ..sealer import Sealer

_HAS_KEYS: Final = "SELECT 1 FROM sqlite_master WHERE name = 'encryption_keys'"
_IN_USE: Final = "/**/ SELECT id, secret FROM encryption_keys"
_USE: Final = "INSERT INTO encryption_keys (id, secret) VALUES (?, ?)"
_PLACE: Final = "SELECT place FROM encryption_keys WHERE id = ?"
_NOTE_PLACE: Final = "UPDATE encryption_keys SET place = ? WHERE id = ?"
_RETIRE: Final = "DELETE FROM encryption_keys WHERE id <> ?"
_STAYS: Final = ", ".join(f"x'{value.encode().hex()}'" for value in sorted(STAYS))
_ROWS: Final = 1000
"""Rows with names that are encrypted at once."""


class SealingConnection(sqlite3.Connection):
    """A connection whose statements keep values encrypted, once it has a sealer."""

    sealer: Sealer | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401 - as the base
        """As the base."""
        if self.sealer is None or (plan := plan_of(sql)) is None:
            return super().execute(sql, parameters)
        if plan.written:
            parameters = plan.seal(self.sealer, parameters)
        cursor = super().execute(sql, parameters)
        if plan.read:
            cursor.row_factory = partial(_opened, plan, self.sealer)
        return cursor

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """As the base."""
        if self.sealer is not None and (plan := plan_of(sql)) is not None:
            parameters = [plan.seal(self.sealer, values) for values in parameters]
        return super().executemany(sql, parameters)


def _opened(plan: Plan, sealer: Sealer, _: sqlite3.Cursor, row: Row) -> Row:
    return plan.open(sealer, row)


def take_keys(db: sqlite3.Connection, keys: Sequence[EncryptionKey]) -> Sealer | None:
    """What an owner does with keys: from now on all is encrypted under the newest. Raises ConfigError, Broken."""
    in_use = _in_use(db)
    refuse_missing(in_use, keys)
    if not keys:
        return None
    from ..sealer import Sealer, new_secret, sealer_of  # noqa: PLC0415 - a store without keys does not load it

    if (sealer := sealer_of(keys, in_use)) is None:
        sealer = Sealer(keys, new_secret())
        log.info("encryption_begun", key=sealer.newest)
        _in_one(db, lambda: _begin(db, sealer))
    elif sealer.newest not in in_use:
        db.execute(_USE, sealer.kept)
    if isinstance(db, SealingConnection):
        db.sealer = sealer
    return sealer


def use_keys(db: sqlite3.Connection, keys: Sequence[EncryptionKey]) -> Sealer | None:
    """What a reader does with keys. Raises ConfigError, Broken."""
    in_use = _in_use(db)
    refuse_missing(in_use, keys)
    if not in_use:
        return None
    from ..sealer import sealer_of  # noqa: PLC0415 - as above

    sealer = sealer_of(keys, in_use)
    if isinstance(db, SealingConnection):
        db.sealer = sealer
    return sealer


def reseal(db: sqlite3.Connection, limit: int) -> Result:
    """A part of a rotation, from where the last one ended; the result's `value` is a Resealed."""
    if not isinstance(db, SealingConnection) or (sealer := db.sealer) is None:
        return Result(value=Resealed(0, 0, more=False))
    (place,) = db.execute(_PLACE, (sealer.newest,)).fetchone()
    table, *after = orjson.loads(place) if place else [WITH_VALUES[0]]
    rows = _page(db, table, after, limit)
    changed = _write(db, table, [(row, new) for row in rows if (new := renewed(sealer, table, row)) is not None])
    goes_on = next_place(table, rows, limit)
    if goes_on is None:
        db.execute(_RETIRE, (sealer.newest,))
    db.execute(_NOTE_PLACE, (orjson.dumps(goes_on).decode() if goes_on else "", sealer.newest))
    return Result(value=Resealed(len(rows), changed, more=goes_on is not None))


def under_keys(db: sqlite3.Connection) -> dict[str, int]:
    """How many values are under each key."""
    counted: dict[str, int] = {}
    for table, column in ((table, column) for table, sealed in SEALED.items() for column in sealed.values):
        query = f"""/**/
SELECT substr({column}, 1, {HEAD}), count(*) FROM {table}
WHERE CAST({column} AS BLOB) >= x'01' AND CAST({column} AS BLOB) NOT IN ({_STAYS}) GROUP BY 1
"""
        for head, count in db.execute(query):
            key_id = key_id_of(head)
            counted[key_id] = counted.get(key_id, 0) + count
    return counted


def _in_use(db: sqlite3.Connection) -> dict[str, str]:
    if db.execute(_HAS_KEYS).fetchone() is None:  # an older schema
        return {}
    return dict(db.execute(_IN_USE).fetchall())


def _begin(db: sqlite3.Connection, sealer: Sealer) -> None:
    """The first key of a file: all names are encrypted at once, since rows are looked up by them."""
    for table in (table for table, sealed in SEALED.items() if sealed.names):
        after: list[Any] = []
        while rows := _page(db, table, after, _ROWS):
            after = [*rows[-1][: len(SEALED[table].key)]]
            _write(db, table, [(row, new) for row in rows if (new := named(sealer, table, row)) is not None])
    db.execute(_USE, sealer.kept)


def page_of(table: str, after: Sequence[Any]) -> str:
    """The query for the next rows of a table as they are stored, in the order of their keys."""
    key = ", ".join(SEALED[table].key)
    behind = f"WHERE ({key}) > ({', '.join('?' * len(after))})" if after else ""
    return f"/**/ SELECT {', '.join(columns_of(table))} FROM {table} {behind} ORDER BY {key} LIMIT ?"


def _page(db: sqlite3.Connection, table: str, after: Sequence[Any], limit: int) -> list[Row]:
    return db.execute(page_of(table, after), (*after, limit)).fetchall()


def _write(db: sqlite3.Connection, table: str, rows: Sequence[tuple[Row, Row]]) -> int:
    """Rows as they were, and as they are to be."""
    key = SEALED[table].key
    changes = ", ".join(f"{column} = ?" for column in (*SEALED[table].names, *SEALED[table].values))
    statement = f"/**/ UPDATE {table} SET {changes} WHERE {' AND '.join(f'{column} = ?' for column in key)}"
    db.executemany(statement, [change_of(table, old, new) for old, new in rows])
    return len(rows)


def _in_one(db: sqlite3.Connection, act: Callable[[], None]) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        act()
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
