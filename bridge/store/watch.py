"""Which of the processes that share a database are dead, as one of them sees it by its own clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

BEAT: Final = 1.0
"""Seconds between two looks at the others, and between two signs of life of a process that writes nothing."""
LEASE: Final = 10.0
"""Seconds of silence after which a process is dead, whatever it does."""
GRACE: Final = 2.0
"""Seconds of silence after which a process is dead that has no connection any more: it may be making a new one."""
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

    def _since(self, epoch: int, count: int, now: float) -> tuple[int, float]:
        seen = self._seen.get(epoch)
        return seen if seen is not None and seen[0] == count else (count, now)


def is_dead(silent: float, *, connected: bool) -> bool:
    """Whether a process that was silent for so many seconds is dead."""
    return silent >= (LEASE if connected else GRACE)
