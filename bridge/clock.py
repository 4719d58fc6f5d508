"""Time, passed in: nothing else in the engine asks the machine what time it is."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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


def moment(micros: int) -> datetime:
    """Stored microseconds as an aware datetime."""
    return _EPOCH + timedelta(microseconds=micros)


def micros(when: datetime) -> int:
    """An aware datetime as the microseconds that are stored."""
    return round(when.timestamp() * SECOND)
