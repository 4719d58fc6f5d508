"""The limiter against providers that count, change their minds and tell nonsense; time is moved by hand."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import pytest

from bridge.engine.delivery.rate_limit import Limiter, Pace
from bridge.providers.answers import retry_after
from bridge.providers.port import Request, Response
from bridge.store.shares import Use
from bridge.units import SECOND, PerPeriod
from tests.support.manual_clock import START, ManualClock

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE = PerPeriod(100, 60.0)
PATHS = PerPeriod(5, 1.0)


@dataclass
class Counter:
    """A provider that takes `limit` requests in any `period` seconds, by path if so wished, and answers late."""

    clock: ManualClock
    limit: int
    period: float
    by_path: bool = False
    tells: bool = False
    asks: bool = True
    fixed: bool = False
    rng: Random = field(default_factory=lambda: Random(7))
    taken: dict[str, deque[int]] = field(default_factory=dict)
    answers: list[tuple[int, int]] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        await self.clock.sleep(self.rng.uniform(0.01, 0.2))
        now, span = self.clock.now(), round(self.period * SECOND)
        calls = self.taken.setdefault(request.path if self.by_path else "", deque())
        while calls and (calls[0] // span < now // span if self.fixed else calls[0] <= now - span):
            calls.popleft()
        good = len(calls) < self.limit
        if good:
            calls.append(now)
        headers = {}
        if self.tells:
            headers = {"x-ratelimit-limit": str(self.limit), "x-ratelimit-remaining": str(self.limit - len(calls))}
        if not good and self.asks:
            headers["retry-after"] = str(-(-(calls[0] + span - now) // SECOND))
        self.answers.append((now, 200 if good else 429))
        await self.clock.sleep(self.rng.uniform(0.01, 0.2))
        return Response(status=200 if good else 429, headers=headers)

    def refused(self, since: float = 0.0) -> float:
        """The share of refusals among the answers of the time after `since` seconds."""
        begin = self.answers[0][0] + round(since * SECOND)
        late = [status for at, status in self.answers if at >= begin]
        return late.count(429) / len(late)


async def work(limiter: Limiter, provider: Counter, paths: list[str], each: int) -> None:
    """Everybody sends one after the other, as the lanes do, and a refused one again."""

    async def sender(path: str) -> None:
        done = 0
        while done < each:
            request = Request(method="POST", path=path)
            async with limiter.slot(request) as place:
                response = await provider.answer(request)
                place.learn(response, retry_after(response))
            done += response.status == 200

    await passing(provider.clock, *(sender(path) for path in paths))


async def passing(clock: ManualClock, *what: object) -> None:
    """Run to the end, time passing whenever nobody has anything to do."""
    tasks = [asyncio.ensure_future(each) for each in what]  # type: ignore[call-overload]
    while not all(task.done() for task in tasks):
        for _ in range(30):
            await asyncio.sleep(0)
        if (wait := clock.next_in()) is not None:
            clock.advance(wait)
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("fixed", [False, True], ids=["sliding", "fixed"])
async def test_a_provider_that_keeps_to_what_it_documents_never_refuses(*, fixed: bool) -> None:
    clock = ManualClock()
    provider = Counter(clock, 100, 60.0, fixed=fixed)
    began = clock.now()
    await work(Limiter(MINUTE, None, clock), provider, [f"/{n}" for n in range(20)], 25)
    assert provider.refused() == 0
    assert (clock.now() - began) / SECOND < 5 * 61 + 5  # and no time is given away


@pytest.mark.parametrize("tells", [False, True], ids=["silent", "telling"])
async def test_processes_that_share_an_account_keep_its_rate_together(*, tells: bool) -> None:
    clock = ManualClock()
    provider = Counter(clock, 100, 60.0, tells=tells)
    limiters = [Limiter(MINUTE, None, clock) for _ in range(4)]
    for limiter in limiters:
        limiter.share(len(limiters), None)
    began = clock.now()
    work_of_all = [work(limiter, provider, [f"/{n}" for n in range(5)], 25) for limiter in limiters]
    await asyncio.gather(*work_of_all)
    assert provider.refused() == 0
    assert (clock.now() - began) / SECOND < 5 * 61 + 5


async def rest() -> None:
    """Whoever has anything to do does it, and no time passes."""
    for _ in range(30):
        await asyncio.sleep(0)


async def test_slots_that_are_given_let_those_leave_who_wait_and_those_that_are_taken_hold_back() -> None:
    clock = ManualClock()
    limiter = Limiter(MINUTE, None, clock)
    limiter.share(2, 0)
    entered = []

    async def send() -> None:
        async with limiter.slot(Request(method="POST", path="/a")):
            entered.append(clock.now())

    sending = [asyncio.create_task(send()) for _ in range(5)]
    await rest()
    assert (len(entered), limiter.use()) == (0, Use(100, 5, 0))
    limiter.share(2, 3)
    await rest()
    assert (len(entered), limiter.use()) == (3, Use(100, 5, 3))
    limiter.share(2, 4)
    await rest()
    assert len(entered) == 4
    limiter.share(1, None)
    await asyncio.gather(*sending)


async def test_each_path_has_a_rate_of_its_own() -> None:
    clock = ManualClock()
    provider = Counter(clock, 5, 1.0, by_path=True)
    began = clock.now()
    await work(Limiter(None, PATHS, clock), provider, [f"/{n % 20}" for n in range(40)], 10)
    assert provider.refused() == 0
    assert (clock.now() - began) / SECOND < 7


@pytest.mark.slow
@pytest.mark.parametrize("asks", [False, True], ids=["silent", "retry-after"])
async def test_after_a_limit_sank_without_a_word_hardly_a_request_is_refused(*, asks: bool) -> None:
    clock = ManualClock()
    provider = Counter(clock, 100, 60.0, asks=asks)
    limiter = Limiter(MINUTE, None, clock)
    names = [f"/{n}" for n in range(20)]
    await work(limiter, provider, names, 10)
    assert provider.refused() == 0
    provider.limit = 37
    provider.answers.clear()
    await work(limiter, provider, names, 100)
    assert provider.refused(since=300) < 0.01
    rate = sum(status == 200 for _, status in provider.answers) / (clock.now() - provider.answers[0][0]) * SECOND
    assert rate > 0.7 * 37 / 60  # nor does it creep


async def test_a_limit_that_is_told_is_kept_up_and_down() -> None:
    clock = ManualClock()
    provider = Counter(clock, 5, 1.0, by_path=True, tells=True)
    limiter = Limiter(None, PATHS, clock)
    for limit, seconds in ((5, 5.0), (2, 12.0), (20, 2.5)):
        provider.limit = limit
        await work(limiter, provider, ["/a"] * 10, 2)  # time to learn
        provider.answers.clear()
        began = clock.now()
        await work(limiter, provider, ["/a"] * 10, 2)
        assert provider.refused() < 0.01
        assert (clock.now() - began) / SECOND < seconds * 1.5


def test_a_rate_that_was_cut_rises_by_one_after_each_calm_and_no_higher_than_it_was() -> None:
    pace = Pace(PerPeriod(5, 1.0), ManualClock(), ceiling=True)

    def after(accepted: int) -> int:
        for _ in range(accepted):
            pace.accepted()
        return pace.own

    pace.refused(START, 3)
    assert (after(199), after(1)) == (3, 4)
    assert (after(199), after(1), after(500)) == (4, 5, 5)
    pace.refused(START + 1, 4)
    after(199)
    pace.refused(START, 0)
    assert (after(199), after(1)) == (4, 5), "a refusal ends a calm, also one that cuts nothing"


async def test_places_that_somebody_else_took_are_not_taken_again() -> None:
    clock = ManualClock()
    provider = Counter(clock, 10, 1.0, by_path=True, tells=True)
    limiter = Limiter(None, PerPeriod(10, 1.0), clock)
    provider.taken["/a"] = deque([clock.now()] * 8)
    await work(limiter, provider, ["/a"], 1)
    provider.answers.clear()
    await work(limiter, provider, ["/a"] * 3, 1)
    assert provider.refused() == 0


async def test_a_rate_that_was_written_down_is_never_exceeded() -> None:
    clock = ManualClock()
    provider = Counter(clock, 500, 60.0, tells=True)
    began = clock.now()
    await work(Limiter(MINUTE, None, clock), provider, [f"/{n}" for n in range(20)], 10)
    assert (clock.now() - began) / SECOND > 60


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-limit": "0", "x-ratelimit-remaining": "0"},
        {"x-ratelimit-limit": "-1"},
        {"x-ratelimit-limit": "abc", "x-ratelimit-remaining": "0"},
        {"x-ratelimit-limit": "1e9"},
        {"x-ratelimit-limit": "99999999999999999999999"},
        {"x-ratelimit-limit": "10000", "x-ratelimit-remaining": "1"},  # a day's quota
        {"x-ratelimit-remaining": "0"},
        {"x-ratelimit-limit": "\uff15"},
    ],
)
async def test_nonsense_changes_nothing(headers: Mapping[str, str]) -> None:
    clock = ManualClock()
    limiter = Limiter(MINUTE, PATHS, clock)
    assert await waits(limiter, clock, Response(status=200, headers=headers)) == 0


@pytest.mark.parametrize(
    ("asked", "waited"),
    [("5", 5), ("0", 1), ("-1", 1), ("abc", 1), ("", 1), ("1e9", 1), ("999999999", 900), ("901", 900)],
)
async def test_a_wish_to_be_left_alone_is_held_to_a_second_and_a_quarter_of_an_hour(asked: str, waited: float) -> None:
    clock = ManualClock()
    refusal = Response(status=429, headers={"retry-after": asked})
    assert await waits(Limiter(None, None, clock), clock, refusal) == waited
    assert await waits(Limiter(None, PATHS, clock), clock, refusal) == waited


async def test_a_refused_path_holds_up_no_other_and_a_service_that_is_away_all() -> None:
    clock = ManualClock()
    for status, waited in ((429, 0), (503, 50)):
        answer = Response(status=status, headers={"retry-after": "50"})
        assert await waits(Limiter(None, PATHS, clock), clock, answer, other="/b") == waited


async def test_idle_paths_are_forgotten() -> None:
    clock = ManualClock()
    limiter = Limiter(None, PATHS, clock)
    for number in range(5000):
        async with limiter.slot(Request(method="POST", path=f"/{number}")):
            pass
        clock.advance(0.01)
    assert len(limiter._paths) <= 4096


async def test_a_sender_that_gives_up_leaves_its_place_to_others() -> None:
    clock = ManualClock()
    limiter = Limiter(PerPeriod(1, 1.0), None, clock)

    async def stuck() -> None:
        async with limiter.slot(Request(method="POST", path="/a")):
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(stuck()) for _ in range(3)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    began = clock.now()
    await work(limiter, Counter(clock, 9, 1.0), ["/a"], 1)
    assert (clock.now() - began) / SECOND < 1.5


async def waits(limiter: Limiter, clock: ManualClock, answer: Response, other: str = "/a") -> float:
    """How long the next request to `other` waits, in seconds, after `answer` to one to /a."""
    async with limiter.slot(Request(method="POST", path="/a")) as place:
        place.learn(answer, retry_after(answer))
    began = clock.now()

    async def following() -> None:
        async with limiter.slot(Request(method="POST", path=other)):
            pass

    await passing(clock, following())
    return (clock.now() - began) / SECOND


async def test_a_clock_that_is_set_back_holds_up_nobody_for_that_long() -> None:
    clock = ManualClock()
    limiter = Limiter(PerPeriod(1, 60.0), None, clock)
    async with limiter.slot(Request(method="POST", path="/")):
        pass
    limiter.pause(5)
    clock.set_by(-86_400)
    came = asyncio.create_task(_come(limiter))
    for _ in range(40):
        await asyncio.sleep(0)
        clock.advance(60)
    await asyncio.sleep(0)
    assert came.done()
    await came


async def _come(limiter: Limiter) -> None:
    async with limiter.slot(Request(method="POST", path="/")):
        pass
