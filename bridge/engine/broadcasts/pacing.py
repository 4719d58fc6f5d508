"""How many messages of a broadcast may be on their way at once, found out by how long each takes."""

from __future__ import annotations

from typing import Final

from bridge.units import SECOND

_LEAST, _MOST = 2.0, 64.0
_FEW, _MANY = 1.0, 2.0
"""Messages that wait in a line of their own making: with fewer there may be more on their way, with more fewer."""
_ANEW: Final = 20 * SECOND
"""How long the quickest way counts: the gateway's own time may change."""


class Window:
    """A number that rises as long as messages take no longer for it, and falls when they begin to wait for each other.

    A reply waits behind what waits. The rule is that of TCP Vegas (Brakmo, O'Malley, Peterson 1994).
    """

    def __init__(self) -> None:
        """Few, and nothing known."""
        self._size = _LEAST
        self._quickest: list[int] = []
        """Of the span before this one, and of this one."""
        self._since = 0

    @property
    def size(self) -> int:
        """So many."""
        return int(self._size)

    def took(self, micros: int, now: int) -> None:
        """A message was sent in so much time, without a failure."""
        micros = max(1, micros)
        if not self._quickest or not 0 <= now - self._since < _ANEW:
            self._quickest = [*self._quickest[-1:], micros]
            self._since = now
            self._size = max(_LEAST, self._size / 2)  # so that the quickest way shows again
        self._quickest[-1] = min(self._quickest[-1], micros)
        waiting = self._size * (1 - min(self._quickest) / micros)
        if waiting < _FEW:
            self._size = min(_MOST, self._size + 1 / self._size)
        elif waiting > _MANY:
            self._size = max(_LEAST, self._size - 1 / self._size)
