"""The pause of one account: what its provider does to all messages holds them all, and one probe finds its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.engine.backoff import held_seconds
from bridge.log import log
from bridge.units import SECOND

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Collection, Iterable

    from bridge.clock import Alarm, Clock

LONGEST: Final = 30.0
"""Seconds between two probes, unless the provider asks for more; a refused account waits this long at once."""
_DOUBTS: Final = 3
"""Threads whose messages fail in a row, with none judged between: then it is the provider that fails."""


class Pause:
    """Whether an account's messages may leave. It compares no times, so that setting the clock changes nothing."""

    def __init__(
        self,
        account: str,
        clock: Clock,
        rng: random.Random,
        wake: Callable[[Collection[int]], object],
        tell: Callable[[str, float], object] = lambda _, __: None,
    ) -> None:
        """`wake` is called with the rows that may try again; `tell` at each begin, and with 0 seconds at the end."""
        self._account = account
        self._clock = clock
        self._rng = rng
        self._wake = wake
        self._tell = tell
        self.reason = ""
        """Why the account is paused; "" while it is not."""
        self.judged = 0
        """Messages that the provider accepted or refused: each proves that it is there."""
        self._waiting: dict[int, None] = {}
        self._probe = 0
        self._due = False
        self._probes = 0
        self._alarm: Alarm | None = None
        self._doubted: set[int] = set()

    def admits(self, row_id: int) -> bool:
        """Whether a message may be tried: all of them without a pause, else the one that becomes the probe."""
        if self._due and not self._probe:
            self._probe = row_id
        return not self.reason or self._probe == row_id

    def wait(self, row_id: int) -> None:
        """A message waits for the end of the pause."""
        self._waiting[row_id] = None

    def take(self, row_id: int) -> None:
        """A message is worked on: it waits no more, whatever comes of it."""
        self._waiting.pop(row_id, None)

    def forget(self, row_ids: Iterable[int]) -> None:
        """Messages that are settled elsewhere wait no more."""
        for row_id in row_ids:
            self.take(row_id)
            self.leave(row_id)

    def leave(self, row_id: int) -> None:
        """The work on a message ends. Where it was to be the probe and told nothing, the next one follows."""
        if self._probe == row_id:
            self._probe = 0
        if self._due and not self._probe and self._waiting:
            self._wake((next(iter(self._waiting)),))

    def begin(
        self, row_id: int, reason: str, *, logged: str, refused: bool = False, asked: float | None = None
    ) -> None:
        """The account is held, or held longer after a probe; what was on the wire meanwhile changes nothing."""
        if self.reason and row_id != self._probe:
            return
        seconds = self._seconds(refused=refused, asked=asked)
        self._tell(reason, seconds)
        if not self.reason:
            (log.error if refused else log.warning)(
                "account_paused", account=self._account, reason=logged, seconds=round(seconds, 1)
            )
        self._hold(reason, seconds)

    def follow(self, reason: str, seconds: float) -> None:
        """Another process found the account paused, or by 0 seconds that it is not any more."""
        if not seconds:
            self._end()
        elif not self.reason:
            self._hold(reason, seconds)

    def _hold(self, reason: str, seconds: float) -> None:
        self.reason, self._probe, self._due = reason, 0, False
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._clock.call_at(self._clock.now() + round(seconds * SECOND), self._ring)

    def doubt(self, row_id: int, thread_id: int, reason: str, *, logged: str) -> None:
        """A message fails, and it or the provider may be the cause: several of them are the provider."""
        self._doubted.add(thread_id)
        if self.reason or len(self._doubted) >= _DOUBTS:
            self.begin(row_id, reason, logged=logged)

    def prove(self, row_id: int) -> None:
        """The provider judged a message: it is there, and takes the account's messages. A probe ends the pause."""
        self.judged += 1
        self._doubted.clear()
        if self.reason and row_id == self._probe:
            log.info("account_resumed", account=self._account)
            self._tell("", 0.0)
            self._end()

    def _end(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self.reason, self._probe, self._due, self._probes = "", 0, False, 0
        waiting, self._waiting = list(self._waiting), {}
        self._wake(waiting)

    def _seconds(self, *, refused: bool, asked: float | None) -> float:
        self._probes += 1
        if refused:
            return LONGEST
        if asked is not None:
            return held_seconds(asked)
        return min(LONGEST, float(1 << min(self._probes - 1, 30))) * self._rng.uniform(0.5, 1.0)

    def _ring(self) -> None:
        """It is time for a probe: the message that waits longest is it, or the next one to come."""
        self._due = True
        self.leave(0)
