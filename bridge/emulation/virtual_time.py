"""An event loop whose time is virtual: it stands still while there is work, and jumps when it is told to."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, TypeVarTuple, Unpack
from weakref import ref

from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
    from concurrent.futures import Executor
    from contextvars import Context

    from bridge.clock import Alarm

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START: Final = 1_760_086_800 * SECOND
"""When a world begins: 2025-10-10 09:00 UTC."""
_NOTHING: Final = 0.5 / SECOND
"""Times are whole microseconds; a smaller difference in seconds is one of rounding, and what is due then is due now."""
_LONGEST: Final = 86_400.0
"""Seconds, after which asyncio's own loops wake up at the latest."""
_MANY: Final = 100
"""Timers, of which those that were cancelled are let go once they are the half: as in asyncio's own loops."""
_TASKS: Final = 100
"""Tasks that are noted before those that are done are forgotten."""
_ENDINGS: Final = 10
"""How often a task that was cancelled may want to live on."""


class _Timer(asyncio.TimerHandle):
    """One that knows whether it is among the timers of its loop."""

    __slots__ = ("is_set",)

    is_set: bool


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs until no callback is ready; its driver says what happens next. `now` is in microseconds since 1970.

    It waits for no file and no thread. What is ready runs in the order of asyncio's own loops.
    """

    def __init__(self, now: int = START) -> None:
        """Begin at `now`."""
        super().__init__()
        self.now = now
        self.next_at: int | None = None
        """When the next timer rings, as of the last `run_ready`; None without a timer."""
        self.complaints: list[str] = []
        """Errors that no task caught."""
        self.set_exception_handler(lambda _, told: self.complaints.append(str(told.get("message"))))
        self._ready: deque[asyncio.Handle] = deque()
        self._scheduled: list[_Timer] = []
        self._cancelled = 0
        """How many of the timers were cancelled."""
        self._tasks: list[ref[asyncio.Task[Any]]] = []
        self._most_tasks = _TASKS

    def time(self) -> float:
        """Seconds since the world began: small numbers, which floats hold exactly enough."""
        return (self.now - START) / SECOND

    def is_running(self) -> bool:
        """Whether it is the one that runs now."""
        return asyncio._get_running_loop() is self  # noqa: SLF001 - documented for whoever implements a loop

    def run_ready(self) -> None:
        """Run all that is ready, and what becomes ready by that, as a loop inside whatever loop runs already."""
        outer = asyncio._get_running_loop()  # noqa: SLF001 - the same
        task = asyncio.current_task(outer) if outer is not None else None
        if outer is not None and task is not None:
            asyncio.tasks._leave_task(outer, task)  # noqa: SLF001 - the same
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=None, finalizer=self._finish)
        asyncio._set_running_loop(self)  # noqa: SLF001 - the same
        try:
            self._run_rounds()
        finally:
            asyncio._set_running_loop(outer)  # noqa: SLF001 - the same
            sys.set_asyncgen_hooks(*hooks)
            if outer is not None and task is not None:
                asyncio.tasks._enter_task(outer, task)  # noqa: SLF001 - the same

    def _run_rounds(self) -> None:
        """In each round what was ready when it began, then what is due, as in asyncio's own loops."""
        ready, now = self._ready, self.time()
        while True:
            timers = self._timers()
            while timers and timers[0].when() < now + _NOTHING:
                timer = heappop(timers)
                timer.is_set = False
                ready.append(timer)
            if not ready:
                break
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001 - the same
        left = min(timers[0].when() - now, _LONGEST) if timers else None
        self.next_at = None if left is None else self.now + max(1, round(left * SECOND))

    def _timers(self) -> list[_Timer]:
        """Without those that were cancelled and come first, or without all of them where they are many: as asyncio."""
        timers = self._scheduled
        if len(timers) > _MANY and self._cancelled > len(timers) // 2:
            for timer in timers:
                timer.is_set = not timer.cancelled()
            self._scheduled = [timer for timer in timers if timer.is_set]
            heapify(self._scheduled)
            self._cancelled = 0
        else:
            while timers and timers[0].cancelled():
                heappop(timers).is_set = False
                self._cancelled -= 1
        return self._scheduled

    def _finish(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Let an asynchronous generator that nobody goes on with come to its end."""
        if not self.is_closed():
            self.call_soon(self.create_task, generator.aclose())

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """As the base, which looks first whether it is closed and who calls."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As the base."""
        timer = _Timer(when, callback, args, self, context)
        timer.is_set = True
        heappush(self._scheduled, timer)
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        if isinstance(handle, _Timer) and handle.is_set:
            self._cancelled += 1

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        **options: Any,  # noqa: ANN401 - the base's
    ) -> asyncio.Task[T]:
        """As the base, and noted for `abandon`: asyncio finds the tasks of a loop by looking at those of all loops."""
        task = super().create_task(coro, **options)
        self._tasks.append(ref(task))
        if len(self._tasks) > self._most_tasks:
            self._tasks = [ref(task) for task in self._unfinished()]
            self._most_tasks = max(_TASKS, 2 * len(self._tasks))
        return task

    def _unfinished(self) -> list[asyncio.Task[Any]]:
        return [task for each in self._tasks if (task := each()) is not None and not task.done()]

    def run_in_executor(  # type: ignore[override] # a future is what the base returns, too
        self,
        executor: Executor | None,
        func: Callable[..., Any],
        *args: Any,  # noqa: ANN401 - as the base
    ) -> asyncio.Future[Any]:
        """Call a blocking function in the loop itself: a simulation has no threads, so nothing races."""
        del executor
        future: asyncio.Future[Any] = self.create_future()
        self.call_soon(_call, future, func, args)
        return future

    def begin(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A task that runs in the next `run_ready`."""
        return self.create_task(work, name=name)

    def abandon(self) -> None:
        """The process died: whatever was running is never heard of again."""
        if self.is_closed():
            return
        for _ in range(_ENDINGS):
            left = self._unfinished()
            if not left:
                break
            for task in left:
                task.cancel()
            self.run_ready()
        self.close()

    def __del__(self) -> None:
        if not self.is_closed():
            self.close()


def _call(future: asyncio.Future[Any], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    if future.cancelled():
        return
    try:
        future.set_result(function(*arguments))
    except Exception as error:  # noqa: BLE001 - handed on, whatever it is
        future.set_exception(error)


class VirtualClock:
    """Implements bridge.clock.Clock on a virtual loop."""

    def __init__(self, loop: VirtualLoop, ahead: Callable[[], int] = lambda: 0) -> None:
        """The loop's own time; `ahead` tells by how many microseconds the wall clock differs from it."""
        self._loop = loop
        self._ahead = ahead

    def now(self) -> int:
        """Microseconds since 1970, UTC, as the wall clock has them."""
        return self._loop.now + self._ahead()

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` of virtual time have passed."""
        await asyncio.sleep(seconds)

    def call_at(self, when: int, callback: Callable[[], object]) -> Alarm:
        """Call back at `when`, or at once if that is past; never before this returns."""
        return self._loop.call_later(max(0, when - self.now()) / SECOND, callback)


class Inline:
    """Implements the engine's Executor in the loop itself: nothing may race, and time stands still meanwhile."""

    def start(self, call: Callable[[], None], name: str) -> None:
        """Run one call."""
        del name
        self.put(call)

    def worker(self, name: str) -> Self:
        """All calls run in the loop."""
        del name
        return self

    def put(self, call: Callable[[], None]) -> None:
        """Run a call after those before it."""
        asyncio.get_running_loop().call_soon(call)

    def end(self) -> None:
        """Nothing to end."""
