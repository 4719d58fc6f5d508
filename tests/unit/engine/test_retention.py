"""The part of the engine that removes what is old: in small parts, with pauses, by one process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bridge.engine import retention
from bridge.engine.retention import Retention
from bridge.errors import Broken, Unavailable
from bridge.store.retention import KEYS_KEPT, Kept, Sweep, Swept, sweeps
from bridge.units import SECOND
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY = 86_400.0


class Asked:
    """A store with so many rows for each sweep, each transaction of which takes a second."""

    def __init__(self, clock: ManualClock, rows: Mapping[Sweep, int]) -> None:
        self.clock = clock
        self.rows = {**rows}
        self.asked: list[tuple[Sweep, int, int]] = []
        self.has = True
        self.error: Exception | None = None

    async def has_duty(self, name: str) -> bool:
        assert name == "retention"
        return self.has

    async def sweep(self, sweep: Sweep, before: int, *, after: int = 0, limit: int = 0) -> Swept:
        if self.error is not None:
            raise self.error
        self.asked.append((sweep, before, after))
        self.clock.set_by(1)
        rows = min(limit, self.rows.get(sweep, 0))
        self.rows[sweep] = self.rows.get(sweep, 0) - rows
        return Swept(rows, after + rows if rows else None)


async def passes(clock: ManualClock, seconds: float) -> None:
    for _ in range(20):
        await asyncio.sleep(0)
    clock.advance(seconds)
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_a_pause_is_nine_times_as_long_as_the_removal_before_it(clock: ManualClock) -> None:
    store = Asked(clock, {Sweep.EXCHANGES: 2 * retention._ROWS})
    worker = Retention(store, {Kept.EXCHANGES: DAY}, clock)  # type: ignore[arg-type] # what of a store it uses
    worker.start()
    await passes(clock, retention._FIRST)
    assert len(store.asked) == 1
    await passes(clock, 8.9)
    assert len(store.asked) == 1
    await passes(clock, 0.2)
    assert [after for _, _, after in store.asked] == [0, retention._ROWS]
    await worker.stop()


async def test_a_sweep_goes_on_where_it_was_and_begins_anew_after_a_day(clock: ManualClock) -> None:
    store = Asked(clock, {Sweep.EXCHANGES: 1})
    worker = Retention(store, {Kept.EXCHANGES: DAY}, clock)  # type: ignore[arg-type] # as above
    worker.start()
    await passes(clock, retention._FIRST)
    await passes(clock, 9)
    await passes(clock, retention._EVERY)
    assert [after for _, _, after in store.asked] == [0, 1, 1]
    await passes(clock, DAY)
    assert [after for _, _, after in store.asked][-1] == 0
    await worker.stop()


async def test_where_nothing_was_to_remove_the_store_is_left_alone_for_longer(clock: ManualClock) -> None:
    store = Asked(clock, {})
    worker = Retention(store, {Kept.EXCHANGES: DAY}, clock)  # type: ignore[arg-type] # as above
    worker.start()
    await passes(clock, retention._FIRST)
    await passes(clock, retention._IDLE - 1)
    assert len(store.asked) == 1
    await passes(clock, 1)
    assert len(store.asked) == 2
    await worker.stop()


async def test_only_the_process_with_the_duty_removes_anything(clock: ManualClock) -> None:
    store = Asked(clock, {Sweep.EXCHANGES: 1})
    store.has = False
    worker = Retention(store, {Kept.EXCHANGES: DAY}, clock)  # type: ignore[arg-type] # as above
    worker.start()
    await passes(clock, retention._FIRST)
    assert store.asked == []
    await worker.stop()


async def test_a_store_that_is_away_is_asked_again_and_a_broken_one_is_not(clock: ManualClock) -> None:
    store = Asked(clock, {})
    worker = Retention(store, {Kept.EXCHANGES: DAY}, clock)  # type: ignore[arg-type] # as above
    worker.start()
    store.error = Unavailable("away")
    await passes(clock, retention._FIRST)
    store.error = None
    await passes(clock, retention._IDLE)
    assert len(store.asked) == 1
    store.error = Broken("gone")
    await passes(clock, retention._IDLE)
    store.error = None
    await passes(clock, retention._IDLE)
    assert len(store.asked) == 1
    await worker.stop()


async def test_without_an_age_nothing_runs(clock: ManualClock) -> None:
    worker = Retention(Asked(clock, {}), {}, clock)  # type: ignore[arg-type] # as above
    worker.start()
    assert worker._task is None
    await worker.stop()


def test_rows_with_keys_are_kept_for_as_long_as_a_gateway_delivers_again() -> None:
    short = dict(sweeps({Kept.MESSAGES: 3600.0, Kept.STATUSES: 3600.0, Kept.DEAD_LETTERS: 3600.0}, KEYS_KEPT))
    contents = {Sweep.EVENT_CONTENTS, Sweep.MESSAGE_CONTENTS}
    assert {sweep for sweep, before in short.items() if before > 0} == contents
    assert {short[sweep] for sweep in contents} == {KEYS_KEPT - 3600 * SECOND}
    long = dict(sweeps({Kept.MESSAGES: 9 * DAY}, KEYS_KEPT))
    assert contents.isdisjoint(long)
    assert set(long.values()) == {-round(DAY * SECOND)}
