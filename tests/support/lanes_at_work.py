"""Lanes that work, and the end of all their work."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bridge.engine.lanes import Lanes

if TYPE_CHECKING:
    from tests.support.manual_clock import ManualClock
    from tests.support.row_sources import LineOfWork, Piece


async def finish(line: LineOfWork, lanes: Lanes[Piece], clock: ManualClock) -> None:
    """Let all that is waiting come to its time, until everything is done."""
    for _ in range(2000):
        await asyncio.wait_for(lanes.settle(), 30)
        if not line.left and not lanes:
            return
        due = clock.next_in()
        assert due is not None, f"{line.left} rows left, and nobody will ever come for them"
        clock.advance(due)
        await asyncio.sleep(0)
    pytest.fail(f"{line.left} rows left after a very long time")


async def lanes_of(line: LineOfWork, clock: ManualClock, *, concurrency: int = 8, capacity: int = 100) -> Lanes[Piece]:
    lanes = Lanes(line, clock, concurrency=concurrency, capacity=capacity)
    await lanes.start()
    return lanes
