"""An event loop whose time is virtual: it stands still while there is work, and jumps when it is told to."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from concurrent.futures import Executor

    from bridge.clock import Alarm

START: Final = 1_760_086_800 * SECOND
"""When a world begins: 2025-10-10 09:00 UTC."""
_NOTHING: Final = 0.5 / SECOND
"""Times are whole microseconds; a smaller difference in seconds is one of rounding, and what is due then is due now."""
_ENDINGS: Final = 10
"""How often a task that was cancelled may want to live on."""


class _NoSockets(selectors.BaseSelector):
    """Where the loop would wait for sockets: there are none, so it notes for how long it would have, and stops."""

    def __init__(self) -> None:
        self.idle: Callable[[float | None], None] = lambda _: None
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401 - as the base
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401 - as the base
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout >= _NOTHING:
            self.idle(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return _Keys(self._keys)


class _Keys(Mapping[Any, selectors.SelectorKey]):
    def __init__(self, keys: dict[Any, selectors.SelectorKey]) -> None:
        self._keys = keys

    def __getitem__(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401 - as the base
        return self._keys[fileobj]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs until no callback is ready; its driver says what happens next. `now` is in microseconds since 1970."""

    def __init__(self, now: int = START) -> None:
        """Begin at `now`."""
        self.now = now
        self.next_at: int | None = None
        """When the next timer rings, as of the last `run_ready`; None without a timer."""
        selector = _NoSockets()
        super().__init__(selector)
        self._clock_resolution = 1.2 * _NOTHING  # what asyncio takes for now; no less than what makes the selector stop
        selector.idle = self._stop_at
        self.complaints: list[str] = []
        """Errors that no task caught."""
        self.set_exception_handler(lambda _, told: self.complaints.append(str(told.get("message"))))

    def time(self) -> float:
        """Seconds since the world began: small numbers, which floats hold exactly enough."""
        return (self.now - START) / SECOND

    def run_ready(self) -> None:
        """Run all that is ready, and what becomes ready by that, as a loop inside whatever loop runs already."""
        outer = asyncio._get_running_loop()  # noqa: SLF001 - documented for whoever implements a loop
        task = asyncio.current_task(outer) if outer is not None else None
        if outer is not None and task is not None:
            asyncio.tasks._leave_task(outer, task)  # noqa: SLF001 - the same
        asyncio._set_running_loop(None)  # noqa: SLF001 - the same
        try:
            self.run_forever()
        finally:
            asyncio._set_running_loop(outer)  # noqa: SLF001 - the same
            if outer is not None and task is not None:
                asyncio.tasks._enter_task(outer, task)  # noqa: SLF001 - the same

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
            left = asyncio.all_tasks(self)
            if not left:
                break
            for task in sorted(left, key=asyncio.Task.get_name):
                task.cancel()
            self.run_ready()
        self.close()

    def _stop_at(self, timeout: float | None) -> None:
        self.next_at = None if timeout is None else self.now + max(1, round(timeout * SECOND))
        self.stop()

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
