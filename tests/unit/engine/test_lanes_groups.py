"""Lanes of several groups: each has its share of the places and of the memory, and what only waits takes none."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.engine.lanes import Lanes
from bridge.units import SECOND
from tests.support.lanes_at_work import finish, lanes_of
from tests.support.manual_clock import ManualClock
from tests.support.row_sources import LineOfWork, Piece

if TYPE_CHECKING:
    import pytest

# Groups


async def hanging(line: LineOfWork, clock: ManualClock, *, concurrency: int, capacity: int = 100) -> Lanes[Piece]:
    """Lanes of the groups "even" and "odd", by thread; the work on even threads never ends."""
    line.groups = ("even", "odd")

    async def do(row: Piece) -> Piece | None:
        if row.thread_id % 2 == 0:
            await asyncio.Event().wait()
        return None

    line.do = do
    lanes = Lanes(line, clock, concurrency=concurrency, capacity=capacity, groups=line.groups)
    await lanes.start()
    return lanes


async def loops(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_group_that_hangs_leaves_places_to_every_other() -> None:
    clock, line = ManualClock(), LineOfWork()
    lanes = await hanging(line, clock, concurrency=8)
    line.bring(lanes, *range(0, 40, 2))
    line.bring(lanes, 1, 3, 5, 1)
    await loops()
    assert line.done == {1: [21, 24], 3: [22], 5: [23]}
    assert len(line.running) == 8
    await lanes.stop(0)


async def test_a_group_that_fills_the_memory_leaves_room_to_every_other() -> None:
    clock, line = ManualClock(), LineOfWork()
    lanes = await hanging(line, clock, concurrency=8, capacity=12)
    line.bring(lanes, *range(0, 60, 2))
    assert len(lanes) == 12
    line.bring(lanes, 1, 3)
    await loops()
    assert line.done == {1: [31], 3: [32]}
    await lanes.stop(0)


async def test_threads_of_a_group_are_found_behind_any_number_of_another_at_the_start_and_later() -> None:
    clock, line = ManualClock(), LineOfWork()
    for thread_id in range(0, 100, 2):
        line.store(thread_id)
    for thread_id in range(1, 21, 2):
        line.store(thread_id)
    lanes = await hanging(line, clock, concurrency=8, capacity=12)
    await loops(200)
    assert sorted(line.done) == [*range(1, 21, 2)]
    await lanes.stop(0)


async def test_the_groups_have_their_turns_one_after_another() -> None:
    clock, line, begun = ManualClock(), LineOfWork(groups=("even", "odd")), list[int]()

    async def do(row: Piece) -> Piece | None:
        begun.append(row.thread_id)
        return None

    line.do = do
    for thread_id in (*range(0, 20, 2), 1, 3):
        line.store(thread_id)
    lanes = Lanes(line, clock, concurrency=1, groups=line.groups)
    await lanes.start()
    await finish(line, lanes, clock)
    assert begun[:4] == [0, 1, 2, 3]


async def test_work_that_takes_long_gives_its_place_back_to_all() -> None:
    clock, line, long = ManualClock(), LineOfWork(groups=("even", "odd")), asyncio.Event()
    lanes = Lanes(line, clock, concurrency=1, groups=line.groups)

    async def do(row: Piece) -> Piece | None:
        if row.thread_id < 4:
            with lanes.aside(row):
                await long.wait()
        return None

    line.do = do
    await lanes.start()
    line.bring(lanes, 0, 2, 1, 3, 4)
    await loops()
    assert line.done == {4: [5]}
    long.set()
    await finish(line, lanes, clock)
    assert lanes._places.total == 0


# Those that wait for their time


async def test_threads_that_wait_for_their_time_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.engine.lanes.HEADS", 5)
    clock = ManualClock()

    async def do(row: Piece) -> Piece | None:
        waits = row.thread_id < 30 and row.available_at == 0 and clock.now() < ready
        return replace(row, available_at=ready) if waits else None

    ready, line = clock.now() + 10 * SECOND, LineOfWork(do=do, size=100)
    lanes = await lanes_of(line, clock, capacity=10)
    for thread_id in range(30):
        line.bring(lanes, thread_id, thread_id)
        await loops(5)
    assert len(lanes) == 30
    line.bring(lanes, 50)
    await loops()
    assert line.done == {50: [61]}
    in_memory = sum(len(lane.rows) for lane in lanes._lanes.values())
    assert in_memory <= 2 * 5
    assert lanes._bytes == in_memory * line.size
    await finish(line, lanes, clock)
    assert all(len(line.done[thread_id]) == 2 for thread_id in range(30))


async def test_a_thread_that_left_its_rows_to_the_store_is_woken_or_goes_on_without_its_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.engine.lanes.HEADS", 0)
    clock, tries = ManualClock(), list[int]()

    async def do(row: Piece) -> Piece | None:
        tries.append(row.id)
        return replace(row, available_at=clock.now() + 60 * SECOND) if tries.count(row.id) == 1 else None

    line = LineOfWork(do=do)
    lanes = await lanes_of(line, clock)
    line.bring(lanes, 1, 1, 2, 2)
    await lanes.settle()
    assert tries == [1, 3]
    assert lanes.wake([1, 2]) == 1
    del line.open[2][0]
    lanes.forget([3])
    await lanes.settle()
    assert tries[:3] == [1, 3, 1]
    assert sorted(tries[3:]) == [2, 4]
    await finish(line, lanes, clock)
    assert line.done == {1: [1, 2], 2: [4]}
