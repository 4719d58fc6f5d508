"""How often a body is inflated before its signature has proved anything: forgeries cost an inflation each."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bridge.units import SECOND
from bridge.web.refusals import busy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.clock import Clock

AT_ONCE: Final = 20
"""Bodies of an account that may be inflated in vain before the next has to wait."""
_INTERVAL: Final = SECOND // 10
"""After so long one more may be: an inflation takes up to a millisecond, so a flood takes a hundredth of a core."""


class Forgeries:
    """An allowance for each account; a body that turns out authentic costs none of it."""

    def __init__(self, clock: Clock) -> None:
        """Nothing is spent."""
        self._clock = clock
        self._whole_at: dict[str, int] = {}

    @contextmanager
    def doubted(self, account: str) -> Iterator[None]:
        """While a body is inflated and verified; an error inside means that it was in vain.

        Raises:
            WebhookError: 503, the allowance is spent. A sender that is genuine comes again.
        """
        now = self._clock.now()
        most = AT_ONCE * _INTERVAL
        spent = min(max(self._whole_at.get(account, 0) - now, 0), most)  # the clock may have been set back
        self._whole_at[account] = now + spent
        if spent > most - _INTERVAL:
            raise busy("too many compressed bodies with a wrong signature")
        try:
            yield
        except BaseException:
            self._whole_at[account] += _INTERVAL
            raise
