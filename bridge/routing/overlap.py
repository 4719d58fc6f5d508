"""Overlap: policies for events that arrive while their thread is busy. No policy loses an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict, get_args

from bridge.units import SECOND, read_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

Policy: TypeAlias = Literal["queue", "merge", "latest", "interrupt"]

_POLICIES: Final[tuple[str, ...]] = get_args(Policy)
_LONGEST_QUIET: Final = 3600.0
_LONGEST_TURN: Final = 86_400.0
_FETCHED: Final = "fetched"
_AT_MOST_FACTOR: Final = 10
"""`at_most` of a debounce that names none, in multiples of its quiet time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """A policy. `quiet` and `at_most` are the waits of `debounce` in microseconds, 0 for the others."""

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
    """One turn for all events until none came for `quiet` ("2s", or a number of seconds).

    The turn begins `at_most` after the first event in any case; the default is ten times `quiet`.

    Raises:
        ValueError: one of them is no duration, or out of range.
    """
    seconds = read_seconds(quiet)
    longest = read_seconds(at_most) if at_most is not None else seconds * _AT_MOST_FACTOR
    if not 0 < seconds <= _LONGEST_QUIET:
        raise ValueError("debounce() waits for more than nothing and at most an hour")
    if longest < seconds:
        raise ValueError("debounce() waits at_most no shorter than for quiet")
    return Overlap(name="debounce", quiet=round(seconds * SECOND), at_most=round(longest * SECOND))


def as_overlap(value: object) -> Overlap:
    """An author's policy as an Overlap. Raises ValueError for anything else."""
    if isinstance(value, Overlap):
        return value
    if value in _POLICIES:
        return Overlap(name=str(value))
    raise ValueError(f'overlap is one of {", ".join(_POLICIES)} or debounce("2s"), not {value!r}')


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOptions:
    """Options of one rule's turns. `timeout` is in seconds, None: as configured; `anytime`: also in a dialog.

    `anybody`: whoever speaks in a group may answer what the turn asks. `media`: it waits until its media are fetched.
    """

    overlap: Overlap = QUEUE
    timeout: float | None = None
    anytime: bool = False
    anybody: bool = False
    media: bool = False


DEFAULT_OPTIONS: Final = RuleOptions()
"""A turn for each event, in the configured time."""


class RuleKeywords(TypedDict, total=False):
    """Options of a rule's turns, as a bot author writes them.

    `overlap` decides about events that arrive while their thread is busy:
    - "queue": a turn for each, in order;
    - "merge": one turn for all that wait, `turn.events`;
    - "latest": one turn for the newest; the older ones are `turn.skipped`;
    - "interrupt": as merge, and newer events cancel a running turn and begin it again with them;
    - `debounce("2s")`: as merge, once no event came for two seconds.
    An event for another handler ends such a group.

    `timeout` is the time of one turn, "10min" or a number of seconds. A turn with more than the configured time
    takes no place among the others.

    `anytime=True`: the rule also takes events while a dialog waits in the thread; the dialog does not get them.

    `media="fetched"`: the turn of a message with a medium waits until that is fetched, or cannot be; at most two
    minutes. The events behind it in the thread wait too.

    `anybody=True`: in a group, the choices that the turn offers are open to all, and not to the speaker alone.
    """

    overlap: Policy | Overlap
    timeout: str | float
    anytime: bool
    anybody: bool
    media: Literal["fetched"]


def options_of(values: Mapping[str, Any]) -> RuleOptions:
    """An author's keywords as RuleOptions.

    Raises:
        TypeError: the keyword is unknown.
        ValueError: a policy is unknown, or a duration is not above nothing and at most a day.
    """
    if unknown := set(values) - set(RuleKeywords.__annotations__):
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
    timeout = read_seconds(values["timeout"]) if "timeout" in values else None
    if timeout is not None and not 0 < timeout <= _LONGEST_TURN:
        raise ValueError("timeout is more than nothing and at most a day")
    if values.get("media", _FETCHED) != _FETCHED:
        raise ValueError(f'media is "{_FETCHED}", or left out, not {values["media"]!r}')
    return RuleOptions(
        overlap=as_overlap(values.get("overlap", "queue")),
        timeout=timeout,
        anytime=bool(values.get("anytime")),
        anybody=bool(values.get("anybody")),
        media="media" in values,
    )
