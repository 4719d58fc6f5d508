"""How many messages of a broadcast may be on their way at once, found out by how long they take."""

from __future__ import annotations

from typing import Final

from bridge.units import SECOND

_LEAST, _MOST = 2, 64
_FEW, _MANY = 1.0, 2.0
"""Messages that wait in a line of their own making: with fewer there may be more on their way, with more fewer."""
_TOGETHER: Final = 8
"""Messages whose mean time counts as one: a machine with other work is never quick or slow for one alone."""
_ANEW: Final = 20 * SECOND
"""How long the quickest mean counts: the gateway's own time may change."""


class Window:
    """A number that rises as long as messages take no longer for it, and falls when they begin to wait for each other.

    A reply waits behind what waits. The rule is that of TCP Vegas (Brakmo, O'Malley, Peterson 1994).
    """

    def __init__(self) -> None:
        """Few, and nothing known."""
        self.size = _LEAST
        self._times: list[int] = []
        self._quickest: list[float] = []
        """The quickest mean of the span before this one, and of this one."""
        self._since = 0

    def took(self, micros: int, now: int) -> None:
        """A message was sent in so much time, without a failure."""
        self._times.append(max(1, micros))
        if len(self._times) == _TOGETHER:
            self._adapt(sum(self._times) / _TOGETHER, now)
            self._times.clear()

    def _adapt(self, mean: float, now: int) -> None:
        if not self._quickest or not 0 <= now - self._since < _ANEW:
            self._quickest = [*self._quickest[-1:], mean]
            self._since = now
            self.size = max(_LEAST, self.size // 2)  # so that the quickest way shows again
        self._quickest[-1] = min(self._quickest[-1], mean)
        waiting = self.size * (1 - min(self._quickest) / mean)
        if waiting < _FEW:
            self.size = min(_MOST, self.size + 1)
        elif waiting > _MANY:
            self.size = max(_LEAST, self.size - 1)
