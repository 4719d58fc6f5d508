"""Time, passed in: the engine reads no other clock."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from bridge.units import SECOND, micros, moment

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["SECOND", "Alarm", "Clock", "SystemClock", "micros", "moment"]


class Clock(Protocol):
    """Wall time in whole microseconds since 1970, sleep, and alarms."""

    def now(self) -> int:
        """Microseconds since 1970, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""
        ...

    def call_at(self, when: int, callback: Callable[[], object]) -> Alarm:
        """Call back at `when`, or at once if that is past; never before this call returns."""
        ...


class Alarm(Protocol):
    """A callback that is due at a time."""

    def cancel(self) -> None:
        """Do not call back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Microseconds since 1970, UTC."""
        return time.time_ns() // 1_000

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""
        await asyncio.sleep(seconds)

    def call_at(self, when: int, callback: Callable[[], object]) -> Alarm:
        """Call back at `when`, or at once if that is past; never before this call returns."""
        return asyncio.get_running_loop().call_later(max(0, when - self.now()) / SECOND, callback)
