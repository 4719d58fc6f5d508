"""Ends of turns that the store could not take: only the writing is tried again, and no code of the author runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from bridge.errors import StatementFailed, ThreadMoved, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.store.records import InboxRow

End: TypeAlias = "Callable[[], Awaitable[InboxRow | None]]"
"""Writes the end of a turn: None, or the event as it is to be tried again."""


class Unwritten:
    """By event, the end of its turn that waits for the store."""

    def __init__(self) -> None:
        """No end waits."""
        self._ends: dict[int, End] = {}

    def take(self, row_id: int) -> End | None:
        """The end that waits for an event; None: the event has its turn yet to come."""
        return self._ends.pop(row_id, None)

    async def write(self, row_id: int, end: End) -> InboxRow | None:
        """Write an end. Where the store is unavailable the end waits, and the error is raised."""
        try:
            return await end()
        except Unavailable:
            self.keep(row_id, end)
            raise

    def keep(self, row_id: int, end: End) -> None:
        """An end could not be written: the store is unavailable."""
        self._ends[row_id] = end

    async def again(self, row: InboxRow, end: End) -> InboxRow | None:
        """Write an end once more. Where it does not fit any more, the event has its turn anew."""
        try:
            return await self.write(row.id, end)
        except (ThreadMoved, StatementFailed):
            return row
