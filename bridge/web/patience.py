"""How long a request waits for its commit: one alarm for all that wait, because one for each is a measurable cost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")

_LOOKS: Final = 10
"""Looks at the waiters in the time they may wait: none waits longer than that by more than a tenth."""


class Patience:
    """Lets everybody wait for `seconds` at the most."""

    def __init__(self, seconds: float) -> None:
        """Begin without a waiter."""
        self._seconds = seconds
        self._waiting: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._alarm: asyncio.TimerHandle | None = None

    async def wait(self, awaited: Awaitable[T]) -> T:
        """What `awaited` comes to. Raises TimeoutError, after cancelling it, when it takes too long."""
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        self._waiting[task] = loop.time() + self._seconds
        if self._alarm is None:
            self._alarm = loop.call_later(self._seconds / _LOOKS, self._look, loop)
        try:
            return await awaited
        except asyncio.CancelledError:
            if task in self._late and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            self._waiting.pop(task, None)
            self._late.discard(task)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel those whose time is over: who waits longest stands first."""
        self._alarm = None
        now = loop.time()
        for task, until in [*self._waiting.items()]:
            if until > now:
                break
            del self._waiting[task]
            self._late.add(task)
            task.cancel()
        if self._waiting:
            self._alarm = loop.call_later(self._seconds / _LOOKS, self._look, loop)
