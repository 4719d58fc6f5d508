"""Time, passed in: nothing else in the engine asks the machine what time it is."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from bridge.units import SECOND, micros, moment

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["SECOND", "Alarm", "Clock", "SystemClock", "micros", "moment"]


class Clock(Protocol):
    """Wall time in whole microseconds since 1970, and a way to let some of it pass."""

    def now(self) -> int:
        """Microseconds since 1970, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""
        ...

    def call_at(self, when: int, callback: Callable[[], object]) -> Alarm:
        """Call back at `when`, or at once if that is past; never before this returns."""
        ...


class Alarm(Protocol):
    """A callback that is due some time."""

    def cancel(self) -> None:
        """Never mind."""
        ...


class SystemClock:
    """The machine's own."""

    def now(self) -> int:
        """Microseconds since 1970, UTC."""
        return time.time_ns() // 1_000

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""
        await asyncio.sleep(seconds)

    def call_at(self, when: int, callback: Callable[[], object]) -> Alarm:
        """Call back at `when`, or at once if that is past; never before this returns."""
        return asyncio.get_running_loop().call_later(max(0, when - self.now()) / SECOND, callback)
