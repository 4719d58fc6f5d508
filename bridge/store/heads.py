"""The runnable head of a thread: its first open row. An attempt is counted in the transaction that makes a row that."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def first_attempts(rows: Iterable[tuple[int, int]], busy: set[int]) -> set[int]:
    """Of new open rows (id, thread id) in their order, those whose first attempt begins now.

    `busy` are the threads with an older open row on that side; those of the new rows join them.
    """
    heads = set()
    for row_id, thread_id in rows:
        if thread_id not in busy:
            busy.add(thread_id)
            heads.add(row_id)
    return heads
