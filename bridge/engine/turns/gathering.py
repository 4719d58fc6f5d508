"""From a thread's open events to the batch that its next turn answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.engine.turns.batching import PAGES, Batch, grown, single
from bridge.engine.turns.judging import is_plain
from bridge.frozen import changed
from bridge.store.media import is_medium
from bridge.store.records import READ_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from bridge.engine.turns.interruption import Interruptions
    from bridge.engine.turns.judging import Judge
    from bridge.engine.turns.marks import Marks
    from bridge.engine.turns.matching import Matcher
    from bridge.engine.turns.media import MediaReading
    from bridge.engine.turns.probation import Probation
    from bridge.routing.handlers import Handler
    from bridge.routing.rulebook import RuleBook
    from bridge.store.port import Store
    from bridge.store.records import InboxRow, ThreadRow


class Gathering:
    """Reads batches out of a store."""

    def __init__(
        self,
        store: Store,
        book: RuleBook,
        judge: Judge,
        matcher: Matcher,
        marks: Marks,
        interruptions: Interruptions,
        probation: Probation,
        media: MediaReading,
        *,
        attempts: int,
    ) -> None:
        """`attempts` is how often an event may run."""
        self._store = store
        self._book = book
        self._judge = judge
        self._matcher = matcher
        self._marks = marks
        self._interruptions = interruptions
        self._probation = probation
        self._media = media
        self._attempts = attempts

    def at_once(self, row: InboxRow, thread: ThreadRow) -> Batch | None:
        """The batch of an event that has a turn of its own, now and in the configured time; None: that is to be seen.

        No rule is asked, so no author's code runs.
        """
        if is_plain(row.event, thread) and self._asks_no_rule(row):
            return Batch(rows=(row,))
        return None

    def _asks_no_rule(self, row: InboxRow) -> bool:
        """Whether every rule takes an event like this alone, at once and in the configured time."""
        return self._book.has_default_options(to_media=is_medium(row.event))

    async def due_at(self, batch: Batch, now: int) -> int:
        """When the turn of a batch may begin: later than `now` while it waits for quiet, or for its media."""
        due_at = batch.due_at(now)
        return await self._media.due_at(batch.rows, now) if batch.options.media and due_at <= now else due_at

    async def batch(self, row: InboxRow, meant: InboxRow, thread: ThreadRow) -> Batch:
        """The events that one turn answers; their rows hold what they mean."""
        if self._asks_no_rule(row):  # no rule is asked, so no author's code runs
            return Batch(rows=(meant,))
        with self._marks.around(row):
            batch = single(meant, thread, self._book, self._matcher)
        if batch.handler is None or not batch.options.overlap.gathers:
            return batch
        if batch.is_interruptible:
            self._interruptions.begin(thread, batch.handler)
        return await self._gathered(row, batch, thread)

    async def _gathered(self, row: InboxRow, batch: Batch, thread: ThreadRow) -> Batch:
        """The batch with the events behind its head, read page by page: mostly the first ones tell where it ends.

        Out of the store also the head: those behind it may have taken part in a turn that failed, and only the store
        has counted that.
        """
        candidates: list[InboxRow] = []
        handlers: dict[int, Handler | None] = {}

        def match(candidate: InboxRow) -> Handler | None:
            if candidate.id not in handlers:
                with self._marks.around(candidate):
                    handlers[candidate.id] = self._matcher.handler(candidate.event, thread)
            return handlers[candidate.id]

        after = row.seq - 1
        for page in PAGES:
            waiting = await self._store.inbox_after(row.thread_id, after, page)
            if not candidates and (not waiting or waiting[0].id != row.id):
                break
            known = [meant async for meant in self._known(waiting, thread)]
            candidates += known
            if not candidates:
                return changed(batch, closed=True)
            with self._marks.around(row):
                alone = self._probation.on_last_try(candidates)
                batch = grown(batch, candidates, self._attempts, match, alone=alone)
            if len(known) < len(waiting):  # what is not known yet stands behind the batch, and no turn waits for it
                return changed(batch, closed=True)
            if batch.closed or (len(waiting) < page and sum(waits.size for waits in waiting) < READ_BYTES):
                break
            after = waiting[-1].seq
        return batch

    async def _known(self, rows: Iterable[InboxRow], thread: ThreadRow) -> AsyncIterator[InboxRow]:
        """What rows mean, up to the first of which that is not known yet."""
        for row in rows:
            meant = await self._judge.meant(row, thread)
            if meant is None:
                return
            yield meant
