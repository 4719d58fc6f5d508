"""The engine in the world: whatever order things happen in, and whatever fails, it keeps its promises."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import structlog

from bridge import Router, Status, Turn
from bridge.testing.world import World
from tests.support.searches import seeds
from tests.support.worlds import ALL, counted, counting, refunded, shop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from bridge.testing.contacts import Contact

    Scenario = Callable[[World], Coroutine[Any, Any, None]]

SEEDS = 200
"""Where all faults are allowed; fewer where one is looked at."""


def explored(router: Router, scenario: Scenario, faults: Iterable[str], *, whole: int = SEEDS, **options: Any) -> None:
    with World(router, **options) as world:
        assert world.explore(scenario, seeds=seeds(whole), faults=faults).runs == seeds(whole)


@pytest.mark.parametrize(
    "faults",
    [
        (),
        ("duplicate",),
        ("crash",),
        ("slow_store", "duplicate"),
        ("lost_answer", "provider_down"),
        ALL,
        {"crash": 5, "duplicate": 5, "lost_answer": 3},
    ],
    ids=str,
)
def test_each_event_counts_once_in_order_and_is_answered_once(faults: Iterable[str]) -> None:
    explored(counting(), counted, faults, whole=SEEDS if faults is ALL else 60)


def test_an_order_survives_everything_on_a_provider_that_honours_keys() -> None:
    explored(shop(), refunded, ALL)


def without_repeats(texts: list[str]) -> list[str]:
    return [each for at, each in enumerate(texts) if not at or texts[at - 1] != each]


@pytest.mark.parametrize(
    ("provider", "channel"),
    [("konnek", "telegram"), ("ginalne", "whatsapp"), ("aelyst", "telegram"), ("whautochat", "whatsapp")],
)
def test_without_keys_a_lost_answer_repeats_a_message_and_loses_or_swaps_none(provider: str, channel: str) -> None:
    repeated: set[bool] = set()

    async def scenario(world: World) -> None:
        ann = world.contact(provider, channel, "ann")
        for text in "abc":
            await ann.says(text)
        await world.settle()
        assert without_repeats(ann.texts) == ["1: a", "2: b", "3: c"], ann.phone()
        repeated.add(len(ann.texts) > 3)

    explored(counting(), scenario, ("lost_answer", "crash"), whole=60, honours_keys=False)
    assert repeated == {False, True}


def test_at_most_once_repeats_nothing_and_says_what_is_unknown() -> None:
    unknown: set[bool] = set()

    async def scenario(world: World) -> None:
        ann = world.contact("ginalne", "whatsapp", "ann")
        for text in "abc":
            await ann.says(text)
        await world.settle()
        assert len(set(ann.texts)) == len(ann.texts), ann.phone()
        unknown.add(any(line["event"] == "message_dead" for line in world.log))

    explored(counting(), scenario, ("lost_answer", "crash"), whole=60, accounts={"ginalne": {"at_most_once": True}})
    assert unknown == {False, True}


def test_a_repeated_request_is_the_same_request() -> None:
    async def scenario(world: World) -> None:
        await counted(world)
        bodies = [orjson.loads(request.body or b"") for request, _ in world.emulator("konnek").requests]
        by_key: dict[str, list[Any]] = {}
        for body in bodies:
            by_key.setdefault(body["id"], []).append(body)
        assert len(by_key) == 3
        assert all(each == bodies[0] for bodies in by_key.values() for each in bodies)

    explored(counting(), scenario, ("lost_answer", "crash", "provider_down"), whole=60)


def test_conversations_do_not_hold_each_other_up_nor_mix() -> None:
    async def scenario(world: World) -> None:
        people = [world.contact("konnek", "whatsapp", name) for name in ("ann", "bob", "cy")]
        people.append(world.contact("relationlabs", "peer", "ann"))
        for text in "ab":
            for each in people:
                await each.says(text)
        await world.settle()
        for each in people:
            assert each.texts == ["1: a", "2: b"], each.phone()

    explored(counting(), scenario, ALL, whole=60)


async def status_of(world: World, contact: Contact) -> list[str]:
    """What the store knows became of each message."""
    store = world.bridge.store
    thread = await store.find_thread(contact.thread)
    assert thread is not None
    return [each.status for each in await store.history(thread) if each.direction == "out"]


def test_statuses_in_any_order_even_before_the_answer_only_ever_climb() -> None:
    early: set[bool] = set()
    told: set[str] = set()

    async def scenario(world: World) -> None:
        told.clear()
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("a")
        await ann.sees("1: a")
        early.add(not world.is_quiet)
        await ann.reads()
        await world.settle()
        assert told == {"sent", "delivered", "read"}
        assert await world.inside(status_of(world, ann)) == ["read"]

    router = counting()

    @router.status()
    async def keep(turn: Turn[Status]) -> None:
        told.add(turn.event.value)

    explored(router, scenario, ("reorder", "duplicate", "crash"), whole=100)
    assert early == {True}


def test_a_handler_that_fails_is_run_again_and_its_failure_leaves_nothing_behind() -> None:
    failures: dict[str, int] = {}
    router = Router()

    @router.default()
    async def flaky(turn: Turn[Any]) -> str:
        turn.state["n"] = turn.state.get("n", 0) + 1
        turn.reply("half")
        failures[turn.event.id] = failures.get(turn.event.id, 0) + 1
        await asyncio.sleep(0.5)
        if failures[turn.event.id] < 3:
            raise RuntimeError("not today")
        return f"whole {turn.state['n']}"

    async def scenario(world: World) -> None:
        failures.clear()
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("a")
        await ann.says("b")
        await world.settle()
        assert ann.texts == ["half", "whole 1", "half", "whole 2"], ann.phone()

    explored(router, scenario, ("duplicate", "crash", "lost_answer"), whole=60)


async def test_a_world_sees_all_that_is_logged_whatever_its_process_writes() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    quiet = structlog.get_config()["wrapper_class"]
    with World(counting()) as world:
        await world.contact("konnek", "whatsapp", "ann").says("hello")
        await world.settle()
        assert "turn_committed" in [line["event"] for line in world.log]
    assert structlog.get_config()["wrapper_class"] is quiet
