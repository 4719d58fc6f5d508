"""Which of the processes that share a database are dead, as one of them sees it by its own clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

BEAT: Final = 1.0
"""Seconds between two looks at the others, and between two signs of life of a process that writes nothing."""
LEASE: Final = 10.0
"""Seconds of silence after which a process is dead, whatever it does."""
GRACE: Final = 3.0
"""Seconds of silence after which a process is dead that has no connection any more.

It may be making a new one, and have missed one look because the server was away for a moment.
"""
ELDERS: Final = 32
"""Processes that look at all others; the others look at these. With a thousand processes no other number reads less."""
TAKERS: Final = 32
"""Processes that come for what is left behind when they hear of it, about; there may be less."""
SPREAD: Final = 0.5
"""Seconds within which they come, one after the other. Whoever would come later leaves it to them."""
_GAP: Final = 3 * BEAT
"""Seconds without a look after which all that was seen before counts no more: we were away ourselves, or the server."""


class Watch:
    """How long each process has been silent. Each counts its transactions where all can see it."""

    def __init__(self) -> None:
        """Nobody is seen yet."""
        self._seen: dict[int, tuple[int, float]] = {}
        self._looked_at = 0.0

    def look(self, counts: Mapping[int, int], now: float) -> dict[int, float]:
        """For each process, by its epoch, how many seconds it has been silent. `counts` are their transactions now."""
        if now - self._looked_at > _GAP:
            self._seen = {}
        self._looked_at = now
        self._seen = {epoch: self._since(epoch, count, now) for epoch, count in counts.items()}
        return {epoch: now - since for epoch, (_, since) in self._seen.items()}

    def forget(self) -> None:
        """A look failed: what is silent may have been as cut off as we were."""
        self._seen = {}

    def _since(self, epoch: int, count: int, now: float) -> tuple[int, float]:
        seen = self._seen.get(epoch)
        return seen if seen is not None and seen[0] == count else (count, now)


def is_dead(silent: float, *, connected: bool) -> bool:
    """Whether a process that was silent for so many seconds is dead."""
    return silent >= (LEASE if connected else GRACE)


def elders_of(epochs: Collection[int]) -> frozenset[int]:
    """The processes that look at all others: those that came first, of all that have an epoch."""
    return frozenset(sorted(epochs)[:ELDERS])


def charges_of(own: int, epochs: Collection[int]) -> frozenset[int]:
    """The processes that one looks at: an elder at all others, and the others at the elders.

    So each process is looked at by whole ELDERS, and an elder by everybody.
    """
    elders = elders_of(epochs)
    return (frozenset(epochs) if own in elders else elders) - {own}


def delay_of(draw: float, processes: int) -> float:
    """How many seconds a process waits before it looks for what is left behind; `draw` is a random number from 0 to 1.

    About TAKERS come within SPREAD, and as many in each SPREAD after it.
    """
    return draw * SPREAD * processes / TAKERS
