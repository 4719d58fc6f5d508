"""A broadcast under way: which of its messages may be on the wire, and what has become of each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bridge.engine.turns.parts import FEW, part_keys, parts_of
from bridge.engine.turns.sending import event_key
from bridge.store.broadcasts import RecipientState, standing_of
from bridge.store.lifecycle import InboxState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.store.broadcasts import Broadcast, Recipient, Standing
    from bridge.store.port import Store

_PAGE: Final = 1000
_AHEAD: Final = 200
"""Recipients that are read at once."""
EVENTS: Final = 2
"""Changes of a thread after which its message is mostly sent: its turn, and the end of its delivery."""


def key_of(broadcast_id: str, number: int) -> str:
    """The key under which a recipient's message is sent once."""
    return f"broadcast:{broadcast_id}:{number}"


@dataclass(slots=True)
class Flight:
    """A released message. It is looked at again at `look_at`, or when its thread has changed.

    `retries`: a try of it failed, and the next one is not on the wire.
    """

    number: int
    key: str
    thread_id: int | None = None
    look_at: int = 0
    changes: int = 0
    retries: bool = False
    released_at: int = 0


@dataclass(slots=True)
class Course:
    """The released messages of a broadcast, by their numbers; `after` is the last number that was released."""

    id: str
    account: str
    flights: dict[int, Flight] = field(default_factory=dict)
    after: int = 0
    counted_at: int = 0
    """When its bounds were looked at last."""
    released_at: int = 0
    """When messages were released last."""
    rests_until: int = 0
    """When the next may be: others have the machine meanwhile."""
    ended: int = 0
    """Messages that came to their end since then."""
    patience: int = 0
    """After how many of these its bounds are looked at again: the look costs more, the more recipients there are."""
    waiting: deque[Recipient] = field(default_factory=deque)
    """The next recipients, as they were read."""

    @classmethod
    async def read(cls, store: Store, broadcast: Broadcast) -> Course:
        """A broadcast as a process finds it."""
        course, after = cls(broadcast.id, broadcast.account), 0
        while rows := await store.recipients(broadcast.id, state=RecipientState.RELEASED, after=after, limit=_PAGE):
            for row in rows:
                course.release(row.number, look_at=row.look_at)
            after = rows[-1].number
        return course

    def release(self, number: int, thread_id: int | None = None, *, look_at: int = 0, at: int = 0) -> None:
        """A message is an event of its thread, since `at` (0: nobody knows)."""
        key = event_key(key_of(self.id, number))
        self.flights[number] = Flight(number, key, thread_id, look_at, released_at=at)

    async def next(self, store: Store, number: int) -> list[Recipient]:
        """The next recipients, at most so many."""
        if len(self.waiting) < number:
            after = self.waiting[-1].number if self.waiting else self.after
            self.waiting += await store.recipients(self.id, state=RecipientState.WAITING, after=after, limit=_AHEAD)
        return [self.waiting.popleft() for _ in range(min(number, len(self.waiting)))]

    def on_the_wire(self, now: int) -> int:
        """How many messages are on their way now, and do not wait for a later time or try."""
        return sum(flight.look_at <= now and not flight.retries for flight in self.flights.values())

    def retries(self) -> int:
        """How many messages wait for another try."""
        return sum(flight.retries for flight in self.flights.values())

    def due(self, now: int, *, every: bool) -> list[Flight]:
        """Those to be looked at: `every` one whose time has come, or those that are mostly sent."""
        return [
            flight for flight in self.flights.values() if flight.look_at <= now and (every or flight.changes >= EVENTS)
        ]

    async def standings(self, store: Store, flights: Iterable[Flight]) -> list[tuple[Flight, Standing]]:
        """Where messages stand."""
        looked_at = [*flights]
        keys = {flight.number: part_keys(self.account, flight.key, FEW) for flight in looked_at}
        found = {part.key: part for part in await store.messages([*keys.values()])}
        standings = []
        for flight in looked_at:
            parts = [found[key] for key in keys[flight.number] if key in found]
            if len(parts) == FEW:
                parts = await parts_of(store, self.account, flight.key)
            event = None if parts else await store.event(self.account, flight.key)
            if event is not None and event.state == InboxState.DONE:  # its turn may have come between the two looks
                parts = await parts_of(store, self.account, flight.key)
            for timer_id in () if event is None else event.timers:
                parts += await parts_of(store, self.account, f"timer:{timer_id}")
            standings.append((flight, standing_of(event, parts)))
        return standings
