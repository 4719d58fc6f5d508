"""After a crash: what may have caused it runs in ever smaller company, and what did no harm loses no try."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Message, Router, Turn
from storage.sqlite.simulation import SuspectsInMemory, Volatile
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from bridge.store.port import Store


class Noting:
    """A store whose note of running work is in memory."""

    def __init__(self, store: Store, note: SuspectsInMemory) -> None:
        self._store = store
        self._note = note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def mark(self, slot: str, row_id: int, *, running: bool) -> None:
        self._note.mark(slot, row_id, running=running)

    def suspects(self, slot: str) -> frozenset[int]:
        return self._note.suspects[slot]

    def deaths(self, slot: str, row_id: int) -> int:
        return self._note.deaths(slot, row_id)


@dataclass
class Lives:
    """One process after the other on one database. A `poison` ends its process as soon as all others have begun."""

    database: Volatile = field(default_factory=Volatile)
    attempts: int = 5
    overlap: Any = "queue"
    deaths: int = 0
    handled: list[str] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    most: int = 0
    cells: dict[str, dict[int, int]] = field(default_factory=lambda: {"in": {}, "out": {}})
    marked: set[tuple[str, int]] = field(default_factory=set)
    left: tuple[Any, Any] = ()  # type: ignore[assignment]

    async def first(self, texts: list[tuple[str, str]]) -> None:
        """The process that is killed while all of `texts`, by contact, are being handled."""
        await self._live(texts)

    async def until_quiet(self) -> None:
        while await self._live([]):
            pass

    async def _live(self, texts: list[tuple[str, str]]) -> bool:
        """A process; whether it died."""
        died, begun, hang = asyncio.Event(), asyncio.Event(), asyncio.Event()
        if not texts:
            begun.set()
        router = Router()

        @router.message(overlap=self.overlap)
        async def handle(turn: Turn[Message]) -> str:
            said = [event.text for event in turn.events if isinstance(event, Message)]
            self.handled += said
            self.running.update(said)
            self.most = max(self.most, len(self.running))
            if len(self.running) >= len({who for who, _ in texts}):
                begun.set()
            await begun.wait()
            if any(text.startswith("poison") for text in said) or texts:
                if not died.is_set():
                    self.left = copy.deepcopy(self.cells), set(self.marked)
                    died.set()
                await hang.wait()
            for _ in range(20):
                await asyncio.sleep(0)
            self.running.difference_update(said)
            return "done"

        note = SuspectsInMemory(self.cells, self.marked)
        store = await self.database.open(lambda _: asyncio.sleep(0))
        async with turns(
            router, store=store, attempts=self.attempts, concurrency=64, wrap=lambda store: Noting(store, note)
        ) as world:
            for number, (who, text) in enumerate(texts):
                await world.heard(text, f"m-{number}", who)
            quiet = asyncio.create_task(world.settle())
            dead = asyncio.create_task(died.wait())
            await asyncio.wait({quiet, dead}, return_when=asyncio.FIRST_COMPLETED)
            quiet.cancel()
            dead.cancel()
            await world.dispatcher.lanes.stop(0)
            self.running.clear()
        if died.is_set():  # a process that is killed takes nothing back
            self.cells, self.marked = self.left
            self.deaths += 1
        return died.is_set()

    def rows(self) -> dict[int, tuple[str, int]]:
        rows = self.database.db.execute("SELECT id, status, attempt FROM inbox")
        return {row: (state, attempt) for row, state, attempt in rows}


@pytest.fixture
def lives() -> Lives:
    return Lives()


def conversations(count: int, **poisons: str) -> list[tuple[str, str]]:
    return [(f"c{number}", poisons.get(f"c{number}", f"say {number}")) for number in range(count)]


async def test_a_kill_from_outside_costs_nobody_a_try_and_all_run_side_by_side_again(lives: Lives) -> None:
    await lives.first(conversations(30))
    lives.most = 0
    await lives.until_quiet()
    assert lives.deaths == 1
    assert sorted(lives.handled) == sorted([f"say {number}" for number in range(30)] * 2)
    assert lives.rows() == dict.fromkeys(range(1, 31), ("done", 1))
    assert lives.most > 8


@pytest.mark.parametrize(("attempts", "deaths"), [(1, 3), (3, 3), (4, 4), (5, 5), (7, 7)])
@pytest.mark.slow
async def test_an_event_that_kills_each_time_is_dead_after_its_tries_and_no_other_loses_one(
    lives: Lives, attempts: int, deaths: int
) -> None:
    lives.attempts = attempts
    await lives.first(conversations(36, c17="poison"))
    await lives.until_quiet()
    rows = lives.rows()
    assert rows.pop(18) == ("dead", deaths)
    assert rows == {row: ("done", 1) for row in range(1, 37) if row != 18}
    assert lives.handled.count("poison") == lives.deaths == deaths


async def test_two_that_kill_are_told_from_all_others(lives: Lives) -> None:
    await lives.first(conversations(36, c3="poison one", c30="poison two"))
    await lives.until_quiet()
    rows = lives.rows()
    assert {row: state for row, (state, _) in rows.items() if state != "done"} == {4: "dead", 31: "dead"}
    assert {attempt for state, attempt in rows.values() if state == "done"} == {1}
    assert lives.deaths <= 10


async def test_one_of_a_batch_that_kills_takes_the_others_of_the_batch_not_along(lives: Lives) -> None:
    lives.overlap = "merge"
    texts = [("ann", "say 1"), ("ann", "poison"), ("ann", "say 2"), ("ben", "say 3")]
    await lives.first(texts)
    await lives.until_quiet()
    assert {row: state for row, (state, _) in lives.rows().items()} == {1: "done", 2: "dead", 3: "done", 4: "done"}
    assert lives.deaths <= 7
