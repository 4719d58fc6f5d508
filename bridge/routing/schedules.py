"""When a job runs: every so long, at times of day, or by a cron expression, in its time zone.

What a change of the clock skips runs right after it. What it repeats runs once, unless it runs each so many minutes.
Cron expressions are read, and dates found, by cronsim, which does as Debian's cron does.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.frozen import dataclass
from bridge.units import SECOND, micros, moment, read_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIME: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_SHORTEST: Final = 1.0
_LONGEST: Final = timedelta(days=366)
_WINDOWS: Final = tuple(round(timedelta(days=days).total_seconds()) * SECOND for days in (0.125, 2, 64, 800, 12_000))
"""How far back the last time is looked for, step by step: what runs each minute is found in the first."""


class Schedule(Protocol):
    """The times of a job, in microseconds since 1970."""

    @property
    def text(self) -> str:
        """The times in words, the same for the same times."""
        ...

    def after(self, at: int) -> Iterator[int]:
        """The times after one, in order; an iterator that ends, where no more come."""
        ...


def last(schedule: Schedule, after: int, until: int) -> int | None:
    """The latest time after one and until another one; None: there is none."""
    for window in _WINDOWS:
        latest: int | None = None
        for at in takewhile(lambda at: at <= until, schedule.after(max(after, until - window))):
            latest = at
        if latest is not None or until - window <= after:
            return latest
    return None


@dataclass(frozen=True, slots=True)
class _Interval:
    """Every so many microseconds, counted from 1970: an hour is the full hour, in UTC."""

    text: str
    span: int

    def after(self, at: int) -> Iterator[int]:
        """See Schedule."""
        at -= at % self.span
        while True:
            at += self.span
            yield at


@dataclass(frozen=True, slots=True)
class _Cron:
    """The times of cron expressions, the earliest of all first."""

    text: str
    expressions: tuple[str, ...]
    zone: ZoneInfo

    def after(self, at: int) -> Iterator[int]:
        """See Schedule."""
        from cronsim import CronSim  # noqa: PLC0415 - for bots that have such a job

        start = moment(at).astimezone(self.zone)
        times = [CronSim(expression, start) for expression in self.expressions]
        coming: list[datetime | None] = [next(each, None) for each in times]
        while rest := [each for each in coming if each is not None]:
            earliest = min(rest, key=micros)
            if micros(earliest) > at:  # in an hour that the clock repeats, cronsim begins with the first of the two
                yield micros(earliest)
            coming = [
                next(each, None) if due is not None and micros(due) == micros(earliest) else due
                for each, due in zip(times, coming, strict=True)
            ]


def every(when: str | timedelta, tz: str | None, days: str | None) -> Schedule:
    """Each span ("15m"), or each day at a time or several ("09:00", "09:00, 17:30"), on some days only ("mon-fri").

    Raises:
        ValueError: it is neither, the days are none, or there is no such time zone.
    """
    if isinstance(when, str) and all(_TIME.fullmatch(time.strip()) for time in when.split(",")):
        times = [_TIME.fullmatch(time.strip()) for time in when.split(",")]
        expressions = [f"{int(time[2])} {int(time[1])} * * {days or '*'}" for time in times if time]
        return _cron(expressions, tz, f"{when}{f' {days}' if days else ''}")
    if tz is not None or days is not None:
        raise ValueError('tz= and days= go with times of day, like "09:00"')
    seconds = when.total_seconds() if isinstance(when, timedelta) else read_seconds(when)
    if not _SHORTEST <= seconds <= _LONGEST.total_seconds():
        raise ValueError("every() takes from a second up to a year")
    return _Interval(f"every {seconds:g} s", round(seconds * SECOND))


def cron(expression: str, tz: str | None) -> Schedule:
    """The times of a cron expression of five fields.

    Raises:
        ValueError: it is none, or there is no such time zone.
    """
    if len(expression.split()) != 5:  # noqa: PLR2004 - minute, hour, day, month, weekday; cronsim takes seconds too
        raise ValueError("a cron expression has five fields: minute, hour, day of the month, month, day of the week")
    return _cron([expression], tz, f"cron {' '.join(expression.split())}")


def _cron(expressions: list[str], tz: str | None, text: str) -> Schedule:
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - the same

    try:
        zone = ZoneInfo(tz or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"there is no time zone {tz!r}; want a name like Asia/Jakarta") from None
    for expression in expressions:
        try:
            CronSim(expression, datetime(2026, 1, 1, tzinfo=zone))
        except CronSimError as error:
            raise ValueError(f"{text}: {error}") from None
    return _Cron(f"{text} {zone.key}", tuple(expressions), zone)
