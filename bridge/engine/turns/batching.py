"""Which events go into one turn: a value, made of the events that wait and of the handlers they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.events import Timer
from bridge.frozen import changed, dataclass
from bridge.routing.overlap import DEFAULT_OPTIONS, RuleOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from bridge.conversation.draft import Happened
    from bridge.engine.turns.matching import Matcher
    from bridge.routing.handlers import Handler
    from bridge.routing.rulebook import RuleBook
    from bridge.store.records import InboxRow, ThreadRow

MOST: Final = 200
"""Events that one turn answers: a bound on the memory a batch takes. The events beyond wait for the next turn."""

PAGES: Final = (4, 28, MOST - 31)
"""How many events are read at a time; in all, one more than a turn answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The events that one turn answers, oldest first; at least one.

    A batch is `closed` when another event waits behind it in the thread: no later event can join it.
    """

    rows: tuple[InboxRow, ...]
    options: RuleOptions = DEFAULT_OPTIONS
    handler: Handler | None = None
    closed: bool = False

    @property
    def head(self) -> InboxRow:
        """The oldest: its attempts are those of the turn, and its key names the replies."""
        return self.rows[0]

    @property
    def newest(self) -> InboxRow:
        """The one that `turn.event` is."""
        return self.rows[-1]

    def happened(self) -> Happened:
        """The newest event, the older ones that the turn answers too, and those that it passes over under `latest`."""
        if len(self.rows) == 1:
            return self.rows[0].event, (), ()
        *older, newest = (row.event for row in self.rows)
        skips = self.options.overlap.name == "latest"
        return newest, () if skips else tuple(older), tuple(older) if skips else ()

    @property
    def others(self) -> tuple[InboxRow, ...]:
        """All but the head."""
        return self.rows[1:]

    @property
    def is_interruptible(self) -> bool:
        """Whether newer events may stop the turn."""
        return self.options.overlap.name == "interrupt"

    def led_to(self, handler: Handler | None) -> bool:
        """Whether the turn found the handler that its events were gathered for."""
        if len(self.rows) == 1 or self.handler is None:
            return True
        return handler is not None and handler.function is self.handler.function

    def alone(self) -> Batch:
        """The head without the others."""
        return Batch(rows=self.rows[:1], closed=True)

    def due_at(self, now: int) -> int:
        """When the turn may begin (microseconds): later than `now` only while `debounce` waits for quiet.

        The wait counts from when the events were stored, so a restart changes nothing. Another event behind them ends
        it, and so does a clock that was set back.
        """
        if not self.options.overlap.quiet or self.closed or self.newest.received_at > now:
            return now
        return max(
            now,
            min(
                self.newest.received_at + self.options.overlap.quiet,
                self.head.received_at + self.options.overlap.at_most,
            ),
        )


def single(row: InboxRow, thread: ThreadRow, book: RuleBook, matcher: Matcher) -> Batch:
    """The batch of one event, with the options of its handler."""
    batch = Batch(rows=(row,))
    if isinstance(row.event, Timer) and row.event.handler is not None:
        return changed(batch, options=RuleOptions(timeout=book.timeout_of(row.event.handler)))
    handler = matcher.handler(row.event, thread)
    if handler is None or handler.options == DEFAULT_OPTIONS:
        return batch
    return changed(batch, options=handler.options, handler=handler)


def grown(
    batch: Batch,
    waiting: Iterable[InboxRow],
    attempts: int,
    match: Callable[[InboxRow], Handler | None],
    *,
    alone: Collection[int] = (),
) -> Batch:
    """A batch with the events that follow its head without a gap and lead to the same handler.

    `waiting` begins with the head itself. An event on the last of its `attempts`, after others failed, stands alone:
    so a poisonous one fails alone; so does one of `alone`. `match` finds the handler of one that follows.
    """
    rows: list[InboxRow] = []
    closed = False
    for row in waiting:
        lonely = row.id in alone or _stands_alone(row.attempt + bool(rows), attempts)
        if rows and (len(rows) >= MOST or lonely or not _fits(match(row), batch)):
            closed = True
            break
        rows.append(row)
        if lonely:
            closed = True
            break
    return changed(batch, rows=tuple(rows), closed=closed)


def _fits(handler: Handler | None, batch: Batch) -> bool:
    return (
        handler is not None
        and batch.handler is not None
        and handler.function is batch.handler.function
        and handler.options == batch.options
    )


def _stands_alone(attempt: int, attempts: int) -> bool:
    return attempt > 1 and attempt >= attempts
