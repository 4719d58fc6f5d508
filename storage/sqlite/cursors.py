"""Small values by account and name: how far polling read, and the secrets of the bridge, each in a table of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..results import Result
from ..rows import SECRETS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.errors import StoreError

    Value = tuple[str, str, str]

_ADVANCE: Final = "INSERT OR REPLACE INTO cursors (account, name, value) VALUES (?, ?, ?)"
_RENEW: Final = "INSERT OR REPLACE INTO secrets (account, name, value) VALUES (?, ?, ?)"
_KEEP: Final = "INSERT INTO secrets (account, name, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_KEPT: Final = f"SELECT {SECRETS} FROM secrets WHERE account = ? AND name = ?"


def advance(db: sqlite3.Connection, values: Sequence[Value]) -> list[Result | StoreError]:
    """How far each (account, name) was read."""
    db.executemany(_ADVANCE, values)
    return [Result() for _ in values]


def keep_secrets(db: sqlite3.Connection, values: Sequence[Value]) -> list[Result | StoreError]:
    """Values under names that are free. Each result's `value` is what is kept there now."""
    db.executemany(_KEEP, values)
    return [Result(value=db.execute(_KEPT, (account, name)).fetchone()[0]) for account, name, _ in values]


def renew_secrets(db: sqlite3.Connection, values: Sequence[Value]) -> list[Result | StoreError]:
    """Values in the place of those before."""
    db.executemany(_RENEW, values)
    return [Result() for _ in values]
