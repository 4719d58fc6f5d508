"""What is done every so many seconds: whatever fails in it makes it slower and ends nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from bridge.engine.polling import PollingTools, Round
from bridge.errors import Broken, NotSent, Unavailable
from bridge.units import SECOND
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Asking:
    """A round of ten seconds, and its own store; each time it raises `mistake`, if there is one."""

    clock: ManualClock = field(default_factory=ManualClock)
    asked_at: list[int] = field(default_factory=list)
    mistake: Exception | None = None
    has: bool = True

    async def has_duty(self, name: str) -> bool:
        assert name == "poll x shop"
        return self.has

    async def ask(self) -> None:
        self.asked_at.append(self.clock.now())
        if self.mistake is not None:
            raise self.mistake

    async def rest(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def rounds(self, count: int) -> list[float]:
        """The seconds between so many of the next."""
        del self.asked_at[:-1]
        for _ in range(count):
            self.clock.advance(self.clock.next_in() or 0)
            await self.rest()
        return [(after - before) / SECOND for before, after in pairwise(self.asked_at)]


@asynccontextmanager
async def asking() -> AsyncIterator[Asking]:
    found = Asking()
    store: Any = found
    tools = PollingTools(store=store, clock=found.clock, rng=Random(3), wants=lambda _: True)
    made = Round("poll x", "shop", 10.0, found.ask, tools)
    made.start()
    await found.rest()
    yield found
    await made.stop()


@pytest.mark.parametrize("mistake", [NotSent("HTTP 500"), Unavailable("away"), KeyError("of the provider")], ids=repr)
async def test_while_it_fails_it_is_done_ever_more_slowly_and_then_as_before(mistake: Exception) -> None:
    async with asking() as found:
        assert await found.rounds(2) == [10, 10]
        found.mistake = mistake
        pauses = (await found.rounds(10))[1:]
        for number, pause in enumerate(pauses):
            full = min(900, 10 * 2**number)
            assert max(10, full / 2) <= pause <= full
        found.mistake = None
        assert (await found.rounds(3))[1:] == [10, 10]


async def test_the_pause_that_a_gateway_asks_for_is_granted() -> None:
    async with asking() as found:
        found.mistake = NotSent("too many", code="429", retry_after=300.0)
        assert await found.rounds(3) == [10, 300, 300]


async def test_a_process_without_the_duty_asks_for_nothing() -> None:
    async with asking() as found:
        found.has = False
        assert await found.rounds(3) == []
        found.has = True
        assert await found.rounds(2) == [40, 10]


async def test_a_broken_store_ends_it() -> None:
    async with asking() as found:
        found.mistake = Broken("gone")
        await found.rounds(1)
        assert found.clock.next_in() is None
