"""Dialogs: the end that a person puts to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.frozen import changed

from .. import records
from ..results import Result
from . import lookups, timers

if TYPE_CHECKING:
    from .transaction import Transaction

_END_DIALOG: Final = """
UPDATE threads SET dialog = NULL, choices = $1, version = version + 1, updated_at = $2 WHERE id = $3
"""


async def end(tx: Transaction, thread_id: int, timer: str, at: int) -> Result:
    """End the dialog that waits in a thread; the result's `value` is whether one did."""
    rows = await tx.fetch(lookups.ONE_THREAD, thread_id)
    if not rows or (thread := records.thread_row(rows[0])).dialog is None:
        return Result(value=False)
    await tx.execute(_END_DIALOG, records.pack_choices(()), at, thread_id)
    await timers.cancel(tx, thread_id, thread.ref.account, timer, at)
    tx.remember(changed(thread, dialog=None, choices=(), version=thread.version + 1))
    return Result(value=True, threads={thread_id})
