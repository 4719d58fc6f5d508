"""Later turns: wakes up when the next timer is due, and lets the store make an inbox event of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bridge.errors import Broken, StoreError
from bridge.log import kind_of, log
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.clock import Alarm, Clock
    from bridge.store.port import Store

_AT_ONCE: Final = 256
_PAUSE: Final = SECOND
_LONG_PAUSE: Final = 60 * SECOND
_LONGEST: Final = 60 * SECOND
"""The longest sleep: a wall clock that is set meanwhile shows within the minute."""


class Timers:
    """Fires the timers of a store, soon after they are due; late ones at the start."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Nothing fires until `start`."""
        self._store = store
        self._clock = clock
        self._alarm: Alarm | None = None
        self._next: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = True

    def start(self) -> None:
        """Fire what is due already, and go on from there."""
        self._stopped = False
        self._wake()

    def set(self, due_at: int) -> None:
        """A timer was set: wake up in time."""
        if self._stopped or (self._next is not None and self._next <= due_at):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._next = due_at
        self._alarm = self._clock.call_at(min(due_at, self._clock.now() + _LONGEST), self._wake)

    def inherited(self) -> None:
        """See store.Listener: timers that another process waited for may be due."""
        self.set(self._clock.now())

    async def stop(self) -> None:
        """Fire nothing more."""
        self._stopped = True
        if self._alarm is not None:
            self._alarm.cancel()
        if self._task is not None:
            await asyncio.wait({self._task})

    async def settle(self) -> None:
        """Return when what is due now is an inbox event."""
        while self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    def _wake(self) -> None:
        due, self._alarm, self._next = self._next, None, None
        if due is not None and due > self._clock.now():
            self.set(due)  # woken to look at the clock, and it stands as it should: nothing to ask the store
            return
        if not self._stopped and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._fire(), name="timers")

    async def _fire(self) -> None:
        try:
            due = await self._fire_due()
        except Broken:
            return
        except StoreError as error:
            log.warning("timers_late", reason=str(error))
            due = self._clock.now() + _PAUSE
        except Exception as error:  # noqa: BLE001 - one timer that cannot be read must not be the end of all others
            log.error("timers_late", reason=kind_of(error))
            due = self._clock.now() + _LONG_PAUSE
        # A timer set while the store was asked woke no task: its alarm found this task running.
        due = min((time for time in (due, self._next) if time is not None), default=None)
        self._next = None
        if due is not None:
            self.set(due)

    async def _fire_due(self) -> int | None:
        """A part at a time, as long as any is due and nothing stops them; when the next one is due."""
        due: int | None = 0
        while not self._stopped:
            now = self._clock.now()
            due = await self._store.fire_timers(now, _AT_ONCE)
            if due is None or due > now:
                break
        return due
