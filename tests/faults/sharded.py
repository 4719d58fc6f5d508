"""A bridge with a database for each of its accounts."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import orjson

from tests.faults.harness import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TABLES: Final = ("inbox", "outbox", "threads", "attempts")
_NUMBERS: Final = {"id", "seq", "thread_id", "inbox_id", "outbox_id"}
"""Columns whose numbers are those of a database: both have a first row."""
_APART: Final = 10**9


class ShardedHome(Home):
    """The relay's conversations are in a file of their own; both are looked at through a copy of their tables."""

    def __init__(self, folder: Path, *, shop: str, relay: str) -> None:
        super().__init__(folder, shop=shop, relay=relay)
        self.stores = (self.store, folder / "relay.db")
        self.environment["THREADBRIDGE_STORAGE__SHARDS"] = orjson.dumps({"relay": "sqlite:///relay.db"}).decode()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(":memory:")) as copy:
            for number, store in enumerate(self.stores):
                with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=5)) as db:
                    for table in _TABLES:
                        _copy(db, copy, table, number * _APART)
            yield copy


def _copy(db: sqlite3.Connection, copy: sqlite3.Connection, table: str, apart: int) -> None:
    cursor = db.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    copy.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(names)})")
    rows = [[_moved(name, value, apart) for name, value in zip(names, row, strict=True)] for row in cursor]
    copy.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", rows)


def _moved(name: str, value: Any, apart: int) -> Any:
    return value + apart if name in _NUMBERS and value is not None else value
