"""Lanes: each thread in order and one row at a time, none lost, none doubled, in bounded memory."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.engine.lanes import BYTES, PAGE, WINDOW, Lanes
from bridge.errors import Broken, ClaimLost, Unavailable
from bridge.units import SECOND
from tests.support.lanes_at_work import finish, lanes_of
from tests.support.manual_clock import ManualClock
from tests.support.row_sources import LineOfWork, Piece

# Order


async def test_rows_of_one_thread_are_worked_on_one_at_a_time_in_order_and_others_meanwhile() -> None:
    clock, line = ManualClock(), LineOfWork(do=lambda _: asyncio.sleep(0, None))
    lanes = await lanes_of(line, clock, concurrency=3)
    line.bring(lanes, 1, 1, 2, 1, 3, 4, 5, 2)
    await finish(line, lanes, clock)
    assert line.done == {1: [1, 2, 4], 2: [3, 8], 3: [5], 4: [6], 5: [7]}
    assert line.most == 3


@pytest.mark.parametrize("rows", [WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW, 5 * WINDOW + 3])
async def test_a_thread_with_more_rows_than_its_window_goes_on_out_of_the_store(rows: int) -> None:
    clock, line = ManualClock(), LineOfWork()
    lanes = await lanes_of(line, clock)
    for _ in range(rows):
        line.bring(lanes, 1)
    await finish(line, lanes, clock)
    assert line.done[1] == list(range(1, rows + 1))


async def test_what_waited_in_the_store_is_taken_up_at_the_start() -> None:
    clock, line = ManualClock(), LineOfWork()
    for thread_id in (1, 2, 1, 3, 1):
        line.store(thread_id)
    lanes = await lanes_of(line, clock)
    await finish(line, lanes, clock)
    assert line.done == {1: [1, 3, 5], 2: [2], 3: [4]}


@pytest.mark.parametrize("capacity", [100, 2])
async def test_what_is_offered_before_the_start_comes_behind_what_waited(capacity: int) -> None:
    """As webhooks do while a new process opens its door before it takes its work up."""
    clock, line = ManualClock(), LineOfWork()
    lanes = Lanes(line, clock, concurrency=2, capacity=capacity)
    for thread_id in (1, 2, 1):
        line.store(thread_id)
    line.bring(lanes, 1, 3, 4, 2, 1)
    assert not line.done
    await lanes.start({2: 1})
    await finish(line, lanes, clock)
    assert line.done == {1: [1, 3, 4, 8], 2: [2, 7], 3: [5], 4: [6]}


async def test_a_row_offered_before_the_head_of_its_thread_is_known_waits_for_it() -> None:
    clock, line = ManualClock(), LineOfWork()
    lanes = await lanes_of(line, clock)
    line.store(1)
    line.bring(lanes, 1)
    await finish(line, lanes, clock)
    assert line.done[1] == [1, 2]


@pytest.mark.parametrize("when", ["before_reading", "after_reading"])
async def test_rows_offered_while_the_store_is_read_are_neither_lost_nor_doubled(when: str) -> None:
    clock, line = ManualClock(), LineOfWork()
    lanes = await lanes_of(line, clock)
    waves = iter(range(20))

    async def meanwhile() -> None:
        if next(waves, None) is not None:
            line.bring(lanes, 1, 2)

    setattr(line, when, meanwhile)
    line.store(1)
    line.bring(lanes, 1)
    await finish(line, lanes, clock)
    assert line.done[1] == sorted(line.done[1])
    assert sum(map(len, line.done.values())) == 2 + 2 * 20


async def test_a_row_that_was_read_before_it_was_offered_is_worked_on_once() -> None:
    clock, line = ManualClock(), LineOfWork()
    lanes = await lanes_of(line, clock)
    commits = iter(range(3))

    async def commit() -> None:
        if next(commits, None) is not None:
            line.commit(lanes, 1)

    line.before_reading = commit
    line.store(1)
    line.bring(lanes, 1)
    await finish(line, lanes, clock)
    assert line.done[1] == [1, 2, 3]


# Memory


async def test_more_threads_than_there_is_room_for_wait_in_the_store() -> None:
    clock, line = ManualClock(), LineOfWork(do=lambda _: asyncio.sleep(0, None))
    lanes = await lanes_of(line, clock, capacity=4, concurrency=2)
    biggest = 0
    for thread_id in range(50):
        line.bring(lanes, thread_id, thread_id)
        biggest = max(biggest, len(lanes))
    await finish(line, lanes, clock)
    assert biggest == 4
    assert all(len(seqs) == 2 for seqs in line.done.values())
    assert len(line.done) == 50


async def test_threads_beyond_the_room_are_taken_up_though_the_store_was_away_when_there_was_room_again() -> None:
    clock, line = ManualClock(), LineOfWork()
    lanes = await lanes_of(line, clock, capacity=2, concurrency=1)
    line.bring(lanes, *range(6))
    line.refuse_reads = 3
    await finish(line, lanes, clock)
    assert len(line.done) == 6


# Again


async def test_a_row_that_is_tried_again_holds_its_own_thread_and_no_other() -> None:
    clock = ManualClock()
    tries: list[tuple[int, int]] = []

    async def do(row: Piece) -> Piece | None:
        tries.append((row.id, row.attempt))
        if row.id == 1 and row.attempt < 3:
            return replace(row, attempt=row.attempt + 1, available_at=clock.now() + SECOND)
        return None

    line = LineOfWork(do=do)
    lanes = await lanes_of(line, clock, concurrency=1)
    line.bring(lanes, 1, 1, 2, 2)
    await lanes.settle()
    assert line.done == {2: [3, 4]}
    clock.advance(0.999)
    await lanes.settle()
    assert tries == [(1, 1), (3, 1), (4, 0)]
    await finish(line, lanes, clock)
    assert [number for number, _ in tries] == [1, 3, 4, 1, 1, 2]
    assert line.done[1] == [1, 2]


async def test_a_row_that_is_not_due_yet_is_left_alone_until_it_is() -> None:
    clock, line = ManualClock(), LineOfWork()
    line.store(1, available_at=clock.now() + 5 * SECOND)
    lanes = await lanes_of(line, clock)
    await lanes.settle()
    assert line.done == {}
    await finish(line, lanes, clock)
    assert (line.done[1], clock.now() % (60 * SECOND)) == ([1], 5 * SECOND)


@pytest.mark.parametrize("error", [Unavailable("full"), RuntimeError("a mistake of ours")])
async def test_a_row_whose_work_fails_stays_and_is_tried_again(error: Exception) -> None:
    failures = iter([error, error])

    async def do(_: Piece) -> Piece | None:
        if failure := next(failures, None):
            raise failure
        return None

    clock, line = ManualClock(), LineOfWork(do=do)
    lanes = await lanes_of(line, clock, concurrency=1)
    line.bring(lanes, 1, 1)
    await finish(line, lanes, clock)
    assert line.done[1] == [1, 2]


async def test_a_row_that_somebody_else_settled_is_passed_over() -> None:
    clock = ManualClock()
    line = LineOfWork()
    seen: list[int] = []

    async def do(row: Piece) -> Piece | None:
        seen.append(row.id)
        if row.id == 1:
            del line.open[1][0]
            raise ClaimLost("settled")
        return None

    line.do = do
    lanes = await lanes_of(line, clock)
    line.bring(lanes, 1, 1)
    await finish(line, lanes, clock)
    assert seen == [1, 2]


async def test_when_the_store_is_broken_the_work_ends_and_nothing_is_tried_again() -> None:
    async def do(_: Piece) -> Piece | None:
        raise Broken("the disk failed")

    clock, line = ManualClock(), LineOfWork(do=do)
    lanes = await lanes_of(line, clock, concurrency=1)
    line.bring(lanes, 1)
    await asyncio.wait_for(lanes.settle(), 30)
    assert clock.next_in() is None


# The end


async def test_stopping_lets_what_runs_finish_and_begins_nothing_new() -> None:
    release = asyncio.Event()

    async def do(_: Piece) -> Piece | None:
        await release.wait()
        return None

    clock, line = ManualClock(), LineOfWork(do=do)
    lanes = await lanes_of(line, clock, concurrency=1)
    line.bring(lanes, 1, 2)
    await asyncio.sleep(0)
    stopping = asyncio.create_task(lanes.stop(5))
    await asyncio.sleep(0)
    release.set()
    await stopping
    assert line.done == {1: [1]}


async def test_a_stop_ends_the_search_for_threads_that_wait_in_the_store() -> None:
    class Endless(LineOfWork):
        async def heads(self, after_seq: int, limit: int, group: str | None = None) -> list[Piece]:
            assert (limit, group) == (PAGE, None)
            self.reads += 1
            await asyncio.sleep(0)
            return [Piece(id=after_seq + 1, seq=after_seq + 1, thread_id=1)]

    lanes: Lanes[Piece] = Lanes(Endless(), ManualClock(), concurrency=1, capacity=1)
    starting = asyncio.create_task(lanes.start())
    for _ in range(10):
        await asyncio.sleep(0)
    await lanes.stop(0)
    await asyncio.wait_for(starting, 5)


async def test_what_will_not_end_is_cancelled() -> None:
    clock, line = ManualClock(), LineOfWork(do=lambda _: asyncio.Event().wait())  # type: ignore[arg-type, return-value]
    lanes = await lanes_of(line, clock)
    line.bring(lanes, 1)
    await asyncio.sleep(0)
    await asyncio.wait_for(lanes.stop(0), 30)
    assert line.running == set()


# Whatever happens


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32), capacity=st.integers(1, 8), concurrency=st.integers(1, 5))
def test_no_row_is_lost_doubled_or_out_of_order_whatever_happens(seed: int, capacity: int, concurrency: int) -> None:
    asyncio.run(asyncio.wait_for(random_life(random.Random(seed), capacity, concurrency), 20))


def rough_day(rng: random.Random, clock: ManualClock, line: LineOfWork) -> None:
    """Work and reads take their time, fail now and then, and want to be tried again."""

    async def dawdle() -> None:
        for _ in range(rng.choice((0, 0, 1, 3))):
            await asyncio.sleep(0)

    async def do(row: Piece) -> Piece | None:
        await dawdle()
        dice = rng.random()
        if dice < 0.05:
            raise rng.choice((Unavailable("full"), RuntimeError("oh")))
        if dice < 0.15:
            return replace(row, attempt=row.attempt + 1, available_at=clock.now() + rng.randrange(3 * SECOND))
        return None

    line.do, line.before_reading, line.after_reading = do, dawdle, dawdle


async def random_life(rng: random.Random, capacity: int, concurrency: int) -> None:
    large = rng.random() < 0.3
    clock, line = ManualClock(), LineOfWork(groups=("a", "b", "c")[: rng.randrange(1, 4)])
    rough_day(rng, clock, line)
    for _ in range(rng.randrange(30)):
        line.store(rng.randrange(6))
    groups = line.groups[: rng.randrange(1, 4)]  # of the last ones nobody was told
    line.size = BYTES // 3 if large else 0
    lanes = Lanes(line, clock, concurrency=concurrency, capacity=capacity, groups=groups)
    suspects = {rng.randrange(1, 30): rng.randrange(1, 5) for _ in range(rng.randrange(6))}
    starting = asyncio.create_task(lanes.start(suspects))
    for _ in range(rng.randrange(60)):
        what = rng.random()
        if what < 0.7:
            line.commit(lanes, *(rng.randrange(8) for _ in range(rng.choice((1, 1, 2, 40)))))
        elif what < 0.8:
            clock.advance(rng.random())
        elif starting.done():
            line.refuse_reads = rng.randrange(3)
        if rng.random() < 0.7:
            line.tell()
        assert len(lanes) <= 5 * (capacity + capacity // 4), (
            "those that wait for their time are four times as many at most"
        )
        await asyncio.sleep(0)
    line.tell()
    await starting
    await finish(line, lanes, clock)
    assert all(seqs == sorted(set(seqs)) for seqs in line.done.values())


async def test_a_clock_that_is_set_back_makes_no_pause_longer() -> None:
    clock, line = ManualClock(), LineOfWork()
    line.store(1, available_at=clock.now() + 5 * SECOND)
    lanes = await lanes_of(line, clock)
    await lanes.settle()
    clock.set_by(-86_400)
    clock.advance(5)
    await lanes.settle()
    assert line.done[1] == [1]


async def test_rows_in_memory_are_bounded_however_many_threads_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.engine.lanes.ROWS", 500)
    clock, line, held = ManualClock(), LineOfWork(), asyncio.Event()

    async def hold(_: Piece) -> None:
        await held.wait()

    line.do = hold
    lanes = await lanes_of(line, clock, capacity=1000, concurrency=1)
    for thread_id in range(300):
        line.bring(lanes, *[thread_id] * 20)
    in_memory = sum(len(lane.rows) for lane in lanes._lanes.values())
    assert in_memory <= 4 * 500
    held.set()
    await lanes.settle()
    assert line.left == 0


@pytest.mark.parametrize("at_the_start", [False, True])
async def test_rows_in_memory_are_bounded_in_bytes(*, at_the_start: bool) -> None:
    clock, line = ManualClock(), LineOfWork()
    line.size = BYTES // 8
    threads = [thread_id for _ in range(3) for thread_id in range(60)]
    if at_the_start:
        for thread_id in threads:
            line.store(thread_id)
    hold = asyncio.Event()

    async def hang(_: Piece) -> Piece | None:
        await hold.wait()
        return None

    line.do = hang
    lanes = await lanes_of(line, clock, concurrency=2)
    if not at_the_start:
        line.bring(lanes, *threads)
    for _ in range(20):
        await asyncio.sleep(0)
    assert sum(piece.size for lane in lanes._lanes.values() for piece in lane.rows) <= BYTES + 2 * line.size
    assert len(lanes) == 60
    hold.set()
    await finish(line, lanes, clock)
    assert all(line.done[thread_id] == sorted(line.done[thread_id]) for thread_id in range(60))
    assert sum(map(len, line.done.values())) == 180
    assert lanes._bytes == 0


async def test_what_is_over_takes_no_bytes() -> None:
    clock, line = ManualClock(), LineOfWork(do=lambda _: asyncio.sleep(0, None))
    line.size = BYTES // 8
    lanes = await lanes_of(line, clock)
    lanes.offer([line.store(1), line.store(1), line.store(2)])
    await finish(line, lanes, clock)
    assert line.done == {1: [1, 2], 2: [3]}
    assert lanes._bytes == 0
