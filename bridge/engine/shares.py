"""Bounds that groups share: one that floods or hangs has nearly all of it, and leaves room for every other."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

T = TypeVar("T")

_RESERVE: Final = 4
"""For each so many of the bound, one more for groups that have little."""
_WAITING: Final = 4
"""For each that is ready, so many may wait for their time."""


class Shares:
    """How much of a bound each group uses, and how much more it may.

    One group alone may use all of the bound. Above it is a reserve for the first few of every other group.
    """

    def __init__(self, bound: int, groups: int = 1) -> None:
        """A group without another needs no reserve."""
        self.bound = bound
        self.total = 0
        self._used: defaultdict[str, int] = defaultdict(int)
        self._reserve = bound // _RESERVE if groups > 1 else 0
        self._own = max(1, self._reserve // (groups - 1)) if self._reserve else 0
        """What is a group's first few."""
        self._missing = self._own * groups
        """How many of their first few all groups together do not use."""

    def has_room(self, group: str) -> bool:
        """Whether the group may use one more."""
        if self.total < self.bound:
            return True
        free = self.bound + self._reserve - self.total
        return free > 0 and (self._used[group] < self._own or free > self._missing)

    def has_half(self, group: str) -> bool:
        """Whether half of what the group may use is free."""
        return self.total <= self.bound // 2 or (self.has_room(group) and self._used[group] <= self._own // 2)

    def enter(self, group: str) -> bool:
        """Use one more, if the group may."""
        if self.total >= self.bound and not self.has_room(group):
            return False
        if self._reserve:
            self.take(group)
        else:
            self.total += 1
        return True

    def take(self, group: str) -> None:
        """Use one more, whether there is room or not."""
        self.total += 1
        if self._reserve:
            self._missing -= self._used[group] < self._own
            self._used[group] += 1

    def give(self, group: str) -> None:
        """Use one less."""
        self.total -= 1
        if self._reserve:
            self._used[group] -= 1
            self._missing += self._used[group] < self._own


class Room:
    """How many of each group may be in memory: `ready` ones, and four times as many that wait for their time."""

    def __init__(self, bound: int, groups: int) -> None:
        """Nothing is in memory."""
        self.ready = Shares(bound, groups)
        self.waiting = Shares(_WAITING * bound, groups)

    def enter(self, group: str) -> bool:
        """Have one more that is ready, if the group may."""
        waiting = self.waiting
        return (waiting.total < waiting.bound or waiting.has_room(group)) and self.ready.enter(group)

    def has_half(self, group: str | None) -> bool:
        """Whether half of what the group may have is free; None: of what all may have."""
        return all(
            shares.total <= shares.bound // 2 if group is None else shares.has_half(group)
            for shares in (self.ready, self.waiting)
        )

    def rest(self, group: str) -> None:
        """A ready one begins to wait."""
        self.ready.give(group)
        self.waiting.take(group)

    def rouse(self, group: str) -> None:
        """One that waited is ready."""
        self.waiting.give(group)
        self.ready.take(group)


class RoundRobin(dict[str, deque[T]]):
    """A queue for each group that has any, that of the group whose turn it is first: the groups take turns."""

    __slots__ = ()

    def add(self, group: str, item: T) -> None:
        """Behind all of its group."""
        queue = self.get(group)
        if queue is None:
            self[group] = deque((item,))
        else:
            queue.append(item)

    def take(self, admits: Callable[[str], bool]) -> T | None:
        """The next of the first group that is admitted."""
        for group, queue in self.items():
            if admits(group):
                item = queue.popleft()
                if not queue:
                    del self[group]
                elif len(self) > 1:
                    self[group] = self.pop(group)
                return item
        return None


class Places:
    """A semaphore whose places groups share."""

    def __init__(self, shares: Shares) -> None:
        """All places are free."""
        self._shares = shares
        self._waiting: RoundRobin[tuple[str, asyncio.Future[None]]] = RoundRobin()

    @asynccontextmanager
    async def place(self, group: str) -> AsyncIterator[None]:
        """A place, as soon as the group may have one."""
        taken = asyncio.get_running_loop().create_future()
        self._waiting.add(group, (group, taken))
        self._serve()
        try:
            await taken
            yield
        finally:
            if taken.done() and not taken.cancelled():
                self._shares.give(group)
                self._serve()

    def _serve(self) -> None:
        while (waiter := self._waiting.take(self._shares.has_room)) is not None:
            group, taken = waiter
            if not taken.done():
                self._shares.take(group)
                taken.set_result(None)
