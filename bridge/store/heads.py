"""The runnable head of a thread: its first open row. An attempt is counted in the transaction that makes a row that."""

from __future__ import annotations


def begins(thread_id: int, busy: set[int]) -> bool:
    """Whether a new open row begins its first attempt: it is the first of its thread.

    `busy` are the threads with an older open row on that side; the thread of the new row joins them.
    """
    if thread_id in busy:
        return False
    busy.add(thread_id)
    return True
