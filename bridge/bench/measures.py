"""The arithmetic of benchmarks: quantiles, spreads, and ratios of what was measured side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def quantile(values: Iterable[float], share: float) -> float:
    """The value below which `share` of all lie, interpolated between neighbours; 0 of none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(frozen=True, slots=True)
class Spread:
    """A median between its quartiles."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The quartiles of `values`."""
        return cls(*(quantile(values, share) for share in (0.25, 0.5, 0.75)))


def ratios(values: Sequence[float], bases: Sequence[float]) -> Spread:
    """The spread of the ratios of pairs: values and bases of the same round stand at the same place."""
    return Spread.of([value / base for value, base in zip(values, bases, strict=True)])
