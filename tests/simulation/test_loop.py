"""The virtual loop: what is due at its time is done at its time, however its seconds are rounded."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from bridge.testing.loop import START, VirtualClock, VirtualLoop
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def twice(seconds: float, done: list[int], loop: VirtualLoop) -> None:
    await asyncio.sleep(seconds)
    await asyncio.sleep(0)
    done.append(loop.now)


def test_all_that_is_due_is_done_when_it_has_run_and_nothing_before_its_time() -> None:
    dice = Random(4)
    for _ in range(2000):
        begins, span = START + dice.randrange(10**9), dice.randrange(1, 10**7)
        loop, done = VirtualLoop(begins), list[int]()
        loop.begin(twice(span / SECOND, done, loop), "sleeper")
        loop.run_ready()
        loop.now = begins + span - 1
        loop.run_ready()
        assert done == []
        loop.now = begins + span
        loop.run_ready()
        assert (done, loop.next_at) == ([begins + span], None)
        loop.close()


def test_an_alarm_rings_at_its_time() -> None:
    dice = Random(5)
    for _ in range(2000):
        begins, span = START + dice.randrange(10**9), dice.randrange(1, 10**7)
        loop, rung = VirtualLoop(begins), list[int]()
        VirtualClock(loop).call_at(begins + span, lambda: rung.append(loop.now))  # noqa: B023 - it rings in this round
        loop.run_ready()
        assert loop.next_at == begins + span
        loop.now = begins + span
        loop.run_ready()
        assert rung == [begins + span]
        loop.close()


async def grow(dice: Random, order: list[str], name: str) -> None:
    """Tasks that make tasks, wait for some of them, and let others go first."""
    for number in range(dice.randrange(4) if len(name) < 5 else 0):
        order.append(name)
        task = asyncio.get_running_loop().create_task(grow(dice, order, f"{name}{number}"))
        if dice.random() < 0.5:
            await asyncio.sleep(0)
        if dice.random() < 0.5:
            await task
    order.append(f"{name} ends")


def test_what_is_ready_runs_in_the_order_of_asyncios_own_loop() -> None:
    for seed in range(200):
        virtual, usual = list[str](), list[str]()
        loop = VirtualLoop()
        loop.begin(grow(Random(seed), virtual, "x"), "root")
        loop.run_ready()
        loop.close()

        async def whole(seed: int = seed, usual: list[str] = usual) -> None:
            await grow(Random(seed), usual, "x")
            for _ in range(200):
                await asyncio.sleep(0)

        asyncio.run(whole())
        assert virtual == usual


def test_timers_that_were_cancelled_never_ring_and_keep_no_other_from_ringing() -> None:
    dice, loop, rung = Random(6), VirtualLoop(), list[int]()
    timers = {at: loop.call_at(at, rung.append, at) for at in dice.sample(range(1, 10_000), 1000)}
    for _ in range(8):
        for at in dice.sample([*timers], 100):
            timers.pop(at).cancel()
        loop.run_ready()
    while loop.next_at is not None:
        loop.now = loop.next_at
        loop.run_ready()
    assert rung == sorted(timers)
    loop.close()


async def counted(ended: list[str]) -> AsyncIterator[int]:
    try:
        for number in range(9):
            yield number
    finally:
        await asyncio.sleep(0)
        ended.append("generator")


async def first(ended: list[str]) -> int:
    async for number in counted(ended):
        return number
    return -1


async def hang(ended: list[str]) -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        ended.append("task")


def test_a_generator_that_is_left_comes_to_its_end() -> None:
    loop, ended = VirtualLoop(), list[str]()
    task = loop.begin(first(ended), "first")
    loop.run_ready()
    assert (task.result(), ended, loop.complaints) == (0, ["generator"], [])
    loop.close()


def test_what_is_abandoned_is_ended_however_many_tasks_there_were() -> None:
    loop, ended = VirtualLoop(), list[str]()
    loop.begin(hang(ended), "early")
    for _ in range(300):
        loop.begin(asyncio.sleep(0), "short")
        loop.run_ready()
    loop.begin(hang(ended), "late")
    loop.run_ready()
    assert not ended
    loop.abandon()
    assert (ended, loop.complaints) == (["task", "task"], [])
