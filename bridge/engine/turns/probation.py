"""After a crash: which events may have caused it, and how many of them run side by side until that is known.

An event that was running at a death is a suspect, and so are many that did no harm. The more deaths a suspect ran at,
the fewer run beside it; in the end it runs with no other suspect. A death then is its own, and counts as a try.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.engine.turns.failure import DIED
from bridge.log import log

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from bridge.engine.turns.failure import Failures
    from bridge.store.port import Store
    from bridge.store.records import InboxRow

_MANY: Final = 32
"""Suspects side by side after one death: a kill from outside makes suspects of all that ran, and harms none."""
_FEW: Final = 4
"""After two: one of them is likely poisonous."""
_ENOUGH: Final = 3
"""Tries from which on there is room for both steps."""


class Probation:
    """The suspects among the events of a store."""

    def __init__(self, store: Store, failures: Failures, attempts: int) -> None:
        """`attempts` is how often an event may run."""
        self._store = store
        self._failures = failures
        self._attempts = attempts
        self.suspects: frozenset[int] = frozenset()
        """The events that did not begin yet."""

    def start(self) -> dict[int, int]:
        """The suspects, each with how many of them may run side by side while it does; those that are new."""
        new = self._store.suspects("in") - self.suspects
        self.suspects |= new
        return {row_id: self._width(self._store.deaths("in", row_id)) for row_id in new}

    async def admitted(self, row: InboxRow) -> InboxRow | None:
        """A suspect as it may begin; None: it is given up. A death counts as a try if the event ran alone."""
        self.suspects -= {row.id}
        deaths = self._store.deaths("in", row.id)
        log.warning(
            "turn_suspected", thread=row.thread_id, event_key=row.key, attempt=row.attempt, count=deaths, reason=DIED
        )
        admitted: InboxRow | None = row
        if deaths > 1 and self._width(deaths - 1) == 1:
            admitted = await self._failures.survived(row, deaths)
        if admitted is not None:
            await self._store.try_suspect(row.id)
        return admitted

    def on_last_try(self, rows: Iterable[InboxRow]) -> Collection[int]:
        """Those that no other event may share a turn with: it would die with them."""
        last = max(self._attempts, _ENOUGH) - 1
        return {row.id for row in rows if self._store.deaths("in", row.id) >= last}

    def _width(self, deaths: int) -> int:
        if deaths <= 1:
            return _MANY
        return _FEW if deaths == 2 and self._attempts > _ENOUGH else 1  # noqa: PLR2004 - as it says
