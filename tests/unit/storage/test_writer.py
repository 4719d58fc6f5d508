"""The line of what waits to be written: bounded in bytes, and without what nobody waits for any more."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from bridge.errors import Unavailable
from storage import writer
from storage.results import Result
from storage.writer import Unit, Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bridge.errors import StoreError


class Body:
    """What a unit holds."""


class Stalled:
    """A database in somebody else's hands until `go`; the kinds that were written."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.written: list[str] = []
        self.writer = Writer(self.run, lambda _: None, lambda _: None)

    async def run(self, units: Sequence[Unit]) -> list[Result | StoreError]:
        await self.go.wait()
        self.written += [unit.kind for unit in units]
        return [Result(value=unit.kind) for unit in units]

    def submit(self, kind: str, body: object = None, *, size: int = 0, lapses: bool = True) -> asyncio.Task[Result]:
        return asyncio.create_task(self.writer.submit(Unit(kind, body, size, lapses)))


@pytest.fixture
async def stalled() -> AsyncIterator[Stalled]:
    made = Stalled()
    made.writer.start()
    first = made.submit("first")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    yield made
    made.go.set()
    await first
    await made.writer.close()


async def turn_of_the_loop() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


@pytest.mark.slow
async def test_what_a_refused_caller_sent_is_let_go_and_never_written(stalled: Stalled) -> None:
    body = Body()
    gone = weakref.ref(body)
    refused, kept = stalled.submit("refused", body), stalled.submit("kept", Body())
    del body
    await turn_of_the_loop()
    refused.cancel()
    await asyncio.wait({refused})
    del refused
    await turn_of_the_loop()
    gc.collect()
    assert gone() is None
    stalled.go.set()
    assert (await kept).value == "kept"
    assert stalled.written == ["first", "kept"]


async def test_what_does_not_lapse_is_written_without_its_caller(stalled: Stalled) -> None:
    turn = stalled.submit("turn", lapses=False)
    await turn_of_the_loop()
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)
    stalled.go.set()
    assert (await stalled.submit("next")).value == "next"
    assert stalled.written == ["first", "turn", "next"]


async def test_the_line_is_bounded_in_bytes_and_what_lapses_makes_room(
    stalled: Stalled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "QUEUE_BYTES", 1000)
    large = [stalled.submit("large", size=400) for _ in range(2)]
    await turn_of_the_loop()
    with pytest.raises(Unavailable, match="cannot keep up"):
        await stalled.submit("too much", size=400)
    small = stalled.submit("small", size=100)
    await turn_of_the_loop()
    large.pop().cancel()
    await turn_of_the_loop()
    again = stalled.submit("again", size=400)
    await turn_of_the_loop()
    stalled.go.set()
    assert [task.value for task in await asyncio.gather(*large, small, again)] == ["large", "small", "again"]


async def test_one_unit_larger_than_the_bound_is_written_where_nothing_else_waits(
    stalled: Stalled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "QUEUE_BYTES", 1000)
    huge = stalled.submit("huge", size=5000)
    await turn_of_the_loop()
    stalled.go.set()
    assert (await huge).value == "huge"
    assert (await stalled.submit("next", size=900)).value == "next"
