"""After a crash: suspects run in company, as large as the most suspected of them allows."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, Generic, TypeVar

from bridge.engine.lane import QueuedRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.engine.lane import Lane

R = TypeVar("R", bound=QueuedRow)


class Company(Generic[R]):
    """The lanes whose heads are suspects."""

    def __init__(self) -> None:
        """Nobody is a suspect."""
        self._widths: dict[int, int] = {}
        self._line: list[Lane[R]] = []
        """The least suspected first."""
        self._running: set[Lane[R]] = set()

    def suspect(self, widths: Mapping[int, int]) -> None:
        """By row, of each suspect that did not run yet, how many suspects may run side by side while it does."""
        self._widths |= widths

    def needs(self, lane: Lane[R]) -> bool:
        """Whether a lane has to join before its head begins."""
        return self._width(lane) > 0 and lane not in self._running

    def join(self, lane: Lane[R]) -> None:
        """Get into the line."""
        insort(self._line, lane, key=lambda member: (-self._width(member), member.rows[0].seq))

    def next(self) -> Lane[R] | None:
        """A lane that may begin beside those that run."""
        if not self._line:
            return None
        lane = self._line[0]
        if len(self._running) >= min(map(self._width, (lane, *self._running))):
            return None
        del self._line[0]
        self._running.add(lane)
        return lane

    def leave(self, lane: Lane[R]) -> bool:
        """A lane had its turn, or waits for its time and takes no place meanwhile; whether it was in company."""
        if lane not in self._running:
            return False
        self._running.remove(lane)
        return True

    def clear(self, row_id: int) -> None:
        """A row is no suspect any more: it ran."""
        self._widths.pop(row_id, None)

    def _width(self, lane: Lane[R]) -> int:
        return self._widths.get(lane.rows[0].id, 0) if lane.rows else 0
