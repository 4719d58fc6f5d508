"""The virtual loop: what is due at its time is done at its time, however its seconds are rounded."""

from __future__ import annotations

import asyncio
from random import Random

from bridge.testing.loop import START, VirtualClock, VirtualLoop
from bridge.units import SECOND


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
