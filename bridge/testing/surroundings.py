"""How things stand around a bridge, whichever life of it meets them: its gateways, its connections, its wall clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.testing.life import Life, Point

LASTING: Final = ("slow_shutdown", "clock_set", "gateway_away", "pool_exhausted")
"""The faults that are found here."""
AWAY: Final = 300 * SECOND
"""How long a gateway stays away."""
FULL: Final = (9, 25)
"""Seconds for which an account has no connection: less than a request waits for one, and more than two of them do."""
LEAP: Final = 5400 * SECOND
"""By how much a wall clock is set wrong: longer than a story may take to come to its end."""
LATE: Final = (4.0, 60.0)
"""Seconds after which requests are answered that a stop finds under way: within the drain, and after it."""


@dataclass(slots=True, eq=False)
class Surroundings:
    """What is out of order for a while, beside the faults of one moment."""

    down: set[str] = field(default_factory=set)
    """Accounts whose provider cannot be reached until somebody says otherwise."""
    ahead: int = 0
    """By how many microseconds the wall clock is wrong."""
    _away: dict[str, int] = field(default_factory=dict)
    _full: dict[str, int] = field(default_factory=dict)

    def let(self, point: Point, now: int) -> None:
        """Let something go on as far as it can."""
        if point.kind != "request":
            point.go()
        elif point.account in self.down or self._away.get(point.account, 0) > now:
            point.go("down")
        else:
            wait = self._full.get(point.account, 0) - now
            point.go("full" if wait > 0 else "", max(0, wait) / SECOND)

    def at_request(self, point: Point, now: int) -> list[tuple[str, str, Callable[[], None]]]:
        """What may befall the account of a request: the fault, in words, and what to do."""

        def leave() -> None:
            self._away[point.account] = now + AWAY
            self.let(point, now)

        def fill(seconds: int) -> None:
            self._full[point.account] = now + seconds * SECOND
            self.let(point, now)

        return [
            ("gateway_away", "the gateway goes away", leave),
            *[("pool_exhausted", what, partial(fill, seconds)) for what, seconds in _POOLS],
        ]

    def at_any_time(self, life: Life) -> list[tuple[str, str, Callable[[], None]]]:
        """What may befall a bridge that serves, in the same form."""
        settings = _RIGHT if self.ahead else _WRONG
        return [
            *[("slow_shutdown", what, partial(_stop, life, late)) for what, late in _STOPS],
            *[("clock_set", what, partial(self._set, ahead)) for what, ahead in settings],
        ]

    def _set(self, ahead: int) -> None:
        self.ahead = ahead


def _stop(life: Life, late: float) -> None:
    for point in life.points:
        if point.kind == "answer":
            point.go("late", late)
    life.stop()


_POOLS: Final = [(f"all connections are taken for {seconds} s", seconds) for seconds in FULL]
_STOPS: Final = [(f"stop, with answers {late:g} s late", late) for late in LATE]
_RIGHT: Final = [("the clock is set right", 0)]
_WRONG: Final = [("the clock is set 90 min ahead", LEAP), ("the clock is set 90 min back", -LEAP)]
