"""Turns that newer events stop: such a turn begins again, and answers the newer events too."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bridge.events import Postback

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.engine.turns.batching import Batch
    from bridge.engine.turns.execution import Stop
    from bridge.engine.turns.marks import Marks
    from bridge.engine.turns.matching import Matcher
    from bridge.routing.handlers import Handler
    from bridge.store.records import InboxRow, ThreadRow

INTERRUPTIONS: Final = 10
"""How often in a row a turn begins again: a contact who never stops gets an answer as well."""


@dataclass(slots=True, eq=False)
class _Live:
    """A turn that newer events may interrupt. Until it runs, `early` holds the events that came meanwhile."""

    thread: ThreadRow
    handler: Handler
    newest: int = 0
    stop: Stop = None
    early: list[InboxRow] = field(default_factory=list)


class Interruptions:
    """Watches the turns that may be interrupted, at most one in each thread."""

    def __init__(self, matcher: Matcher, marks: Marks) -> None:
        """`matcher` tells whether a newer event is for the same handler."""
        self._matcher = matcher
        self._marks = marks
        self._live: dict[int, _Live] = {}
        self._counts: dict[int, int] = {}
        """How often a turn began again, by the head of its batch."""

    def begin(self, thread: ThreadRow, handler: Handler) -> None:
        """Collect what arrives from now on, before the batch of the turn is read."""
        self._live[thread.id] = _Live(thread, handler)

    def watch(self, batch: Batch) -> Stop:
        """What is done as soon as the turn of a batch has to begin again; None: nothing interrupts it."""
        live = self._live.get(batch.head.thread_id) if self._live else None
        if live is None:
            return None
        if batch.closed or self._counts.get(batch.head.id, 0) >= INTERRUPTIONS:
            self.end(batch.head.thread_id)
            return None
        live.newest = batch.newest.seq
        live.stop = asyncio.get_running_loop().create_future()
        self.offer(live.early)
        return live.stop

    def count(self, batch: Batch) -> None:
        """The turn of a batch was stopped."""
        self._counts[batch.head.id] = self._counts.get(batch.head.id, 0) + 1

    def forget(self, batch: Batch) -> None:
        """The turn of a batch came to its end, good or bad."""
        if self._counts:
            self._counts.pop(batch.head.id, None)

    def end(self, thread_id: int) -> None:
        """Nothing interrupts the turn of this thread any more."""
        self._live.pop(thread_id, None)

    def offer(self, rows: Iterable[InboxRow]) -> None:
        """Rows that were just committed, in commit order."""
        if not self._live:
            return
        for row in rows:
            live = self._live.get(row.thread_id)
            if live is None or (live.stop is not None and (live.stop.done() or row.seq <= live.newest)):
                continue
            if live.stop is None:
                live.early.append(row)
            elif not isinstance(row.event, Postback) and self._joins(row, live):
                live.stop.set_result(None)
            else:  # whatever comes now is behind this one, which has a turn of its own
                del self._live[row.thread_id]

    def _joins(self, row: InboxRow, live: _Live) -> bool:
        with self._marks.around(row):
            handler = self._matcher.handler(row.event, live.thread)
        own = live.handler
        return handler is not None and handler.function is own.function and handler.options == own.options
