"""What a turn is given to answer: its events, what interrupts it, and what was said before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.events import Event
    from bridge.routing.handlers import Handler
    from bridge.routing.rules import Match
    from bridge.store.records import InboxRow
import asyncio
from dataclasses import field, replace
from typing import TYPE_CHECKING

from bridge.conversation.transcript import Entry
from bridge.events import Postback, Timer, decode_event
from bridge.messages import decode_message
from bridge.routing.overlap import DEFAULT_OPTIONS, RuleOptions
from bridge.routing.rules import Match
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

    from bridge.engine.turns.execution import Stop
    from bridge.events import Event
    from bridge.routing.handlers import Handler
    from bridge.routing.rulebook import RuleBook
    from bridge.store.port import Store
    from bridge.store.records import HistoryEntry, InboxRow, ThreadRow

    Meaning = Callable[[InboxRow, ThreadRow], Awaitable[Event]]
    Find = Callable[[Event, ThreadRow], object]


@dataclass(slots=True, eq=False)
class _Live:
    """A turn that newer events may interrupt. Until it runs, `early` are the events that came meanwhile."""

    thread: ThreadRow
    handler: Handler
    newest: int = 0
    stop: Stop = None
    early: list[InboxRow] = field(default_factory=list)


class Bursts:
    """What the turns of a store answer. `attempts` is how often a turn is tried."""

    def __init__(self, store: Store, book: RuleBook, attempts: int, *, meaning: Meaning, find: Find) -> None:
        """`meaning` tells what an event is in its thread, `find` the Match that it leads to, if any."""
        self._store = store
        self._book = book
        self._attempts = attempts
        self._meaning = meaning
        self._find = find
        self._live: dict[int, _Live] = {}
        self._interrupted: dict[int, int] = {}
        """By the head of its burst, how often a turn was begun anew."""

    async def gather(self, row: InboxRow, thread: ThreadRow) -> Burst:
        """The burst that begins with a row; its rows hold what their events mean."""
        event = await self._meaning(row, thread)
        alone = Burst(rows=(replace(row, event=event),))
        if self._book.has_default_options():
            return alone
        if isinstance(event, Timer) and event.handler is not None:
            return replace(alone, options=RuleOptions(timeout=self._book.timeout_of(event.handler)))
        handler = self._handler(event, thread)
        if handler is None or handler.options == DEFAULT_OPTIONS:
            return alone
        alone = replace(alone, options=handler.options, handler=handler)
        if not handler.options.overlap.gathers:
            return alone
        if handler.options.overlap.name == "interrupt":
            self._live[thread.id] = _Live(thread, handler)
        # Out of the store also the head: those behind it may have taken part in a turn that failed, and only the
        # store has counted that.
        waiting = await self._store.inbox_after(row.thread_id, row.seq - 1, MOST + 1)
        if not waiting or waiting[0].id != row.id:
            return alone
        meant = [replace(each, event=await self._meaning(each, thread)) for each in waiting]
        return burst_of(meant, handler, self._attempts, lambda each: self._fits(each.event, thread, handler))

    def watch(self, burst: Burst) -> Stop:
        """What is done as soon as the turn of a burst is to be begun anew; None: nothing can make it."""
        live = self._live.get(burst.head.thread_id)
        if live is None:
            return None
        if burst.closed or self._interrupted.get(burst.head.id, 0) >= INTERRUPTIONS:
            self.end(burst.head.thread_id)
            return None
        live.newest = burst.newest.seq
        live.stop = asyncio.get_running_loop().create_future()
        self.offer(live.early)
        return live.stop

    def interrupted(self, burst: Burst) -> None:
        """The turn of a burst was stopped: it is begun anew, but not for ever."""
        self._interrupted[burst.head.id] = self._interrupted.get(burst.head.id, 0) + 1

    def end(self, thread_id: int) -> None:
        """Nothing interrupts the turn of this thread any more."""
        self._live.pop(thread_id, None)

    def forget(self, burst: Burst) -> None:
        """The turn has come to its end, good or bad."""
        self._interrupted.pop(burst.head.id, None)

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
            elif not isinstance(row.event, Postback) and self._fits(row.event, live.thread, live.handler):
                live.stop.set_result(None)
            else:  # whatever comes now is behind this one, which has a turn of its own
                del self._live[row.thread_id]

    def _fits(self, event: Event, thread: ThreadRow, handler: Handler) -> bool:
        found = self._handler(event, thread)
        return found is not None and found.function is handler.function and found.options == handler.options

    def _handler(self, event: Event, thread: ThreadRow) -> Handler | None:
        """Who is to handle an event. What a filter raises is for the turn itself to meet."""
        try:
            found = self._find(event, thread)
        except BaseException:  # noqa: BLE001 - a filter may raise anything
            return None
        return found.handler if isinstance(found, Match) else None


def history_of(store: Store, thread_id: int, own: Collection[int]) -> Callable[[int], Awaitable[Sequence[Entry]]]:
    """Where a turn reads what was said before it: neither its `own` events (by row id), nor those that still wait."""

    def is_past(entry: HistoryEntry) -> bool:
        return entry.direction == "out" or (entry.state != "open" and entry.id not in own)

    async def history(limit: int) -> Sequence[Entry]:
        found = await store.history(thread_id, limit=limit + len(own) + MOST)
        return [
            Entry(direction="in", at=moment(each.at), event=decode_event(each.kind, each.content))
            if each.direction == "in"
            else Entry(direction="out", at=moment(each.at), message=decode_message(each.content))
            for each in list(filter(is_past, found))[-limit:]
        ]

    return history


MOST: Final = 200
"""Events that one turn answers: a bound on the memory a burst takes. What is beyond waits for the next turn."""


INTERRUPTIONS: Final = 10
"""How often in a row a turn is begun anew: a contact who never stops is answered as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """The events that one turn answers, oldest first; at least one.

    `closed` when something else waits behind them in their thread: whatever comes now is behind that.
    """

    rows: tuple[InboxRow, ...]
    options: RuleOptions = DEFAULT_OPTIONS
    handler: Handler | None = None
    closed: bool = False

    @property
    def head(self) -> InboxRow:
        """The oldest: its attempts are those of the turn, and its key is what the replies are known by."""
        return self.rows[0]

    @property
    def newest(self) -> InboxRow:
        """The one that `turn.event` is."""
        return self.rows[-1]

    @property
    def events(self) -> tuple[Event, ...]:
        """Those that the turn answers: under `latest` the newest."""
        rows = (self.newest,) if self._skips else self.rows
        return tuple(row.event for row in rows)

    @property
    def skipped(self) -> tuple[Event, ...]:
        """Those that it passes over: under `latest` all but the newest."""
        return tuple(row.event for row in self.rows[:-1]) if self._skips else ()

    @property
    def _skips(self) -> bool:
        return self.options.overlap.name == "latest"

    @property
    def others(self) -> tuple[InboxRow, ...]:
        """All but the head."""
        return self.rows[1:]

    def led_to(self, match: Match | None) -> bool:
        """Whether the handler that the turn found is the one that its events were gathered for."""
        if not self.others or self.handler is None:
            return True
        return match is not None and match.handler.function is self.handler.function

    def alone(self) -> Burst:
        """The head without the others."""
        return Burst(rows=self.rows[:1], closed=True)

    def due_at(self, now: int) -> int:
        """When the turn may begin (microseconds): later than `now` only while `debounce` waits for quiet.

        Counted from when the events were stored, so that a restart in between changes nothing; something else behind
        them ends the wait, and so does a clock that was set back.
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


def burst_of(waiting: Iterable[InboxRow], handler: Handler, attempts: int, fits: Callable[[InboxRow], bool]) -> Burst:
    """The events that go into a turn with the first of `waiting`, as far as they follow each other without a gap.

    An event on the last of its `attempts`, after others failed, stands alone: so a poisonous one takes nobody along.
    """
    rows: list[InboxRow] = []
    closed = False
    for row in waiting:
        if rows and (len(rows) >= MOST or _stands_alone(row.attempt + 1, attempts) or not fits(row)):
            closed = True
            break
        rows.append(row)
        if len(rows) == 1 and _stands_alone(row.attempt, attempts):
            closed = True
            break
    return Burst(rows=tuple(rows), options=handler.options, handler=handler, closed=closed)


def _stands_alone(attempt: int, attempts: int) -> bool:
    return attempt > 1 and attempt >= attempts
