"""A clock that is moved by hand, for tests: nobody waits for a second to pass."""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final

from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

START: Final = 1_760_086_800 * SECOND


class _Alarm:
    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None

    def ring(self) -> None:
        callback, self.callback = self.callback, None
        if callback is not None:
            callback()


class ManualClock:
    """Implements bridge.clock.Clock; time passes in `advance` and at no other time."""

    def __init__(self, start: int = START) -> None:
        self._now = start
        self._set_by = 0
        self._alarms: list[tuple[int, int, _Alarm]] = []
        self._order = count()

    def now(self) -> int:
        return self._now + self._set_by

    def set_by(self, seconds: float) -> None:
        """Somebody sets the clock; what was to call back does so when as much time has passed as before."""
        self._set_by += round(seconds * SECOND)

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        alarm = self.call_at(
            self.now() + round(seconds * SECOND), lambda: None if woken.done() else woken.set_result(None)
        )
        try:
            await woken
        finally:
            alarm.cancel()

    def call_at(self, when: int, callback: Callable[[], object]) -> _Alarm:
        alarm = _Alarm(callback)
        when -= self._set_by
        if when <= self._now:
            asyncio.get_running_loop().call_soon(alarm.ring)
        else:
            heappush(self._alarms, (when, next(self._order), alarm))
        return alarm

    def advance(self, seconds: float) -> None:
        """Let time pass; what is due on the way is called back at its own time, in order."""
        until = self._now + round(seconds * SECOND)
        while self._alarms and self._alarms[0][0] <= until:
            when, _, alarm = heappop(self._alarms)
            self._now = max(self._now, when)
            alarm.ring()
        self._now = until

    def next_in(self) -> float | None:
        """Seconds until the next alarm, or None when nobody waits."""
        while self._alarms and self._alarms[0][2].callback is None:
            heappop(self._alarms)
        return (self._alarms[0][0] - self._now) / SECOND if self._alarms else None
