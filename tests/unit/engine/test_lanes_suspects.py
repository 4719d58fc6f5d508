"""Lanes after a crash: suspects run side by side, wait for nobody else, and hold nobody up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.engine.lanes import Lanes
from bridge.units import SECOND
from tests.support.lanes_at_work import finish
from tests.support.manual_clock import ManualClock
from tests.support.row_sources import LineOfWork, Piece

if TYPE_CHECKING:
    from collections.abc import Mapping


async def suspects_in_line(
    line: LineOfWork, clock: ManualClock, suspects: Mapping[int, int], *, concurrency: int = 4, capacity: int = 100
) -> list[tuple[int, int]]:
    """Each row as it begins, and how many suspects run with it."""
    begun: list[tuple[int, int]] = []
    running: set[int] = set()

    async def do(row: Piece) -> Piece | None:
        running.add(row.id)
        begun.append((row.id, len(running & suspects.keys())))
        for _ in range(5):
            await asyncio.sleep(0)
        running.remove(row.id)
        return None

    line.do = do
    lanes = Lanes(line, clock, concurrency=concurrency, capacity=capacity)
    await lanes.start(suspects)
    await finish(line, lanes, clock)
    return begun


async def test_suspects_run_side_by_side_as_far_as_they_may_and_wait_for_nobody_else() -> None:
    clock, line = ManualClock(), LineOfWork()
    for thread_id in range(1, 9):
        line.store(thread_id)
    begun = await suspects_in_line(line, clock, dict.fromkeys((1, 2, 5, 6), 2), concurrency=8)
    assert {number for number, _ in begun[:6]} == {1, 2, 3, 4, 7, 8}
    assert max(company for _, company in begun) == 2


async def test_the_more_suspected_begin_later_and_the_most_suspected_alone() -> None:
    clock, line = ManualClock(), LineOfWork()
    for thread_id in range(1, 8):
        line.store(thread_id)
    begun = await suspects_in_line(line, clock, {1: 1, 2: 2, 3: 4, 4: 4, 5: 4, 6: 2, 7: 1})
    numbers = [number for number, _ in begun]
    assert [numbers[:3], sorted(numbers[3:5]), numbers[5:]] == [[3, 4, 5], [2, 6], [1, 7]]
    assert [company for _, company in begun[-2:]] == [1, 1]
    assert max(company for _, company in begun[3:5]) <= 2


async def test_where_every_thread_is_suspected_all_places_are_in_use_afterwards() -> None:
    clock, line = ManualClock(), LineOfWork()
    for _ in range(10):
        for thread_id in range(1, 5):
            line.store(thread_id)
    begun = await suspects_in_line(line, clock, dict.fromkeys(range(1, 5), 1))
    assert begun[0] == (1, 1)
    assert line.most == 4
    assert [company for number, company in begun if number <= 4] == [1, 1, 1, 1]


async def test_a_suspect_that_waits_for_its_time_holds_up_no_other_and_stays_on_probation() -> None:
    clock, line = ManualClock(), LineOfWork()
    waited: list[int] = []

    async def do(row: Piece) -> Piece | None:
        waited.append(row.id)
        return None if waited.count(row.id) > 1 else replace(row, available_at=clock.now() + SECOND)

    line.do = do
    for thread_id in (1, 2):
        line.store(thread_id)
    lanes = Lanes(line, clock, concurrency=4)
    await lanes.start({1: 1, 2: 1})
    await lanes.settle()
    assert waited == [1, 2]
    assert line.most == 1
    await finish(line, lanes, clock)
    assert waited == [1, 2, 1, 2]
    assert line.most == 1


async def test_suspects_for_whom_there_is_no_room_at_the_start_begin_when_there_is() -> None:
    clock, line = ManualClock(), LineOfWork()
    for thread_id in range(1, 9):
        line.store(thread_id)
    begun = await suspects_in_line(line, clock, dict.fromkeys((5, 6, 7, 8), 1), capacity=2)
    assert sorted(number for number, _ in begun) == list(range(1, 9))
    assert max(company for _, company in begun) == 1


async def test_a_suspect_behind_the_head_of_its_thread_is_on_probation_when_it_is_the_head() -> None:
    clock, line = ManualClock(), LineOfWork()
    for thread_id in (1, 2, 1, 1, 2, 2):
        line.store(thread_id)
    begun = await suspects_in_line(line, clock, dict.fromkeys(range(3, 7), 1))
    assert max(company for _, company in begun) == 1
