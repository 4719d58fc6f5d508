"""Overlap: what becomes of events that arrive while their thread is busy. No policy loses one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict

from bridge.providers.fields import read_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bridge.calling import Handler
    from bridge.events import Event
    from bridge.rules import Match
    from bridge.store import InboxRow

Policy: TypeAlias = Literal["queue", "merge", "latest", "interrupt"]

MOST: Final = 200
"""Events that one turn answers: a bound on the memory a burst takes. What is beyond waits for the next turn."""

INTERRUPTIONS: Final = 10
"""How often in a row a turn is begun anew: a contact who never stops is answered as well."""

_MICROS: Final = 1_000_000
_POLICIES: Final = ("queue", "merge", "latest", "interrupt")
_LONGEST_QUIET: Final = 3600.0
_LONGEST_TURN: Final = 86_400.0
_PATIENCE: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """A policy: `quiet` and `at_most` (microseconds) are how long `debounce` waits, 0 for the others."""

    name: str
    quiet: int = 0
    at_most: int = 0

    @property
    def gathers(self) -> bool:
        """Whether one turn may answer several events."""
        return self.name != "queue"


QUEUE: Final = Overlap(name="queue")
"""A turn for each event, in order."""


def debounce(quiet: str | float, *, at_most: str | float | None = None) -> Overlap:
    """One turn for all that is said until nothing more came for `quiet` ("2s", or a number of seconds).

    `at_most` after the first of them the turn begins in any case; ten times `quiet` when it is left out.

    Raises:
        ValueError: one of them is no duration, or is none that makes sense here.
    """
    seconds = read_seconds(quiet)
    longest = read_seconds(at_most) if at_most is not None else seconds * _PATIENCE
    if not 0 < seconds <= _LONGEST_QUIET:
        raise ValueError("debounce() waits for more than nothing and at most an hour")
    if longest < seconds:
        raise ValueError("debounce() waits at_most no shorter than for quiet")
    return Overlap(name="debounce", quiet=round(seconds * _MICROS), at_most=round(longest * _MICROS))


def as_overlap(value: object) -> Overlap:
    """What a bot author wrote as a policy. Raises ValueError when it is none."""
    if isinstance(value, Overlap):
        return value
    if value in _POLICIES:
        return Overlap(name=str(value))
    raise ValueError(f'overlap is one of {", ".join(_POLICIES)} or debounce("2s"), not {value!r}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How the turns of one rule go: `timeout` in seconds, None: as configured; `anytime`: also while a dialog waits."""

    overlap: Overlap = QUEUE
    timeout: float | None = None
    anytime: bool = False


PLAIN: Final = Manner()
"""A turn for each event, in the configured time."""


class Manners(TypedDict, total=False):
    """How the turns of a rule go, as a bot author writes it.

    `overlap` says what becomes of events that arrive while their thread is busy: "queue" (a turn for each, in order),
    "merge" (one turn for all that wait: `turn.events`), "latest" (one turn for the newest; the older ones are
    `turn.skipped`), "interrupt" (as merge, and a turn that runs is cancelled and begun anew with the newer ones), or
    `debounce("2s")` (as merge, once nothing more came for two seconds). Only events that follow each other without
    one for another handler between them go into one turn.

    `timeout` is how long a turn may take, "10min" or a number of seconds. One that may take longer than is configured
    for all turns leaves its place among them to others.

    `anytime=True`: the rule is looked at also while a dialog waits in the thread, which then does not get the event.
    """

    overlap: Policy | Overlap
    timeout: str | float
    anytime: bool


def manner_of(values: Mapping[str, Any]) -> Manner:
    """What a bot author wrote as Manners.

    Raises:
        TypeError: there is no such keyword.
        ValueError: it is no policy, or no duration from above nothing to a day.
    """
    if unknown := set(values) - set(Manners.__annotations__):
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
    timeout = read_seconds(values["timeout"]) if "timeout" in values else None
    if timeout is not None and not 0 < timeout <= _LONGEST_TURN:
        raise ValueError("timeout is more than nothing and at most a day")
    return Manner(
        overlap=as_overlap(values.get("overlap", "queue")), timeout=timeout, anytime=bool(values.get("anytime"))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """The events that one turn answers, oldest first; at least one.

    `closed` when something else waits behind them in their thread: whatever comes now is behind that.
    """

    rows: tuple[InboxRow, ...]
    manner: Manner = PLAIN
    handler: Handler | None = None
    closed: bool = False

    @property
    def head(self) -> InboxRow:
        """The oldest: its attempts are those of the turn, and its key is what the replies are known by."""
        return self.rows[0]

    @property
    def newest(self) -> InboxRow:
        """The one that `turn.event` is."""
        return self.rows[-1]

    @property
    def events(self) -> tuple[Event, ...]:
        """Those that the turn answers: under `latest` the newest."""
        rows = (self.newest,) if self._skips else self.rows
        return tuple(row.event for row in rows)

    @property
    def skipped(self) -> tuple[Event, ...]:
        """Those that it passes over: under `latest` all but the newest."""
        return tuple(row.event for row in self.rows[:-1]) if self._skips else ()

    @property
    def _skips(self) -> bool:
        return self.manner.overlap.name == "latest"

    @property
    def others(self) -> tuple[InboxRow, ...]:
        """All but the head."""
        return self.rows[1:]

    def led_to(self, match: Match | None) -> bool:
        """Whether the handler that the turn found is the one that its events were gathered for."""
        if not self.others or self.handler is None:
            return True
        return match is not None and match.handler.function is self.handler.function

    def alone(self) -> Burst:
        """The head without the others."""
        return Burst(rows=self.rows[:1], closed=True)

    def due_at(self, now: int) -> int:
        """When the turn may begin (microseconds): later than `now` only while `debounce` waits for quiet.

        Counted from when the events were stored, so that a restart in between changes nothing; something else behind
        them ends the wait, and so does a clock that was set back.
        """
        if not self.manner.overlap.quiet or self.closed or self.newest.received_at > now:
            return now
        return max(
            now,
            min(
                self.newest.received_at + self.manner.overlap.quiet, self.head.received_at + self.manner.overlap.at_most
            ),
        )


def burst_of(waiting: Iterable[InboxRow], handler: Handler, attempts: int, fits: Callable[[InboxRow], bool]) -> Burst:
    """The events that go into a turn with the first of `waiting`, as far as they follow each other without a gap.

    An event on the last of its `attempts`, after others failed, stands alone: so a poisonous one takes nobody along.
    """
    rows: list[InboxRow] = []
    closed = False
    for row in waiting:
        if rows and (len(rows) >= MOST or _stands_alone(row.attempt + 1, attempts) or not fits(row)):
            closed = True
            break
        rows.append(row)
        if len(rows) == 1 and _stands_alone(row.attempt, attempts):
            closed = True
            break
    return Burst(rows=tuple(rows), manner=handler.manner, handler=handler, closed=closed)


def _stands_alone(attempt: int, attempts: int) -> bool:
    return attempt > 1 and attempt >= attempts
