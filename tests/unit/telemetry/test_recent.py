"""The figures of the last day: what was counted between two samples, in arrays that do not grow."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from bridge.engine.counters import Counters
from bridge.errors import Unavailable
from bridge.store.looks import AccountSummary
from bridge.telemetry.recent import EVERY, SERIES, Recent, quantile
from bridge.telemetry.sources import Source, Sources
from bridge.units import SECOND
from tests.support.manual_clock import START, ManualClock

if TYPE_CHECKING:
    from collections.abc import Sequence


class Provider:
    """Konnek, with a token that ends."""

    name = "konnek"
    expires_at: int | None = None


class Shop:
    """A bridge with one account, as far as its figures go; it is its own store."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.counters = Counters()
        self.summary = AccountSummary(account="shop")
        self.provider = Provider()
        self.worker = SimpleNamespace(paused="")
        self.sharing = ["one"]
        self.is_away = False

    def recent(self, kept: int = 100) -> Recent:
        return Recent(Sources(self._each, self._takes, self.clock), kept)

    def _each(self) -> Sequence[Source]:
        made = SimpleNamespace(
            accounts={"shop": SimpleNamespace(provider=self.provider)},
            counters=self.counters,
            store=self,
            delivery=SimpleNamespace(workers={"shop": self.worker}),
            file=None,
        )
        return [cast("Source", made)]

    async def _takes(self) -> bool:
        return True

    async def accounts(self) -> list[AccountSummary]:
        if self.is_away:
            raise Unavailable("away")
        return [self.summary]

    async def processes(self) -> list[str]:
        return self.sharing


async def sampled(shop: Shop, recent: Recent, seconds: float = EVERY) -> None:
    """Time passes, and a sample is taken."""
    shop.clock.advance(seconds)
    await recent.sample()


def latest(recent: Recent, *names: str) -> tuple[float | None, ...]:
    """What the last sample says."""
    values = recent.curves(86_400, 100_000).values
    return tuple(values[name][-1] for name in names)


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def test_what_was_counted_between_two_samples_becomes_rates(shop: Shop) -> None:
    counters, recent = shop.counters, shop.recent()
    counters.webhooks["shop", 200] = 1000  # before the first sample
    await recent.sample()
    assert recent.curves(3600, 100).times == []
    counters.webhooks["shop", 200] += 20
    counters.webhooks["shop", 401] += 1
    counters.webhooks["other", 404] += 2
    counters.webhooks["shop", 503] += 3
    counters.turns["shop", "done"] += 10
    for outcome in ("sent", "sent", "resolved", "unknown", "consent", "expired", "rejected"):
        counters.ended("shop", outcome, dead=outcome == "rejected")
    counters.retries["shop", "event"] += 1
    counters.events["shop", "whatsapp", "message", "quarantined"] += 4
    await sampled(shop, recent)
    assert latest(recent, "webhooks", "turns", "sent") == (2.0, 1.0, 0.3)
    assert latest(recent, "denied", "invalid", "busy", "quarantined") == (6.0, 12.0, 18.0, 24.0)
    assert latest(recent, "again", "given_up", "unknown", "held_back") == (6.0, 6.0, 6.0, 12.0)
    await sampled(shop, recent)
    assert latest(recent, "webhooks", "denied", "given_up") == (0.0, 0.0, 0.0)


async def test_what_takes_long_is_told_by_the_share_that_took_less(shop: Shop) -> None:
    recent = shop.recent()
    shop.counters.turn_seconds["shop"].add(60)  # before the first sample
    await recent.sample()
    for _ in range(90):
        shop.counters.turn_seconds["shop"].add(0.02)
    for _ in range(10):
        shop.counters.turn_seconds["shop"].add(2)
    await sampled(shop, recent)
    half, most = latest(recent, "turn_p50", "turn_p95")
    assert half is not None
    assert most is not None
    assert 0.01 < half <= 0.025
    assert 1 < most <= 2.5
    assert latest(recent, "attempt_p95", "commit_p95") == (None, None)  # nothing was tried
    await sampled(shop, recent)
    assert latest(recent, "turn_p95") == (None,)


def test_a_share_lies_on_the_line_between_two_bounds() -> None:
    counts = [0] * 16
    counts[3] = 10  # from 5 to 10 ms
    assert quantile(counts, 0.5) == pytest.approx(0.0075)
    assert quantile([0] * 15 + [1], 0.95) == 60
    assert str(quantile([0] * 16, 0.5)) == "nan"


async def test_what_waits_is_read_in_the_stores_and_unknown_while_they_are_away(shop: Shop) -> None:
    recent = shop.recent()
    await recent.sample()
    shop.summary = AccountSummary(
        account="shop", open_events=3, open_messages=4, oldest=shop.clock.now() - 20 * SECOND, dead=5
    )
    await sampled(shop, recent)
    assert latest(recent, "open_events", "open_messages", "oldest", "dead") == (3.0, 4.0, 30.0, 5.0)
    shop.is_away = True
    shop.counters.turns["shop", "done"] += 1
    await sampled(shop, recent)
    assert latest(recent, "open_events", "oldest", "turns") == (None, None, 0.1)


async def test_a_day_is_kept_and_no_more(shop: Shop) -> None:
    recent = shop.recent(kept=5)
    await recent.sample()
    for number in range(12):
        shop.counters.turns["shop", "done"] += 10 * number
        await sampled(shop, recent)
    curves = recent.curves(86_400, 100)
    assert curves.values["turns"] == [7.0, 8.0, 9.0, 10.0, 11.0]
    assert curves.times == [START // SECOND + 10 * number for number in (8, 9, 10, 11, 12)]
    assert recent.curves(25, 100).values["turns"] == [9.0, 10.0, 11.0]
    assert set(curves.values) == set(SERIES)
    assert {len(values) for values in recent._values.values()} == {5}


async def test_steps_hold_the_mean_of_rates_and_the_highest_of_what_waits(shop: Shop) -> None:
    recent = shop.recent()
    await recent.sample()
    for number in range(10):
        shop.counters.turns["shop", "done"] += 10 * number
        shop.summary = AccountSummary(account="shop", open_events=number)
        await sampled(shop, recent)
    curves = recent.curves(86_400, 3)
    assert curves.every == 40
    assert curves.values["turns"] == [1.5, 5.5, 8.5]
    assert curves.values["open_events"] == [3.0, 7.0, 9.0]


async def test_a_clock_that_is_set_back_begins_anew(shop: Shop) -> None:
    recent = shop.recent()
    await recent.sample()
    for _ in range(3):
        await sampled(shop, recent)
    shop.clock.set_by(-3600)
    await recent.sample()
    assert recent.curves(86_400, 100).times == []
    await sampled(shop, recent)
    times = recent.curves(86_400, 100).times
    assert times == [shop.clock.now() // SECOND]


async def test_each_sample_is_told_and_a_failing_one_is_not_the_end(shop: Shop) -> None:
    recent, told = shop.recent(), []
    recent.heard.append(lambda: told.append(shop.clock.now()))
    recent.start()

    async def pass_time() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        shop.clock.advance(EVERY)
        for _ in range(20):
            await asyncio.sleep(0)

    await pass_time()
    sharing, shop.sharing = shop.sharing, cast("list[str]", None)
    await pass_time()
    shop.sharing = sharing
    await pass_time()
    await recent.stop()
    assert len(told) == 2


async def test_each_account_is_told_as_it_stands(shop: Shop) -> None:
    recent = shop.recent()
    shop.sharing = ["one", "two"]
    shop.summary = AccountSummary(account="shop", open_messages=2, dead=1, last_received=7)
    shop.worker.paused = "HTTP 401"
    shop.provider.expires_at = 99
    await recent.sample()
    (state,) = await recent.accounts()
    assert (state.account, state.provider, state.open_messages, state.dead) == ("shop", "konnek", 2, 1)
    assert (state.last_received, state.paused, state.token_ends) == (7, "HTTP 401", 99)
    assert recent.is_one_of == 2
