"""Which rows are being worked on, and which may have been when a process died whose threads are ours now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .claims import Inheritance


class Running:
    """Kept in memory: what a process has begun when it dies is not known, but for suspects, which are noted first."""

    def __init__(self) -> None:
        """Nothing runs."""
        self.rows: dict[str, set[int]] = {"in": set(), "out": set()}
        self.suspects: dict[str, frozenset[int]] = {"in": frozenset(), "out": frozenset()}
        self._deaths: dict[int, int] = {}

    def inherit(self, inheritance: Inheritance) -> None:
        """Suspect what was taken over from a dead process, too."""
        self._deaths |= inheritance.deaths
        self.suspects["in"] |= inheritance.deaths.keys()
        self.suspects["out"] |= inheritance.on_the_wire

    def deaths(self, kind: str, row_id: int) -> int:
        """At how many deaths of a process the row may have been running."""
        return self._deaths.get(row_id, 0) if kind == "in" else int(row_id in self.suspects[kind])

    def mark(self, kind: str, row_id: int, *, running: bool) -> None:
        """Begin or end work on a row."""
        if running:
            self.rows[kind].add(row_id)
            return
        self.rows[kind].discard(row_id)
        if row_id in self.suspects[kind]:
            self.suspects[kind] -= {row_id}
            if kind == "in":
                self._deaths.pop(row_id, None)
