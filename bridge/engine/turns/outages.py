"""What a handler needs is away: its events wait, one of them probes, and none of them spends a try.

A failure that hits the turns of several threads in a row is no event's fault. A single event that fails among others
that do not is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bridge.errors import HandlerError
from bridge.frozen import changed
from bridge.log import kind_of, log
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bridge.clock import Clock
    from bridge.store.records import InboxRow

THREADS: Final = 3
"""Threads in a row whose turns fail alike before the handler pauses."""
_ALIKE: Final = 10 * SECOND
"""Failures further apart than this have nothing to do with each other."""
_FIRST_PAUSE: Final = SECOND
_LONGEST_PAUSE: Final = 30 * SECOND
"""How long a handler waits between two probes: a backend that is back is noticed within this."""
_PARKED: Final = 600 * SECOND
"""A waiting event looks for itself this often; usually it is woken long before."""


@dataclass(slots=True, eq=False)
class _Outage:
    """One handler: its latest failures by thread, and while it is paused the events that wait."""

    name: str
    kind: type[BaseException] = HandlerError
    failures: dict[int, int] = field(default_factory=dict)
    """By thread, when its turn failed; a turn that succeeds clears them."""
    waiting: dict[int, int] = field(default_factory=dict)
    """By row, since when it waits; the next probe is the first."""
    paused: bool = False
    pause: int = _FIRST_PAUSE
    until: int = 0
    probe: int | None = None
    reason: str = ""


class Outages:
    """The handlers that fail for everybody."""

    def __init__(self, clock: Clock, wake: Callable[[Collection[int]], int], *, give_up_after: float) -> None:
        """`wake` lets waiting events begin, and returns how many; `give_up_after` is in seconds of waiting."""
        self._clock = clock
        self._wake = wake
        self._give_up_after = round(give_up_after * SECOND)
        self._by_name: dict[str, _Outage] = {}

    def any_paused(self) -> bool:
        """Whether a handler is paused."""
        return bool(self._by_name) and any(outage.paused for outage in self._by_name.values())

    @property
    def paused(self) -> dict[str, str]:
        """The paused handlers, each with the reason."""
        return {name: outage.reason for name, outage in self._by_name.items() if outage.paused}

    def parked(self, handler: str, row: InboxRow) -> InboxRow | None:
        """The event as it waits for its paused handler; None: it may begin now, perhaps as the probe."""
        outage = self._by_name.get(handler)
        if outage is None or not outage.paused or outage.probe == row.id or self._is_overdue(outage, row):
            return None
        if outage.probe is None and outage.until <= self._clock.now():
            outage.probe = row.id
            return None
        return self._park(outage, row)

    def worked(self, handler: str) -> None:
        """A turn of the handler succeeded."""
        outage = self._by_name.pop(handler, None)
        if outage is not None and outage.paused:
            log.info("handler_resumed", handler=handler, waiting=len(outage.waiting))
            self._wake(list(outage.waiting))

    def failed(self, handler: str, row: InboxRow, error: BaseException) -> InboxRow | None:
        """The event as it waits, when the failure of its turn is no fault of its own; None: it is."""
        if isinstance(error, HandlerError):  # a mistake in the handler's code
            return None
        outage = self._by_name.setdefault(handler, _Outage(handler))
        now = self._clock.now()
        if not outage.paused:
            self._note(outage, row, error, now)
            if len(outage.failures) < THREADS:
                return None
            outage.paused, outage.reason = True, kind_of(error)
            log.error("handler_paused", handler=handler, reason=outage.reason, seconds=outage.pause // SECOND)
            self._rest(outage, now)
        return self._park(outage, row)

    def overdue(self, handler: str, row: InboxRow) -> str:
        """Why an event that failed again is given up: it waited for its handler too long; "" while it may wait."""
        outage = self._by_name.get(handler)
        if outage is None or not outage.paused or not self._is_overdue(outage, row):
            return ""
        del outage.waiting[row.id]
        return (
            f"given up after {self._give_up_after / SECOND / 3600:g} hours, in which its handler failed for everybody"
        )

    def ended(self, handler: str, row: InboxRow) -> None:
        """The turn of an event is over, however; if it was the probe, the next one follows after a longer pause."""
        outage = self._by_name.get(handler)
        if outage is not None and outage.probe == row.id:
            outage.probe = None
            outage.pause = min(2 * outage.pause, _LONGEST_PAUSE)
            self._rest(outage, self._clock.now())

    def reason(self, handler: str) -> str:
        """Why a handler is paused; "" while it is not."""
        outage = self._by_name.get(handler)
        return outage.reason if outage is not None and outage.paused else ""

    def _note(self, outage: _Outage, row: InboxRow, error: BaseException, now: int) -> None:
        if outage.kind is not type(error):
            outage.kind = type(error)
            outage.failures.clear()
        outage.failures.pop(row.thread_id, None)
        outage.failures[row.thread_id] = now
        outage.failures = {thread: at for thread, at in outage.failures.items() if abs(now - at) <= _ALIKE}

    def _rest(self, outage: _Outage, now: int) -> None:
        outage.until = now + outage.pause
        self._clock.call_at(outage.until, lambda: self._probe(outage))

    def _probe(self, outage: _Outage) -> None:
        """Wake the event that has waited longest for a try."""
        if self._by_name.get(outage.name) is not outage or outage.probe is not None:
            return
        for row_id in list(outage.waiting):
            if self._wake([row_id]):
                return
            del outage.waiting[row_id]  # settled by hand meanwhile

    def _park(self, outage: _Outage, row: InboxRow) -> InboxRow:
        now = self._clock.now()
        outage.waiting[row.id] = outage.waiting.pop(row.id, now)  # at the end: the next probe is another one
        return changed(row, available_at=now + _PARKED)

    def _is_overdue(self, outage: _Outage, row: InboxRow) -> bool:
        since = outage.waiting.get(row.id)
        return since is not None and self._clock.now() - since >= self._give_up_after
