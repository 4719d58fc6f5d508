"""Overlap: bursts in one turn, every event accounted for once, in order, over failures and crashes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import (
    Button,
    Buttons,
    Contact,
    Echo,
    Entry,
    Event,
    HandlerError,
    Image,
    Media,
    Message,
    Outgoing,
    Place,
    Postback,
    Router,
    Text,
    Turn,
)
from bridge.calling import call_site, handler_of
from bridge.clock import SECOND
from bridge.overlap import INTERRUPTIONS, MOST, Overlap, as_overlap, burst_of, debounce
from bridge.store import InboxRow
from bridge.transcript import pairs_of
from tests.storage.desk import Desk, ref_of
from tests.turns import ATTEMPTS, turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.turns import Turns

BURST = 50


def account_for(turn: Turn) -> None:
    """Note in the thread's state, which is committed with the turn, what this turn answered."""
    ids = [event.id for event in (*turn.skipped, *turn.events)]
    turn.state["turns"] = [*turn.state.get("turns", []), ids]


def message(**changes: Any) -> Message:
    return Message(id="m", contact=Contact(id="ann"), at=datetime(2026, 1, 1, 12, tzinfo=UTC), **changes)


class Gate:
    """A handler that notes what it is given; its first turn waits until the gate is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = asyncio.Event()
        self.begun: list[list[str]] = []
        self.fail: Callable[[Sequence[str]], bool] = lambda _: False

    async def handle(self, turn: Turn[Message]) -> str:
        account_for(turn)
        ids = [event.id for event in turn.events]
        self.begun.append(ids)
        self.entered.set()
        if self.fail([*(event.id for event in turn.skipped), *ids]):
            raise ValueError("no")
        await self.open.wait()
        return f"{len(turn.skipped)}+{len(turn.events)} {turn.event.text}"


def bot(gate: Gate, overlap: Any, **more: Any) -> Router:
    router = Router("bot")

    @router.message(text="stop")
    async def stop(turn: Turn) -> str:
        account_for(turn)
        return "stopped"

    router.message(overlap=overlap, **more)(gate.handle)
    return router


async def answered(world: Turns, who: str = "ann") -> list[list[str]]:
    """The events of each committed turn of a thread, in order."""
    summaries = await world.store.threads()
    (thread,) = [each for each in summaries if each.ref.conversation_id == who]
    found: list[list[str]] = json.loads((await world.store.thread(thread.id)).state).get("turns", [])
    return found


async def say_burst(world: Turns, number: int = BURST) -> list[str]:
    keys = [f"m-{at}" for at in range(1, number + 1)]
    for key in keys:
        await world.heard(key, key)
    return keys


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


async def test_a_burst_that_fails_is_tried_again_whole_and_at_last_one_by_one() -> None:
    """The poisonous event dies alone, after as many tries as any other; those around it are answered."""
    gate = Gate()
    gate.open.set()
    gate.fail = lambda ids: "m-3" in ids
    async with turns(bot(gate, "merge")) as world:
        gate.open.clear()
        await world.heard("m-0", "m-0")
        await gate.entered.wait()
        await say_burst(world, 5)
        gate.open.set()
        await world.wait_out(ATTEMPTS * 6)
        assert await answered(world) == [["m-0"], ["m-1"], ["m-2"], ["m-4"], ["m-5"]]
        (letter,) = await world.store.dead_letters()
        assert (letter.attempt, letter.reason) == (ATTEMPTS, f"given up after {ATTEMPTS} tries: ValueError: no")
        assert gate.begun.count(["m-1", "m-2", "m-3", "m-4", "m-5"]) == ATTEMPTS - 1


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
        assert [row.attempt for row in waiting] == [2, 1, 0]
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


async def test_slow_handlers_do_not_hold_up_quick_ones() -> None:
    """More slow turns than all places together: everybody else is answered meanwhile."""
    gate = Gate()
    router = Router("slow")
    router.message(regex="^slow", timeout="10min")(gate.handle)

    @router.message()
    async def quick(_: Turn) -> str:
        return "quick"

    async with turns(router) as world:
        for at in range(100):
            await world.heard("slow", f"s-{at}", f"slow-{at}")
        for at in range(30):
            await world.heard("hi", f"q-{at}", f"quick-{at}")
        async with asyncio.timeout(5):
            while len([each for each in await world.store.threads() if each.version]) < 30:  # noqa: ASYNC110 - the store
                await asyncio.sleep(0)
        assert len(gate.begun) == 64
        gate.open.set()
        await world.settle()
        assert len(gate.begun) == 100


async def test_a_handler_has_the_time_it_asks_for_and_no_more() -> None:
    router = Router("timed")

    @router.message(text="long", timeout="1min")
    async def long(_: Turn) -> str:
        await asyncio.sleep(0.1)
        return "done"

    @router.message(text="short", timeout="10ms")
    async def short(_: Turn) -> str:
        await asyncio.sleep(5)
        return "never"

    async with turns(router, seconds=0.05, attempts=1) as world:
        await world.heard("long", "m-1")
        await world.heard("short", "m-2")
        await world.settle()
        assert await world.said() == ["done"]
        (reason,) = await world.reasons()
        assert "took longer than 0.01 s" in reason


async def test_a_transcript_is_ready_for_a_language_model() -> None:
    gate = Gate()
    read: list[Any] = []
    router = Router("llm")

    @router.message(overlap="merge")
    async def reply(turn: Turn) -> str:
        gate.entered.set()
        await gate.open.wait()
        read.append((await turn.transcript(), [entry.direction for entry in await turn.history()]))
        return f"answer {len(read)}"

    async with turns(router) as world:
        await world.heard("hello", "m-1")
        await gate.entered.wait()
        await world.heard("are you", "m-2")
        await world.heard("there", "m-3")
        gate.open.set()
        await world.settle()
        first, second = read
        assert first == ([{"role": "user", "content": "hello"}], [])
        assert second == (
            [
                {"role": "user", "content": "hello"},
                {"role": "assistant", "content": "answer 1"},
                {"role": "user", "content": "are you\nthere"},
            ],
            ["in", "out"],
        )


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SAID: list[tuple[Event | Outgoing, str, str]] = [
    (message(text="hi"), "user", "hi"),
    (message(kind="image", media=Media(url="https://x.example/a.png", caption="look")), "user", "[image] look"),
    (message(kind="location", location=Place(latitude=1, longitude=2, name="Shop")), "user", "[location] Shop"),
    (Postback(id="p", contact=Contact(id="ann"), at=NOON, key="yes", title="Yes please"), "user", "Yes please"),
    (Echo(id="e", contact=Contact(id="ann"), at=NOON, text="I take over", human=True), "assistant", "I take over"),
    (Text("hello"), "assistant", "hello"),
    (Buttons("Sure?", [Button("y", "Yes"), Button("n", "No")]), "assistant", "Sure?\n- Yes\n- No"),
    (Image("https://x.example/a.png", caption="look"), "assistant", "[image] look"),
]


@pytest.mark.parametrize(("said", "role", "content"), SAID, ids=lambda each: type(each).__name__)
def test_everything_said_has_words(said: Any, role: str, content: str) -> None:
    entry = (
        Entry(direction="in", at=NOON, event=said)
        if isinstance(said, Event)
        else Entry(direction="out", at=NOON, message=said)
    )
    assert pairs_of([entry]) == [{"role": role, "content": content}]


def test_our_own_message_coming_back_is_not_said_twice() -> None:
    echo = Echo(id="e", contact=Contact(id="ann"), at=NOON, text="hello")
    entries = [
        Entry(direction="out", at=NOON, message=Text("hello")),
        Entry(direction="in", at=NOON, event=echo),
    ]
    assert pairs_of(entries) == [{"role": "assistant", "content": "hello"}]


@given(
    rows=st.lists(st.tuples(st.integers(0, ATTEMPTS), st.booleans()), min_size=1, max_size=12),
    attempts=st.integers(1, ATTEMPTS),
)
@settings(max_examples=200)
def test_a_burst_is_the_longest_run_of_events_that_fit(rows: list[tuple[int, bool]], attempts: int) -> None:
    row = InboxRow(id=0, seq=0, thread_id=1, ref=ref_of("ann"), key="", event=message(text="x"), attempt=0)
    waiting = [replace(row, id=at, attempt=tried) for at, (tried, _) in enumerate(rows)]
    handler = handler_of(account_for, None, call_site())
    burst = burst_of(waiting, handler, attempts, lambda each: rows[each.id][1])
    taken = [each.id for each in burst.rows]
    assert taken == list(range(len(taken)))
    assert all(rows[at][1] for at in taken[1:])
    last = [each for each in burst.rows[1:] if each.attempt and each.attempt + 1 >= attempts]
    assert last == []
    if len(taken) > 1:
        assert rows[0][0] <= 1 or rows[0][0] < attempts
    if not burst.closed:
        assert len(taken) == len(rows)


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        ({"overlap": "drop"}, "overlap is one of queue, merge, latest, interrupt"),
        ({"overlap": None}, "overlap is one of"),
        ({"timeout": "soon"}, "a duration is a number"),
        ({"timeout": 0}, "timeout is more than nothing"),
        ({"timeout": "2d"}, "at most a day"),
    ],
)
def test_a_manner_that_cannot_be_is_told_at_once(manner: dict[str, Any], reason: str) -> None:
    with pytest.raises(HandlerError, match=reason) as caught:
        Router().message(**manner)
    assert "test_overlap.py:" in str(caught.value)


def test_an_unknown_keyword_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="overlp"):
        Router().message(overlp="merge")  # type: ignore[call-arg]


@pytest.mark.parametrize(("quiet", "more"), [("0s", {}), ("2h", {}), ("2s", {"at_most": "1s"}), ("x", {})])
def test_a_debounce_that_cannot_be_is_told_at_once(quiet: str, more: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"debounce|duration"):
        debounce(quiet, **more)


def test_policies_are_told_by_their_name() -> None:
    assert as_overlap("merge") == Overlap(name="merge")
    assert as_overlap(debounce(2)) == Overlap(name="debounce", quiet=2 * SECOND, at_most=20 * SECOND)
