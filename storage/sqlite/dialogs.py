"""Dialogs: the end that a person puts to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.frozen import changed

from .. import records
from ..results import Result
from . import lookups, timers

if TYPE_CHECKING:
    import sqlite3

    from .cache import Cache

_END_DIALOG: Final = """
UPDATE threads SET dialog = NULL, choices = ?, version = version + 1, updated_at = ? WHERE id = ?
"""


def end(db: sqlite3.Connection, cache: Cache, thread_id: int, timer: str, at: int) -> Result:
    """End the dialog that waits in a thread; the result's `value` is whether one did."""
    row = db.execute(lookups.ONE_THREAD, (thread_id,)).fetchone()
    if row is None or (thread := records.thread_row(row)).dialog is None:
        return Result(value=False)
    db.execute(_END_DIALOG, (records.pack_choices(()), at, thread_id))
    timers.cancel(db, thread_id, thread.ref.account, timer, at)
    cache.stage([changed(thread, dialog=None, choices=(), version=thread.version + 1)])
    return Result(value=True, threads={thread_id})
