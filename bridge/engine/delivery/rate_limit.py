"""How fast an account may ask its provider: what is configured or documented, corrected by what the answers tell."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.clock import Clock
    from bridge.providers.port import Request, Response
    from bridge.units import PerPeriod

LEAST_PAUSE, MOST_PAUSE = 1.0, 900.0
"""Seconds: what a provider asks for with Retry-After is held to this (guarantees: 1 s ... 15 min)."""
_MOST_SLOTS: Final = 1000
_MOST_PATHS: Final = 4096
_ANOTHER_WINDOW: Final = 10
"""A told limit this many times what is documented counts something else (a day's quota), and is not for us."""
_CALM: Final = 200
"""Requests that have to be accepted before a rate that was cut is tried a little higher."""
_TOO_MANY: Final = 429
_UNAVAILABLE: Final = 503


class Pace:
    """How many requests fit into a period; learns. Shared by all paths of an account."""

    def __init__(self, rate: PerPeriod, clock: Clock, *, ceiling: bool) -> None:
        """`ceiling`: a person wrote this rate down, so it may sink and never rise above."""
        split = -(-rate.count // _MOST_SLOTS)
        self.documented = max(rate.count // split, 1)
        self.period = round(rate.seconds * SECOND / split)
        self.count = self.documented
        self._most = self.documented if ceiling else self.documented * _ANOTHER_WINDOW
        self._goal = self.documented
        self._clock = clock
        self._cut_at = -1
        self._calm = 0

    def told(self, limit: int) -> bool:
        """The provider names its limit: believe it, if it can be one for this window. Whether it can."""
        if not 1 <= limit <= self.documented * _ANOTHER_WINDOW:
            return False
        self.count = self._goal = min(limit, self._most)
        return True

    def refused(self, left_at: int, accepted: int) -> None:
        """Too many, and no word how many would do: come down to what was accepted in a period, by half at most.

        Refusals of requests that left before the last cut tell nothing new.
        """
        self._calm = 0
        if left_at <= self._cut_at:
            return
        self._cut_at = self._clock.now()
        self.count = max(1, min(self.count - 1, max(accepted, self.count // 2)))

    def accepted(self) -> None:
        """After a long calm, try one more in a period: the limit may have been lifted."""
        if self.count >= self._goal:
            return
        self._calm += 1
        if self._calm >= max(_CALM, 10 * self.count):
            self._calm = 0
            self.count += 1


class Bucket:
    """The requests of one window: a place is taken from when its request leaves until a period after its answer.

    The provider counts a request some time between the two, so that whatever its window begins with, we keep it.
    """

    def __init__(self, pace: Pace, clock: Clock) -> None:
        """All places are free."""
        self._pace = pace
        self._clock = clock
        self._answered: deque[tuple[int, bool]] = deque()
        self._travelling = 0
        self._not_before = 0
        self._door = asyncio.Lock()
        self._back: asyncio.Event = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Whether nothing would be forgotten by starting anew."""
        self._expire()
        free = not self._answered and not self._travelling and not self._door.locked()
        return free and self._not_before <= self._clock.now()

    async def enter(self) -> None:
        """Return when a place is free, and take it; first come, first served."""
        async with self._door:
            while (at := self._free_at()) != 0:
                if at is None:
                    self._back.clear()
                    await self._back.wait()
                else:
                    await self._clock.sleep((at - self._clock.now()) / SECOND)
            self._travelling += 1

    def leave(self, *, accepted: bool) -> None:
        """The answer is here, or will never be."""
        self._travelling -= 1
        self._answered.append((self._clock.now(), accepted))
        self._back.set()

    def pause(self, seconds: float) -> None:
        """Let nothing leave for a while."""
        self._not_before = max(self._not_before, self._clock.now() + _held(seconds))

    def refused(self, left_at: int) -> None:
        """See Pace."""
        self._expire()
        self._pace.refused(left_at, sum(accepted for _, accepted in self._answered))

    def used(self, count: int) -> None:
        """The provider counts `count` in this window: what is not ours was somebody else's, and takes places too."""
        self._expire()
        now = self._clock.now()
        others = min(count, self._pace.count) - self._travelling - len(self._answered)
        self._answered.extend((now, True) for _ in range(others))

    def _free_at(self) -> int | None:
        """0: now; None: when an answer is back; else when."""
        self._expire()
        now = self._clock.now()
        if self._not_before > now:
            return self._not_before
        over = self._travelling + len(self._answered) - self._pace.count
        if over < 0:
            return 0
        return self._answered[over][0] + self._pace.period if over < len(self._answered) else None

    def _expire(self) -> None:
        now = self._clock.now()
        if self._answered and self._answered[-1][0] > now:  # the clock was set back: a place is not held for that long
            self._answered = deque((min(at, now), accepted) for at, accepted in self._answered)
        self._not_before = min(self._not_before, now + _held(MOST_PAUSE))
        past = now - self._pace.period
        while self._answered and self._answered[0][0] <= past:
            self._answered.popleft()


class Limiter:
    """One account's: a bucket for all it does, one for each method and path where the provider counts those."""

    def __init__(self, rate: PerPeriod | None, path_rate: PerPeriod | None, clock: Clock) -> None:
        """No rate: no limit, but for the pauses that the provider asks for."""
        self._clock = clock
        self._pace = Pace(rate, clock, ceiling=True) if rate else None
        self._whole = Bucket(self._pace, clock) if self._pace else None
        self._path_pace = Pace(path_rate, clock, ceiling=False) if path_rate else None
        self._paths: dict[tuple[str, str], Bucket] = {}
        self._not_before = 0

    @asynccontextmanager
    async def place(self, request: Request) -> AsyncIterator[Place]:
        """A place for one request, held until its answer is here; `learn` from that inside."""
        buckets = [bucket for bucket in (self._path(request), self._whole) if bucket is not None]
        place = Place(self, buckets)
        entered: list[Bucket] = []
        try:
            for bucket in buckets:
                await bucket.enter()
                entered.append(bucket)
            while (now := self._clock.now()) < self._not_before:
                self._not_before = min(self._not_before, now + _held(MOST_PAUSE))
                await self._clock.sleep((self._not_before - now) / SECOND)
            place.left_at = now
            yield place
        finally:
            for bucket in entered:
                bucket.leave(accepted=place.accepted)

    def pause(self, seconds: float) -> None:
        """Let nothing of the account leave for a while."""
        self._not_before = max(self._not_before, self._clock.now() + _held(seconds))

    def _path(self, request: Request) -> Bucket | None:
        if self._path_pace is None:
            return None
        key = (request.method, request.path)
        found = self._paths.get(key)
        if found is None:
            if len(self._paths) >= _MOST_PATHS:
                self._paths = {key: bucket for key, bucket in self._paths.items() if not bucket.idle}
            found = self._paths[key] = Bucket(self._path_pace, self._clock)
        return found

    @property
    def narrowest(self) -> Pace | None:
        """The pace that a told limit is about: the paths', where the provider counts those."""
        return self._path_pace or self._pace


class Place:
    """One request on its way."""

    def __init__(self, limiter: Limiter, buckets: list[Bucket]) -> None:
        """`buckets`: the narrowest first."""
        self._limiter = limiter
        self._buckets = buckets
        self.left_at = 0
        self.accepted = False

    def learn(self, response: Response, asked: float | None) -> None:
        """X-RateLimit-Limit and -Remaining, and 429 or 503; `asked` is its Retry-After in seconds."""
        self.accepted = response.status != _TOO_MANY
        pace = self._limiter.narrowest
        known = pace is not None and self._believe(pace, response)
        if response.status == _TOO_MANY:
            self._slow_down(pace, known=known, asked=asked)
        elif response.status == _UNAVAILABLE and asked is not None:
            self._limiter.pause(asked)
        elif pace is not None and not known:
            pace.accepted()

    def _believe(self, pace: Pace, response: Response) -> bool:
        limit = _number(response.headers.get("x-ratelimit-limit"))
        if limit is None or not pace.told(limit):
            return False
        remaining = _number(response.headers.get("x-ratelimit-remaining"))
        if remaining is not None and remaining <= limit:
            self._buckets[0].used(limit - remaining)
        return True

    def _slow_down(self, pace: Pace | None, *, known: bool, asked: float | None) -> None:
        if pace is None:
            self._limiter.pause(LEAST_PAUSE if asked is None else asked)
            return
        bucket = self._buckets[0]
        if not known:
            bucket.refused(self.left_at)
        bucket.pause(LEAST_PAUSE if asked is None else asked)


def _held(seconds: float) -> int:
    """Microseconds, within reason."""
    return round(min(max(seconds, LEAST_PAUSE), MOST_PAUSE) * SECOND)


def _number(text: str | None) -> int | None:
    """A whole number of sane length ("100", also the "100" of "100, 100;w=60"), or None."""
    first = (text or "").partition(",")[0].partition(";")[0].strip()
    return int(first) if first.isascii() and first.isdigit() and len(first) < 10 else None  # noqa: PLR2004
