"""Lanes where other processes store rows in the same threads, too: each thread in order all the same."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.support.lanes_at_work import finish, lanes_of
from tests.support.manual_clock import ManualClock
from tests.support.row_sources import LineOfWork, Piece


def own_row(line: LineOfWork, thread_id: int) -> Piece:
    """A row that this process stored, as a store gives it: behind which open row it stands."""
    before = max((row.seq for row in line.open[thread_id]), default=0)
    return replace(line.store(thread_id), after=before)


async def test_a_row_behind_one_of_another_process_waits_for_it() -> None:
    clock, line = ManualClock(), LineOfWork(do=lambda _: asyncio.sleep(0, None))
    lanes = await lanes_of(line, clock)
    lanes.offer([own_row(line, 1)])
    line.store(1)
    lanes.offer([own_row(line, 1)])
    await finish(line, lanes, clock)
    assert line.done[1] == [1, 2, 3]


async def test_rows_that_nobody_told_of_are_found_when_they_are_looked_for() -> None:
    clock, line = ManualClock(), LineOfWork(do=lambda _: asyncio.sleep(0, None))
    lanes = await lanes_of(line, clock)
    lanes.offer([own_row(line, 1)])
    for thread_id in (1, 2, 2):
        line.store(thread_id)
    lanes.look_again({}, everywhere=True)
    await finish(line, lanes, clock)
    assert line.done == {1: [1, 2], 2: [3, 4]}


async def test_suspects_that_were_taken_over_run_as_few_at_a_time_as_they_may() -> None:
    begun: list[int] = []
    most = 0

    async def do(row: Piece) -> Piece | None:
        nonlocal most
        begun.append(row.id)
        most = max(most, len(begun) - sum(map(len, line.done.values())))
        await asyncio.sleep(0)
        return None

    clock, line = ManualClock(), LineOfWork(do=do)
    lanes = await lanes_of(line, clock)
    for thread_id in range(1, 6):
        line.store(thread_id)
    lanes.look_again(dict.fromkeys(range(1, 6), 1), everywhere=False)
    await finish(line, lanes, clock)
    assert sorted(begun) == [1, 2, 3, 4, 5]
    assert most == 1


async def test_a_suspect_that_ran_is_none_any_more() -> None:
    clock, line = ManualClock(), LineOfWork(do=lambda _: asyncio.sleep(0, None))
    lanes = await lanes_of(line, clock)
    for thread_id in (1, 2):
        line.store(thread_id)
    lanes.look_again({1: 1, 2: 1}, everywhere=False)
    await finish(line, lanes, clock)
    assert lanes._company is not None
    assert not lanes._company._widths


MOVES = [(move, thread_id) for move in ("own", "theirs", "news", "step") for thread_id in (1, 2, 3)]


@given(st.binary(max_size=60))
def test_whoever_stores_what_and_whenever_that_is_told_threads_keep_their_order(moves: bytes) -> None:
    asyncio.run(life([MOVES[number % len(MOVES)] for number in moves]))


async def life(moves: list[tuple[str, int]]) -> None:
    clock, line = ManualClock(), LineOfWork(do=lambda _: asyncio.sleep(0, None))
    lanes = await lanes_of(line, clock)
    untold: deque[Piece] = deque()

    def tell() -> None:
        row = untold.popleft()
        if any(stored.id == row.id for stored in line.open[row.thread_id]):  # as the store looks, before it tells
            lanes.offer([row])

    for move, thread_id in moves:
        if move == "own":
            lanes.offer([own_row(line, thread_id)])
        elif move == "theirs" and line.open[thread_id]:  # else the thread would be theirs
            untold.append(own_row(line, thread_id))
        elif move == "news" and untold:
            tell()
        else:
            await asyncio.sleep(0)
    while untold:
        tell()
    await finish(line, lanes, clock)
    assert all(done == sorted(done) for done in line.done.values())
