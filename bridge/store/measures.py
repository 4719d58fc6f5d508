"""Plain numbers about work that is done: they are counted where it is done, and read when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds of durations, from a commit to the longest turn."""
UNITS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Bounds of what goes into one transaction."""


class Histogram:
    """How many values were at most each of the bounds, and their sum; the last count is of those beyond."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        """Nothing is counted yet."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def absorb(self, values: Histogram) -> None:
        """The values of another histogram of the same bounds, too."""
        self.counts = [one + another for one, another in zip(self.counts, values.counts, strict=True)]
        self.total += values.total


class Commits:
    """The transactions of a store: how long each took, how many units of work each held, and what waits for the next.

    `failed` counts those that came to nothing.
    """

    __slots__ = ("failed", "seconds", "units", "waiting")

    def __init__(self) -> None:
        """Nothing is committed yet."""
        self.seconds = Histogram()
        self.units = Histogram(UNITS)
        self.failed = 0
        self.waiting = 0


@runtime_checkable
class Measured(Protocol):
    """A store that counts its transactions; a store may leave that out."""

    @property
    def commits(self) -> Commits:
        """What was counted, as it stands."""
        ...
