"""Overlap: what becomes of events that arrive while their thread is busy. No policy loses one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict

from bridge.units import read_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping


Policy: TypeAlias = Literal["queue", "merge", "latest", "interrupt"]


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
