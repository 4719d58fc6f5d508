"""How long is waited: one alarm for all that wait equally long, because one for each is a measurable cost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from bridge.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

T = TypeVar("T")


class Patience:
    """Rings for each that waits longer than `seconds`."""

    def __init__(self, seconds: float) -> None:
        """Begin without a waiter."""
        self._seconds = seconds
        self._waiting: dict[Callable[[], object], float] = {}
        """Until when each waits: who waits longest stands first."""
        self._alarm: asyncio.TimerHandle | None = None

    def begin(self, ring: Callable[[], object]) -> None:
        """Call `ring` after the time, unless its waiting ends before."""
        loop = asyncio.get_running_loop()
        self._waiting[ring] = until = loop.time() + self._seconds
        if self._alarm is None:
            self._alarm = loop.call_at(until, self._look, loop, until)

    def end(self, ring: Callable[[], object]) -> None:
        """The waiting is over. Without a waiter there is no alarm: a simulated clock would jump to it."""
        self._waiting.pop(ring, None)
        if not self._waiting and self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def wait(self, awaited: Awaitable[T]) -> T:
        """What `awaited` comes to. Raises TimeoutError, after cancelling it, when it takes too long."""
        with Limit(self):
            return await awaited

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        """Ring for those whose time is over. A loop calls a little early, by less than its clock tells apart."""
        self._alarm = None
        now = max(loop.time(), due)
        for ring, until in [*self._waiting.items()]:
            if until > now:
                self._alarm = loop.call_at(until, self._look, loop, until)
                break
            del self._waiting[ring]
            ring()


class Patiences:
    """One for each length of time that is asked for."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._by_length: dict[float, Patience] = {}

    def of(self, seconds: float) -> Patience:
        """That of so many seconds."""
        patience = self._by_length.get(seconds)
        if patience is None:
            patience = self._by_length[seconds] = Patience(seconds)
        return patience


@dataclass(slots=True, eq=False)
class Limit:
    """Raises TimeoutError, after cancelling what is awaited in it, when that takes too long for a patience.

    As asyncio.timeout, without a timer of its own.
    """

    patience: Patience
    late: bool = False
    task: asyncio.Task[Any] | None = None
    cancelling: int = 0

    def __call__(self) -> None:
        """The time is over."""
        self.late = True
        if self.task is not None:
            self.task.cancel()

    def __enter__(self) -> None:
        """Wait no longer than the patience from now on."""
        self.task = asyncio.current_task()
        assert self.task is not None
        self.cancelling = self.task.cancelling()
        self.patience.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell a cancellation by the patience from one by others."""
        self.patience.end(self)
        if not self.late or self.task is None:
            return
        if self.task.uncancel() <= self.cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error
