"""The world of the test kit: what people do and see in it, time, faults, and runs that are the same again."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Image, Message, Router, Text, Turn
from bridge.routing.router import rulebook_of
from bridge.testing.decisions import Schedule
from bridge.testing.spans import seconds_of
from bridge.testing.stage import NotCounted, Stuck
from bridge.testing.world import World
from tests.support.worlds import ALL, CHANNELS, counted, counting, refunded, shop

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def router() -> Router:
    return shop()


@pytest.fixture
def counter() -> Iterator[World]:
    with World(counting()) as made:
        yield made


async def test_a_world_is_a_fixture_with_the_bot_of_the_fixture_router(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("order 7")
    await ann.clicks("Refund")
    await world.settle()
    ann.saw("~refund")
    ann.saw_once("~Done")


@pytest.mark.parametrize(("provider", "channel"), CHANNELS)
async def test_every_provider_is_there(world: World, provider: str, channel: str) -> None:
    ann = world.contact(provider, channel, "ann")
    await ann.says("order 7")
    await ann.clicks("refund")
    await world.settle()
    ann.saw("~Order 7", "~Done")
    ann.saw_once("Done: 1 refund of 7")


async def test_nobody_sees_what_is_said_to_others(world: World) -> None:
    ann, bob = (world.contact("konnek", "whatsapp", name) for name in ("ann", "bob"))
    ann_too = world.contact("konnek", "telegram", "ann")
    for each in (ann, bob, ann_too):
        await each.says("hello")
    await ann.says("order 7")
    await world.settle()
    ann.saw_once("~Order 7")
    bob.saw_nothing()
    ann_too.saw_nothing()


async def test_media_and_places_arrive() -> None:
    heard: list[Message] = []
    router = Router()

    @router.message()
    def keep(turn: Turn[Message]) -> Image:
        heard.append(turn.event)
        return Image("https://files.test/out.png", caption="thanks")

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.sends("image", "https://files.test/in.jpg", "look")
        await ann.locates(1.5, 103.25)
        await world.settle()
        assert [each.kind for each in heard] == ["image", "location"]
        assert heard[0].media is not None
        assert heard[0].media.url == "https://files.test/in.jpg"
        ann.saw("~out.png", "~thanks", kind="image")
        assert len(ann.seen) == 2


async def test_expectations_fail_with_the_phone_in_their_text(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    with pytest.raises(AssertionError, match=r"did not see '~Order'.*\n.*phone.*\n.*nothing"):
        ann.saw("~Order")
    await ann.says("order 7")
    with pytest.raises(AssertionError, match="still on its way"):
        ann.saw("~Order")
    await world.settle()
    await ann.says("order 7")
    await world.settle()
    for wrong, why in (
        (lambda: ann.saw_once("~Order 7"), "2 times, not once"),
        (lambda: ann.saw("~Done"), r"Order 7. What now\? \[Refund\] \[Keep it\]"),
        (lambda: ann.saw("~Order", "~Order", "~Order"), "after message 2"),
        (lambda: ann.saw("~order", kind="text"), r"\(text\)"),
        (lambda: ann.saw("order 7. what now?"), "did not see 'order 7"),
        (ann.saw_nothing, "saw something"),
        (lambda: ann.saw_nothing(re.compile("Order [7-9]")), "Order"),
    ):
        with pytest.raises(AssertionError, match=why):
            wrong()
    with pytest.raises(AssertionError, match="nothing like 'Sell'"):
        await ann.clicks("Sell")
    with pytest.raises(AssertionError, match="did not see"):
        await ann.sees("~Done")


async def test_a_phone_that_was_cleared_is_empty(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("order 7")
    assert (await ann.sees(re.compile("Order"))).kind == "buttons"
    ann.clears()
    ann.saw_nothing()
    await ann.says("order 8")
    await world.settle()
    ann.saw_once("~Order")


async def test_time_passes_when_it_is_told_to_and_at_no_other_time(counter: World) -> None:
    router = Router()

    @router.default()
    async def later(_: Turn[Any]) -> Text:
        return Text("still there?", at=datetime(2025, 10, 10, 11, tzinfo=UTC))

    counter.use(router)
    ann = counter.contact("konnek", "whatsapp", "ann")
    began = time.monotonic()
    await ann.says("hello")
    await counter.settle()
    ann.saw_nothing()
    await counter.advance("1h 59m")
    ann.saw_nothing()
    await counter.advance(timedelta(seconds=61))
    ann.saw_once("still there?")
    assert counter.now == datetime(2025, 10, 10, 11, 0, 1, tzinfo=UTC)
    assert time.monotonic() - began < 600, "two hours passed, and not on this clock"


async def test_a_handler_sleeps_in_virtual_time_and_a_def_handler_runs_in_the_world() -> None:
    router = Router()

    @router.message(text="slow")
    async def slow(_: Turn[Any]) -> str:
        await asyncio.sleep(30)
        return await asyncio.to_thread(lambda: f"after {asyncio.get_running_loop().time():.0f} s")

    @router.default()
    def blocking(_: Turn[Any]) -> str:
        return "at once"

    with World(router) as world:
        ann, bob = (world.contact("konnek", "whatsapp", name) for name in ("ann", "bob"))
        await ann.says("slow")
        await bob.says("quick")
        await world.settle()
        ann.saw_once("after 30 s")
        bob.saw_once("at once")


async def test_a_provider_that_is_down_is_tried_again_when_it_is_up(counter: World) -> None:
    ann = counter.contact("konnek", "whatsapp", "ann")
    counter.down("konnek")
    await ann.says("a")
    with pytest.raises(Stuck, match="not everything came to its end"):
        await counter.settle("30s")
    ann.saw_nothing()
    counter.up("konnek")
    await counter.settle()
    ann.saw_once("1: a")
    assert [line["event"] for line in counter.log if str(line["event"]).startswith("account_")] == [
        "account_paused",
        "account_resumed",
    ]


async def test_what_is_committed_outlives_a_crash(counter: World) -> None:
    ann = counter.contact("konnek", "whatsapp", "ann")
    await ann.says("a")
    await counter.settle()
    first = counter.bridge
    await counter.crash()
    assert counter.bridge is not first
    await ann.says("b")
    await counter.settle()
    assert ann.texts == ["1: a", "2: b"]


@pytest.mark.usefixtures("counted")
async def test_calls_are_counted_however_often_a_coroutine_goes_on() -> None:
    async def charge(amount: int) -> int:
        for _ in range(3):
            await asyncio.sleep(0.1)
        return amount

    def log(_: str) -> None:
        return

    router = Router()

    @router.default()
    async def handle(turn: Turn[Any]) -> str:
        log(turn.event.text)
        log("again")
        return str(await charge(7))

    with World(router) as world, World(router) as other:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("a", "b")
        await world.settle()
        assert (world.calls(charge), world.calls(log), world.calls(handle)) == (2, 4, 2)
        assert other.calls(charge) == 0
        with pytest.raises(TypeError, match="no function written in Python"):
            world.calls(len)


@pytest.mark.parametrize("counts", [True, False])
async def test_the_worlds_of_a_loop_count_calls_where_their_world_does(counts: bool) -> None:  # noqa: FBT001 - a case
    router = counting()
    with World(router, counts=counts) as world:
        async for each in world.explore(seeds=2):
            await counted(each)
            if counts:
                assert each.calls(rulebook_of(router).match) > 2
            else:
                with pytest.raises(NotCounted):
                    each.calls(rulebook_of(router).match)


async def test_accounts_can_be_added_and_changed() -> None:
    with World(counting(), accounts={"konnek": {"at_most_once": True}, "second": {"provider": "konnek"}}) as world:
        assert world.bridge.config.accounts["konnek"].settings.at_most_once
        ann = world.contact("second", "line", "ann")
        await ann.says("a")
        await world.settle()
        ann.saw_once("1: a")


async def test_the_state_of_a_conversation_can_be_looked_at(counter: World) -> None:
    ann = counter.contact("relationlabs", "peer", "ann")
    with pytest.raises(ValueError, match="did not say anything yet"):
        await ann.state()
    await ann.says("a", "b")
    await counter.settle()
    assert await ann.state() == {"heard": 2}


def test_a_count_that_is_asked_for_late_is_right_all_the_same() -> None:
    router = counting()
    runs = 0

    async def scenario(world: World) -> None:
        nonlocal runs
        runs += 1
        await counted(world)
        if runs > 2:
            assert world.calls(rulebook_of(router).match) > 2

    with World(router) as world:
        assert world.explore(scenario, seeds=5, faults={"crash"}).runs == 5
    assert runs == 6


def test_mistakes_are_told() -> None:
    with World(counting()) as world:
        with pytest.raises(LookupError, match="there are aelyst, ginalne"):
            world.contact("whatsapp", "konnek", "ann")
        with pytest.raises(ValueError, match="a channel is one of"):
            world.contact("konnek", "smoke", "ann")
        with pytest.raises(ValueError, match="no fault 'gremlins'"):
            world.explore(faults={"gremlins"}).__iter__().__next__()
        with pytest.raises(ValueError, match="no schedule"):
            world.explore(replay="first")
    with World() as nobody, pytest.raises(ValueError, match="has no bot"):
        _ = nobody.bridge


@pytest.mark.parametrize("written", ["17", "17/", "17/4:1", "0/4:1,9:2"])
def test_a_schedule_is_read_as_it_is_written(written: str) -> None:
    assert str(Schedule.read(written)) == written


@pytest.mark.parametrize(("span", "seconds"), [("2h", 7200), ("1h 30m", 5400), (0, 0), (1.5, 1.5), ("1d", 86_400)])
def test_spans_are_read(span: str | float, seconds: float) -> None:
    assert seconds_of(span) == seconds


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_makes_the_same_run_again(seed: int) -> None:
    traces = []
    for _ in range(2):
        with World(counting()) as world:
            for each in world.explore(faults=ALL, replay=seed):
                _run(counted, each)
                traces.append((each.trace[:], each.choices.taken, [r for r, _ in each.emulator("konnek").requests]))
    assert traces[0] == traces[1]


def test_seeds_differ() -> None:
    traces = set()
    with World(counting()) as world:
        for each in world.explore(seeds=20, faults=ALL):
            _run(counted, each)
            traces.add(tuple(each.trace))
    assert len(traces) > 15


@pytest.mark.parametrize("fault", ALL)
def test_every_fault_happens(fault: str) -> None:
    words = {
        "duplicate": "(repeated)",
        "reorder": "",
        "crash": "crash (while",
        "lost_answer": "the answer is lost",
        "provider_down": "cannot be reached",
        "slow_store": "the store is slow",
    }
    with World(counting()) as world:
        assert any(words[fault] in "\n".join(each.trace) for each in _after(world, counted, 30, {fault}))
    with World(counting()) as world:
        calm = "".join("\n".join(each.trace) for each in _after(world, counted, 10, set()))
    assert not any(word in calm for word in words.values() if word)


def test_what_is_said_at_once_may_be_reordered_and_nothing_else() -> None:
    async def burst(world: World) -> None:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("a", "b")
        await ann.says("c")
        await world.settle()
        assert ann.texts[2] == "3: c"
        orders.add(tuple(each[-1] for each in ann.texts))

    with World(counting()) as world:
        orders: set[tuple[str, ...]] = set()
        world.explore(burst, seeds=20, faults={"reorder"})
        assert orders == {("a", "b", "c"), ("b", "a", "c")}
        orders.clear()
        world.explore(burst, seeds=20)
        assert orders == {("a", "b", "c")}


async def test_exploring_reads_well_in_an_async_test(world: World) -> None:
    assert (await world.explore(refunded, seeds=5, faults=ALL)).runs == 5
    count = 0
    async for each in world.explore(seeds=5, faults={"crash": 1, "duplicate": True}):
        await refunded(each)
        count += 1
    assert count == 5


def _run(scenario: Any, world: World) -> None:
    with pytest.raises(StopIteration):
        scenario(world).send(None)


def _after(world: World, scenario: Any, seeds: int, faults: set[str]) -> Iterator[World]:
    for each in world.explore(seeds=seeds, faults=faults):
        _run(scenario, each)
        yield each
