"""Calls that outlive their turns: nothing can end a thread, so a bound and the event's own wait keep them few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from bridge.engine.shares import Shares
from bridge.engine.turns.execution import NoThread
from bridge.frozen import dataclass
from bridge.log import log
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from types import TracebackType

    from bridge.clock import Clock
    from bridge.store.port import Store
    from bridge.store.records import InboxRow

MOST: Final = 64
"""Turns of one account whose calls may go on after them; a quarter more in all. Beyond that, no call begins."""


@dataclass(slots=True, eq=False)
class _Ticket:
    """Implements Ticket."""

    leftovers: Leftovers
    rows: Sequence[InboxRow]
    seconds: float
    running: int = 0
    left: bool = False
    until: int = 0
    """Until when its events wait for its end."""

    def __enter__(self) -> Self:
        for row in self.rows:
            self.leftovers.store.mark("in", row.id, running=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running and kind is not GeneratorExit:  # then the loop died, and nobody is left to hear of an end
            self.leftovers.leave(self)
        else:
            self.unmark()

    @property
    def group(self) -> str:
        return self.rows[0].ref.account

    def unmark(self) -> None:
        """No author's code runs for its events any more."""
        for row in self.rows:
            self.leftovers.store.mark("in", row.id, running=False)

    def check(self) -> None:
        if not self.leftovers.shares.has_room(self.group):
            raise NoThread("too many handlers did not end when their turns did")

    def begin(self) -> None:
        self.running += 1

    def end(self) -> None:
        self.running -= 1
        if self.left and not self.running:
            self.leftovers.ended(self)


class Leftovers:
    """The turns that ended before what they called, by their events."""

    def __init__(
        self, store: Store, clock: Clock, wake: Callable[[Collection[int]], int], *, accounts: int, attempts: int
    ) -> None:
        """`wake` lets waiting events begin; an event waits as long as its `attempts` could take."""
        self.shares = Shares(MOST, accounts)
        self.store = store
        self._clock = clock
        self._wake = wake
        self._attempts = attempts
        self._by_row: dict[int, _Ticket] = {}
        self._waiting: set[int] = set()

    def turn(self, rows: Sequence[InboxRow], seconds: float) -> _Ticket:
        """The context of all that a turn of at most `seconds` calls; its events are marked meanwhile, see Marks."""
        return _Ticket(self, rows, seconds)

    def wait(self, row_id: int) -> int | None:
        """Until when an event waits for the end of its last run; it is woken by that. None: nothing of it runs."""
        ticket = self._by_row.get(row_id)
        if ticket is None:
            return None
        self._waiting.add(row_id)
        return ticket.until

    def leave(self, ticket: _Ticket) -> None:
        """The turn ends before what it called, which still is author's code: its events stay marked, and it counts."""
        ticket.left, ticket.until = True, self._clock.now() + round(self._attempts * ticket.seconds * SECOND)
        self.shares.take(ticket.group)
        self._by_row |= {row.id: ticket for row in ticket.rows}
        head = ticket.rows[0]
        log.warning("turn_left_behind", thread=head.thread_id, event_key=head.key, count=self.shares.total)

    def ended(self, ticket: _Ticket) -> None:
        """Nothing of a turn runs any more."""
        self.shares.give(ticket.group)
        ticket.unmark()
        for row in ticket.rows:
            del self._by_row[row.id]
        woken = self._waiting.intersection(row.id for row in ticket.rows)
        self._waiting -= woken
        self._wake(woken)
