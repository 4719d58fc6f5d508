"""A store in an SQLite file, looked at from within and from without."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from storage.sqlite.connection import execute
from storage.sqlite.store import SqliteStore

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from bridge.testing.contract.store.desk import Desk


def sqlite_of(desk: Desk) -> SqliteStore:
    assert isinstance(desk.store, SqliteStore)
    return desk.store


async def on_writer(desk: Desk, function: Callable[[sqlite3.Connection], Any]) -> Any:
    return await execute(sqlite_of(desk)._writing, function)


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
