"""How fast an account may ask its provider: the configured or documented rate, corrected by the answers."""

from __future__ import annotations

import asyncio
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from bridge.engine.backoff import LEAST_PAUSE, held_seconds
from bridge.providers.answers import TOO_MANY, UNAVAILABLE
from bridge.store.shares import Use
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from bridge.clock import Clock
    from bridge.providers.port import Request, Response
    from bridge.units import PerPeriod

_MOST_SLOTS: Final = 1000
"""Requests of one period that a bucket remembers; a larger rate is divided into shorter periods."""
_MOST_PATHS: Final = 4096
"""Paths with a bucket of their own, before idle ones are dropped."""
_ANOTHER_WINDOW: Final = 10
"""A limit this many times the documented one counts something else, such as a day's quota: it is ignored."""
_CALM: Final = 200
"""Requests in a row that must be accepted before a reduced rate rises by one."""
_MOST_DIGITS: Final = 9
"""A longer number in a rate-limit header is not believed."""


class Pace:
    """How many requests fit into a period, as learned so far. All paths of an account share it.

    Of several processes with the account each has a part of them.
    """

    def __init__(self, rate: PerPeriod, clock: Clock, *, ceiling: bool) -> None:
        """`ceiling`: the rate is configured, so the pace may fall below it and never rise above."""
        split = -(-rate.count // _MOST_SLOTS)
        self.documented = max(rate.count // split, 1)
        self.period = round(rate.seconds * SECOND / split)
        self.count = self.documented
        self._most = self.documented if ceiling else self.documented * _ANOTHER_WINDOW
        self._goal = self.documented
        self.part = Fraction(1)
        self._clock = clock
        self._cut_at = -1
        self._calm = 0

    @property
    def own(self) -> int:
        """How many requests of this process fit into a period."""
        return self.count if self.part == 1 else max(1, int(self.count * self.part)) if self.part else 0

    def believe(self, limit: int) -> bool:
        """Take over the limit that the provider names; False when it cannot be one for this window."""
        if not 1 <= limit <= self.documented * _ANOTHER_WINDOW:
            return False
        self.count = self._goal = min(limit, self._most)
        return True

    def refused(self, left_at: int, accepted: int) -> None:
        """Slow down to the number accepted in a period, by half at most.

        A refusal of a request that left before the last cut changes nothing.
        """
        self._calm = 0
        if left_at <= self._cut_at:
            return
        self._cut_at = self._clock.now()
        self.count = max(1, min(self.count - 1, max(accepted, self.count // 2)))

    def accepted(self) -> None:
        """After a long calm, allow one more in a period: the limit may have been lifted."""
        if self.count >= self._goal:
            return
        self._calm += 1
        if self._calm >= max(_CALM, 10 * self.count):
            self._calm = 0
            self.count += 1


class Hold:
    """A pause. It never lasts longer from now than it was to last in all, so a clock that is set back is harmless."""

    def __init__(self, clock: Clock) -> None:
        """It is over."""
        self._clock = clock
        self._until = 0
        self._length = 0

    def begin(self, seconds: float) -> None:
        """Hold for so long from now; a longer pause that has begun goes on."""
        length = round(held_seconds(seconds) * SECOND)
        until = self._clock.now() + length
        if until > self.until():
            self._until, self._length = until, length

    def until(self) -> int:
        """When it is over (microseconds); 0: it is."""
        if not self._until:
            return 0
        now = self._clock.now()
        self._until = min(self._until, now + self._length)
        return self._until if self._until > now else 0


class Bucket:
    """The requests of one window. A slot is taken from when its request leaves until a period after its answer.

    The provider counts a request some time between the two, so the limit holds wherever its window begins.
    """

    def __init__(self, pace: Pace, clock: Clock) -> None:
        """Every slot is free."""
        self._pace = pace
        self._clock = clock
        self._answered: deque[tuple[int, bool]] = deque()
        self._travelling = 0
        self._waiting = 0
        self._held = Hold(clock)
        self._door = asyncio.Lock()
        self._back: asyncio.Event = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Whether a new bucket would know as much."""
        self._expire()
        free = not self._answered and not self._travelling and not self._door.locked()
        return free and not self._held.until()

    def use(self) -> Use:
        """What is used of it, and wanted, as far as it fits into a period."""
        self._expire()
        used = self._travelling + len(self._answered)
        return Use(self._pace.documented, min(used + self._waiting, self._pace.documented), used)

    def room(self, share: Fraction) -> int:
        """How many more requests fit now into a share of it, with those that wait already."""
        self._expire()
        return int(self._pace.own * share) - self._travelling - len(self._answered) - self._waiting

    def look_again(self) -> None:
        """There may be more slots than there were."""
        self._back.set()

    async def enter(self) -> None:
        """Wait for a free slot and take it; first come, first served."""
        self._waiting += 1
        try:
            async with self._door:
                while (at := self._free_at()) != 0:
                    await self._change(at)
                self._travelling += 1
        finally:
            self._waiting -= 1

    async def _change(self, at: int | None) -> None:
        """Wait until then, or until something changes before."""
        self._back.clear()
        alarm = None if at is None else self._clock.call_at(at, self._back.set)
        try:
            await self._back.wait()
        finally:
            if alarm is not None:
                alarm.cancel()

    def leave(self, *, accepted: bool, used: bool = True) -> None:
        """The answer arrived, or never will. A slot that was not `used` is free at once."""
        self._travelling -= 1
        if used:
            self._answered.append((self._clock.now(), accepted))
        self._back.set()

    def pause(self, seconds: float) -> None:
        """Hold every request back for a while."""
        self._held.begin(seconds)

    def refused(self, left_at: int) -> None:
        """See Pace. A provider that takes nothing at all is not one that is asked too fast."""
        self._expire()
        if accepted := sum(accepted for _, accepted in self._answered):
            self._pace.refused(left_at, accepted)

    def used(self, count: int) -> None:
        """Take slots for requests of other clients: the provider counts `count` in this window.

        The shares of other processes are theirs, whether they use them or not.
        """
        self._expire()
        now, own = self._clock.now(), self._pace.own
        others = min(count - (self._pace.count - own), own) - self._travelling - len(self._answered)
        self._answered.extend((now, True) for _ in range(others))

    def _free_at(self) -> int | None:
        """When a slot is free, in microseconds; 0: now; None: when an answer is back."""
        self._expire()
        if until := self._held.until():
            return until
        over = self._travelling + len(self._answered) - self._pace.own
        if over < 0:
            return 0
        return self._answered[over][0] + self._pace.period if over < len(self._answered) else None

    def _expire(self) -> None:
        now = self._clock.now()
        if self._answered and self._answered[-1][0] > now:  # the clock was set back: no slot is held for that long
            self._answered = deque((min(at, now), accepted) for at, accepted in self._answered)
        past = now - self._pace.period
        while self._answered and self._answered[0][0] <= past:
            self._answered.popleft()


class Limiter:
    """One account's rate limit: a bucket for all requests, and where the provider has path limits one for each path."""

    def __init__(self, rate: PerPeriod | None, path_rate: PerPeriod | None, clock: Clock) -> None:
        """Without a rate only the pauses that the provider asks for count."""
        self._clock = clock
        self._pace = Pace(rate, clock, ceiling=True) if rate else None
        self._whole = Bucket(self._pace, clock) if self._pace else None
        self._path_pace = Pace(path_rate, clock, ceiling=False) if path_rate else None
        self._paths: dict[tuple[str, str], Bucket] = {}
        self._held = Hold(clock)

    def slot(self, request: Request) -> Slot:
        """The context of one request, left when its answer is here; call `learn` with that answer inside."""
        if self._path_pace is None and self._whole is None:
            return Slot(self, ())
        return Slot(self, [bucket for bucket in (self._path(request), self._whole) if bucket is not None])

    def is_open(self) -> bool:
        """Whether a request has its turn at once: the account has no rate, and no pause now."""
        return self._whole is None and self._path_pace is None and not self._held.until()

    async def wait(self) -> int:
        """Wait for the end of the account's pause; the time then."""
        while until := self._held.until():
            await self._clock.sleep((until - self._clock.now()) / SECOND)
        return self._clock.now()

    def pause(self, seconds: float) -> None:
        """Hold every request of the account back for a while."""
        self._held.begin(seconds)

    def use(self) -> Use | None:
        """What is used and wanted of the bucket that has the most to do; None without a rate."""
        if self.narrowest is None:
            return None
        if self.narrowest is self._pace and self._whole is not None:
            return self._whole.use()
        uses = [bucket.use() for bucket in self._paths.values()]
        wanted, used = (max((use[place] for use in uses), default=0) for place in (1, 2))
        return Use(self.narrowest.documented, wanted, used)

    def room(self, share: Fraction) -> int | None:
        """How many more requests fit now into a share of the account's rate; None: it has none."""
        return None if self._whole is None else self._whole.room(share)

    def share(self, processes: int, slots: int | None) -> None:
        """Keep to `slots` of the rate, or to an equal part of it: so many processes have the account now."""
        if self.narrowest is None:
            return
        part = Fraction(1, processes) if slots is None else Fraction(slots, self.narrowest.documented)
        for pace in filter(None, (self._pace, self._path_pace)):
            pace.part = part
        for bucket in filter(None, (self._whole, *self._paths.values())):
            bucket.look_again()

    def _path(self, request: Request) -> Bucket | None:
        if self._path_pace is None:
            return None
        key = (request.method, request.path)
        bucket = self._paths.get(key)
        if bucket is None:
            if len(self._paths) >= _MOST_PATHS:
                self._paths = {path: known for path, known in self._paths.items() if not known.idle}
            bucket = self._paths[key] = Bucket(self._path_pace, self._clock)
        return bucket

    @property
    def narrowest(self) -> Pace | None:
        """The pace that a limit in an answer is about: the paths', if the provider counts those."""
        return self._path_pace or self._pace


class Slot:
    """One request on its way."""

    def __init__(self, limiter: Limiter, buckets: Sequence[Bucket]) -> None:
        """`buckets`: the narrowest first."""
        self._limiter = limiter
        self._buckets = buckets
        self._entered = 0
        self.left_at = 0
        self.accepted = False
        self.used = True

    async def __aenter__(self) -> Self:
        """Wait for the request's turn."""
        try:
            for bucket in self._buckets:
                await bucket.enter()
                self._entered += 1
            self.left_at = await self._limiter.wait()
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the next request have its turn."""
        self._leave()

    def _leave(self) -> None:
        for bucket in self._buckets[: self._entered]:
            bucket.leave(accepted=self.accepted, used=self.used)

    def give_back(self) -> None:
        """The request does not leave: somebody else may have its slot."""
        self.used = False

    def learn(self, response: Response, asked: float | None) -> None:
        """Heed X-RateLimit-Limit and -Remaining, 429 and 503; `asked` is Retry-After in seconds."""
        self.accepted = response.status != TOO_MANY
        pace = self._limiter.narrowest
        known = pace is not None and self._believe(pace, response)
        if response.status == TOO_MANY:
            self._slow_down(pace, known=known, asked=asked)
        elif response.status == UNAVAILABLE and asked is not None:
            self._limiter.pause(asked)
        elif pace is not None and not known:
            pace.accepted()

    def _believe(self, pace: Pace, response: Response) -> bool:
        limit = _number(response.headers.get("x-ratelimit-limit"))
        if limit is None or not pace.believe(limit):
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


def _number(text: str | None) -> int | None:
    """A whole number of sane length ("100", also the "100" of "100, 100;w=60"), or None."""
    first = (text or "").partition(",")[0].partition(";")[0].strip()
    return int(first) if first.isascii() and first.isdigit() and len(first) <= _MOST_DIGITS else None
