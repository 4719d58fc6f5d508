"""Overlap: bursts in one turn, every event accounted for once, in order, over failures and crashes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Contact, Echo, Router, Turn
from bridge.engine.turns.batching import MOST
from bridge.engine.turns.interruption import INTERRUPTIONS
from bridge.events import encode_event
from bridge.routing.overlap import debounce
from bridge.testing.contract.store.desk import NOON, Desk, arrival
from tests.support.bursting_bots import BURST, Gate, account_for, answered, bot, say_burst
from tests.support.turn_engine import ATTEMPTS, turns

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.store.port import Store
    from bridge.store.records import Arrival, InboxRow, ThreadRow


@pytest.mark.parametrize(
    ("overlap", "turns_made", "replies"),
    [
        ("queue", [1] * BURST, [f"0+1 m-{at}" for at in range(1, BURST + 1)]),
        ("merge", [1, BURST - 1], ["0+1 m-1", f"0+{BURST - 1} m-{BURST}"]),
        ("latest", [1, BURST - 1], ["0+1 m-1", f"{BURST - 2}+1 m-{BURST}"]),
    ],
)
async def test_a_burst_is_accounted_for_event_by_event(overlap: str, turns_made: list[int], replies: list[str]) -> None:
    gate = Gate()
    async with turns(bot(gate, overlap)) as world:
        await world.heard("m-1", "m-1")
        await gate.entered.wait()
        keys = await say_burst(world)
        gate.open.set()
        await world.settle()
        made = await answered(world)
        assert [key for each in made for key in each] == keys
        assert [len(each) for each in made] == turns_made
        assert await world.said() == replies
        assert (await world.store.counts())["open_events"] == 0


async def test_interrupt_begins_anew_with_all_events_and_forgets_what_was_cancelled() -> None:
    gate = Gate()
    async with turns(bot(gate, "interrupt")) as world:
        await world.heard("m-1", "m-1")
        await gate.entered.wait()
        gate.entered.clear()
        await world.heard("m-2", "m-2")
        await gate.entered.wait()
        gate.open.set()
        await world.settle()
        assert gate.begun == [["m-1"], ["m-1", "m-2"]]
        assert await answered(world) == [["m-1", "m-2"]]
        assert await world.said() == ["0+2 m-2"]
        assert await world.reasons() == []


async def test_a_contact_who_never_stops_is_answered_all_the_same() -> None:
    gate = Gate()
    async with turns(bot(gate, "interrupt")) as world:
        for at in range(1, INTERRUPTIONS + 4):
            gate.entered.clear()
            await world.heard(f"m-{at}", f"m-{at}")
            if at <= INTERRUPTIONS + 1:
                await gate.entered.wait()
        assert len(gate.begun) == INTERRUPTIONS + 1
        gate.open.set()
        await world.settle()
        made = await answered(world)
        assert [len(each) for each in made] == [INTERRUPTIONS + 1, 2]


async def test_an_event_for_another_handler_interrupts_nothing_and_keeps_its_place() -> None:
    gate = Gate()
    async with turns(bot(gate, "interrupt")) as world:
        for at, text in enumerate(["a", "stop", "b"], 1):
            await world.heard(text, f"m-{at}")
            await gate.entered.wait()
        gate.open.set()
        await world.settle()
        assert gate.begun == [["m-1"], ["m-3"]]
        assert await world.said() == ["0+1 a", "stopped", "0+1 b"]


async def test_what_another_handler_takes_parts_a_burst() -> None:
    gate = Gate()
    async with turns(bot(gate, "merge")) as world:
        await world.heard("first", "m-0")
        await gate.entered.wait()
        for at, text in enumerate(["a", "b", "stop", "c", "d"], 1):
            await world.heard(text, f"m-{at}")
        gate.open.set()
        await world.settle()
        assert await answered(world) == [["m-0"], ["m-1", "m-2"], ["m-3"], ["m-4", "m-5"]]


async def test_debounce_waits_for_quiet_and_then_answers_all() -> None:
    gate = Gate()
    gate.open.set()
    async with turns(bot(gate, debounce("2s"))) as world:
        for at in range(3):
            await world.heard(f"m-{at}", f"m-{at}")
            await world.settle()
            world.clock.advance(1.5)
            await world.settle()
        assert gate.begun == []
        world.clock.advance(0.6)
        await world.settle()
        assert await answered(world) == [["m-0", "m-1", "m-2"]]
        assert await world.said() == ["0+3 m-2"]


async def test_debounce_does_not_wait_for_ever() -> None:
    gate = Gate()
    gate.open.set()
    async with turns(bot(gate, debounce("2s", at_most="5s"))) as world:
        for at in range(8):
            await world.heard(f"m-{at}", f"m-{at}")
            await world.settle()
            world.clock.advance(1)
            await world.settle()
        assert gate.begun[0] == ["m-0", "m-1", "m-2", "m-3", "m-4"]


async def test_something_else_ends_the_wait() -> None:
    gate = Gate()
    gate.open.set()
    async with turns(bot(gate, debounce("2s"))) as world:
        await world.heard("a", "m-1")
        await world.settle()
        assert gate.begun == []
        await world.heard("stop", "m-2")
        world.clock.advance(2)
        await world.settle()
        assert await world.said() == ["0+1 a", "stopped"]


@pytest.mark.parametrize("attempts", [2, ATTEMPTS])
async def test_a_burst_that_fails_is_tried_again_whole_and_at_last_one_by_one(attempts: int) -> None:
    """The poisonous event dies alone, after as many tries as any other; those around it are answered."""
    gate = Gate()
    gate.open.set()
    gate.fail = lambda ids: "m-3" in ids
    async with turns(bot(gate, "merge"), attempts=attempts) as world:
        gate.open.clear()
        await world.heard("m-0", "m-0")
        await gate.entered.wait()
        await say_burst(world, 5)
        gate.open.set()
        await world.wait_out(attempts * 6)
        assert await answered(world) == [["m-0"], ["m-1"], ["m-2"], ["m-4"], ["m-5"]]
        (letter,) = await world.store.dead_letters()
        assert (letter.attempt, letter.reason) == (attempts, f"given up after {attempts} tries: ValueError: no")
        assert gate.begun.count(["m-1", "m-2", "m-3", "m-4", "m-5"]) == attempts - 1


async def test_with_a_single_attempt_each_of_a_burst_has_its_own() -> None:
    gate = Gate()
    gate.fail = lambda ids: "m-2" in ids
    async with turns(bot(gate, "merge"), attempts=1) as world:
        await world.heard("m-0", "m-0")
        await gate.entered.wait()
        await say_burst(world, 3)
        gate.open.set()
        await world.wait_out()
        assert await answered(world) == [["m-0"], ["m-1"], ["m-3"]]
        assert len(await world.reasons()) == 1


async def test_a_passing_failure_costs_a_burst_one_try() -> None:
    gate = Gate()
    failures = iter([True])
    gate.fail = lambda ids: len(ids) > 1 and next(failures, False)
    async with turns(bot(gate, "merge")) as world:
        await world.heard("m-0", "m-0")
        await gate.entered.wait()
        await say_burst(world, 4)
        gate.open.set()
        await world.wait_out()
        assert await answered(world) == [["m-0"], ["m-1", "m-2", "m-3", "m-4"]]


async def test_more_than_fits_a_turn_waits_for_the_next() -> None:
    gate = Gate()
    async with turns(bot(gate, "merge")) as world:
        await world.heard("m-0", "m-0")
        await gate.entered.wait()
        keys = await say_burst(world, MOST + 5)
        gate.open.set()
        await world.settle()
        made = await answered(world)
        assert [len(each) for each in made] == [1, MOST, 5]
        assert [key for each in made for key in each] == ["m-0", *keys]


async def test_a_crash_counts_for_every_event_of_the_burst_it_was_in(tmp_path: Path) -> None:
    desk = await Desk(f"sqlite:///{tmp_path}/x.db").open()
    rows = await desk.hear("m-1", "m-2", "m-3")
    for row in rows[:2]:
        desk.store.mark("in", row.id, running=True)
    await desk.store.close()
    gate = Gate()
    async with turns(bot(gate, "merge"), url=desk.url) as world:
        await gate.entered.wait()
        assert gate.begun == [["m-1", "m-2", "m-3"]]
        waiting = await world.store.inbox_after(rows[0].thread_id, 0, 10)
        assert [world.store.deaths("in", row.id) for row in waiting] == [1, 1, 0]
        assert [row.attempt for row in waiting] == [1, 0, 0], "it was not alone, and may have done no harm"
        gate.open.set()
        await world.settle()
        assert await answered(world) == [["m-1", "m-2", "m-3"]]


async def test_a_burst_that_kills_the_process_is_taken_apart_before_it_is_given_up(tmp_path: Path) -> None:
    desk = await Desk(f"sqlite:///{tmp_path}/x.db").open()
    rows = await desk.hear("m-1", "m-2")
    for row in rows:
        desk.store.mark("in", row.id, running=True)
    await desk.store.close()
    for _ in range(ATTEMPTS - 2):
        gate = Gate()
        async with turns(bot(gate, "merge"), url=desk.url) as world:
            await gate.entered.wait()
            assert gate.begun == [["m-1", "m-2"]]
            for row in rows:  # as if the process had ended here
                world.store.mark("in", row.id, running=True)
            await world.dispatcher.lanes.stop(0)
            for row in rows:
                world.store.mark("in", row.id, running=True)
    gate = Gate()
    gate.open.set()
    async with turns(bot(gate, "merge"), url=desk.url) as world:
        await world.settle()
        assert gate.begun == [["m-1"], ["m-2"]]


async def test_threads_do_not_share_a_burst() -> None:
    gate = Gate()
    async with turns(bot(gate, "merge")) as world:
        await world.heard("m-0", "m-0")
        await world.heard("n-0", "n-0", "bob")
        await gate.entered.wait()
        for at in range(1, 4):
            await world.heard(f"m-{at}", f"m-{at}")
            await world.heard(f"n-{at}", f"n-{at}", "bob")
        gate.open.set()
        await world.settle()
        assert await answered(world) == [["m-0"], ["m-1", "m-2", "m-3"]]
        assert await answered(world, "bob") == [["n-0"], ["n-1", "n-2", "n-3"]]


async def test_outer_middleware_that_leads_elsewhere_takes_no_burst_along() -> None:
    gate = Gate()
    router = bot(gate, "merge")
    aside = Router("aside")

    @aside.outer_middleware
    async def lead(turn: Turn, call_next: Any) -> None:
        if turn.event.id in {"m-1", "m-3"}:
            turn.step = "elsewhere"
        await call_next()

    @aside.message(step="elsewhere")
    async def elsewhere(turn: Turn) -> str:
        account_for(turn)
        turn.step = None
        return "elsewhere"

    aside.include(router)
    async with turns(aside) as world:
        await world.heard("m-0", "m-0")
        await gate.entered.wait()
        await say_burst(world, 3)
        gate.open.set()
        await world.settle()
        assert await answered(world) == [["m-0"], ["m-1"], ["m-2"], ["m-3"]]
        assert await world.said() == ["0+1 m-0", "elsewhere", "0+1 m-2", "elsewhere"]


async def test_where_events_alternate_a_turn_reads_few_of_those_behind_it() -> None:
    gate, pages = Gate(), []

    class Counting:
        def __init__(self, store: Store) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        async def inbox_after(self, *asked: int) -> list[InboxRow]:
            rows = await self._store.inbox_after(*asked)
            pages.append(len(rows))
            return rows

    async with turns(bot(gate, "merge"), wrap=Counting) as world:
        await world.heard("m-0", "m-0")
        await gate.entered.wait()
        for at in range(60):
            await world.heard("stop" if at % 2 else "go", f"m-{at + 1}")
        gate.open.set()
        await world.settle()
        assert len(await answered(world)) == 61
        assert sum(pages) < 61 * 6


class Doubting:
    """A store that gets an echo while a turn begins, and does not know yet whether a person wrote it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.doubts = True
        self.echo: Arrival | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def thread(self, thread_id: int) -> ThreadRow:
        row = await self._store.thread(thread_id)
        if self.echo is not None:
            echo, self.echo = self.echo, None
            await self._store.receive([echo])
        return row

    async def sent_by_us(self, row: InboxRow, now: int) -> bool | None:
        return None if self.doubts else await self._store.sent_by_us(row, now)


@pytest.mark.parametrize("overlap", ["merge", "latest", "interrupt"])
async def test_a_doubt_about_an_echo_behind_it_keeps_no_turn_in_its_place(overlap: str) -> None:
    gate, stores = Gate(), list[Doubting]()
    gate.open.set()
    echo = Echo(id="e-1", contact=Contact(id="ann"), at=NOON, human=True)

    def wrap(store: Store) -> Any:
        stores.append(Doubting(store))
        return stores[0]

    async with turns(bot(gate, overlap), wrap=wrap) as world:
        stores[0].echo = arrival("e-1", event=echo, encoded=encode_event(echo))
        await world.store.receive([arrival("m-1")])
        await asyncio.wait_for(world.settle(), 10)
        assert gate.begun == [["m-1"]]
        stores[0].doubts = False
        world.clock.advance(60)
        await world.settle()
        assert (await world.store.counts())["open_events"] == 0
