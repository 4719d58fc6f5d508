"""The audit: who asked for which change. Rows are added, and never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..results import Result
from ..views import AUDIT_VALUES, audit_values

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.errors import StoreError
    from bridge.store.looks import AuditEntry

_NOTE: Final = f"INSERT INTO audit ({AUDIT_VALUES}) VALUES (?, ?, ?, ?, ?)"


def note(db: sqlite3.Connection, entries: Sequence[AuditEntry]) -> list[Result | StoreError]:
    """Add entries."""
    db.executemany(_NOTE, map(audit_values, entries))
    return [Result() for _ in entries]
