"""The tasks that work on lanes: one that has nothing to do rests, for a new one would cost five times as much."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

_RESTING: Final = 64
"""Tasks that rest, at most."""


class Crew(Generic[T]):
    """Works on items, each task on one after the other."""

    def __init__(self, name: str, work: Callable[[T], Coroutine[Any, Any, None]], ended: Callable[[], None]) -> None:
        """`work` begins with an item, and may `rest` until there is another; `ended` hears of the end of each task."""
        self._name = name
        self._work = work
        self._ended = ended
        self._tasks: set[asyncio.Task[None]] = set()
        self._resting: list[asyncio.Future[T]] = []
        """Of each task that rests, what wakes it."""
        self._stopped = False
        self._idle = asyncio.Event()

    @property
    def is_busy(self) -> bool:
        """Whether a task works."""
        return len(self._tasks) > len(self._resting)

    def begin(self, item: T) -> None:
        """Work on an item."""
        if self._resting:
            self._resting.pop().set_result(item)
        else:
            self.run(self._work(item))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something else, in a task of its own."""
        task = asyncio.get_running_loop().create_task(work, name=self._name)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def start(self) -> None:
        """Tasks may rest from now on."""
        self._stopped = False

    async def settle(self) -> None:
        """Return when a task has come to rest, or to its end, and none works; it may be that one does again."""
        self._idle.clear()
        await self._idle.wait()

    async def stop(self, seconds: float) -> None:
        """Let what works finish within `seconds`, then cancel it."""
        self._stopped = True
        for rest in self._resting:
            rest.cancel()
        self._resting.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)

    async def rest(self) -> T | None:
        """The next item, once there is one; None: the task is to end."""
        if self._stopped or len(self._resting) >= _RESTING:
            return None
        rest: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._resting.append(rest)
        if len(self._tasks) == len(self._resting):
            self._idle.set()
        return await rest

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._ended()
        if not self.is_busy:
            self._idle.set()
