"""Loops and floods in whole bridges: two bots that meet stop and say why, and a flood delays nobody else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Message, Returned, Router, Turn
from bridge.testing import World
from handlers.echo import router as echo
from handlers.menu import router as menu
from tests.support.searches import IS_WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.testing.contacts import Contact

PAIRS = [(("konnek", "whatsapp"), ("whautochat", "whatsapp")), (("aelyst", "telegram"), ("relationlabs", "peer"))]


async def wired(world: World, one: Contact, other: Contact, first: str, *, latency: float = 0.5) -> int:
    """Each contact is the other's bot: what the bot says to one, the other says. How many messages went to and fro."""
    heard = {one: len(one.seen), other: len(other.seen)}
    carried = 0
    await one.says(first)
    await world.advance(latency)
    while carried < 1000 and any(len(each.seen) > heard[each] for each in (one, other)):
        for here, there in ((one, other), (other, one)):
            new = here.texts[heard[here] :]
            heard[here] += len(new)
            carried += len(new)
            for text in new:
                await there.says(text)
        await world.advance(latency)
    return carried


def told(world: World) -> list[Mapping[str, object]]:
    return [line for line in world.log if line["event"] == "loop_guard"]


@pytest.mark.parametrize(("here", "there"), PAIRS)
@pytest.mark.parametrize(
    ("first", "reason"),
    [("Good morning, how are you?", "the contact said back what the bot said, 6 times"), ("hi", "the bot answered 30")],
)
async def test_two_accounts_that_meet_stop_and_say_why(
    here: tuple[str, str], there: tuple[str, str], first: str, reason: str
) -> None:
    with World(echo) as world:
        ann, bob = world.contact(*here, "ann"), world.contact(*there, "bob")
        assert await wired(world, ann, bob, first) <= 2 * 31
        (line,) = told(world)
        held, account = (ann, here[0]) if await ann.handoff() else (bob, there[0])
        assert (line["account"], line["log_level"]) == (account, "warning")
        row = await world.row(held)
        assert row is not None
        assert line["thread"] == row.id
        assert reason in str(line["reason"])
        assert row.hold.note == f"loop guard: {line['reason']}"
        (listed,) = await world.inside(world.bridge.store.threads(held=True))
        assert (listed.note, listed.kept_events) == (row.hold.note, 1)


async def test_what_came_in_a_loop_is_kept_until_the_return_and_a_new_loop_is_held_again() -> None:
    router = Router()

    @router.message()
    async def say(turn: Turn[Message]) -> str:
        return turn.event.text

    @router.on(Returned)
    async def back(turn: Turn[Returned]) -> None:
        turn.state["missed"] = [each.text for each in turn.event.missed if isinstance(each, Message)]

    with World(router) as world:
        ann, bob = world.contact("konnek", "whatsapp", "ann"), world.contact("whautochat", "whatsapp", "bob")
        await wired(world, ann, bob, "Good morning, how are you?")
        held, free = (ann, bob) if await ann.handoff() else (bob, ann)
        await held.says("are you there?")
        await world.settle()
        assert await world.hand_over(held, None)
        await world.settle()
        assert (await held.state())["missed"] == ["Good morning, how are you?", "are you there?"]
        assert await held.handoff() is None
        await wired(world, held, free, "Good evening, how are you?")
        assert len(told(world)) == 2


async def test_the_quiet_time_returns_a_loop_as_it_returns_any_conversation() -> None:
    with World(echo, settings={"handlers": {"return_after": "10min"}}) as world:
        ann, bob = world.contact("konnek", "whatsapp", "ann"), world.contact("whautochat", "whatsapp", "bob")
        await wired(world, ann, bob, "Good morning, how are you?")
        assert await ann.handoff() or await bob.handoff()
        await world.advance("11min")
        assert await ann.handoff() is None
        assert await bob.handoff() is None


async def test_a_rule_for_held_conversations_goes_round_no_longer_than_others() -> None:
    router = Router()

    @router.message()
    async def person(turn: Turn[Message]) -> str:
        turn.handoff("asked for a person")
        return "somebody will come"

    @router.on_held()
    async def patience(_: Turn[Any]) -> str:
        return "just a moment, please"

    with World(router) as world:
        ann, bob = world.contact("konnek", "whatsapp", "ann"), world.contact("whautochat", "whatsapp", "bob")
        assert await wired(world, ann, bob, "a person") < 2 * 31
        assert {await ann.handoff(), await bob.handoff()} == {"asked for a person"}
        assert len(told(world)) == 1


async def test_a_restart_lets_a_loop_run_for_one_more_window_at_most() -> None:
    with World(echo) as world:
        ann, bob = world.contact("konnek", "whatsapp", "ann"), world.contact("whautochat", "whatsapp", "bob")
        await wired(world, ann, bob, "Good morning, how are you?")
        held, free = (ann, bob) if await ann.handoff() else (bob, ann)
        await world.crash()
        assert await held.handoff()
        assert await world.hand_over(held, None)
        assert await wired(world, held, free, "Good evening, how are you?") <= 2 * 31
        assert await held.handoff() or await free.handoff()


async def test_one_of_our_own_accounts_is_held_at_its_first_word() -> None:
    with World(echo, settings={"guard": {"own_contacts": ["+62811000"]}}) as world:
        ann = world.contact("konnek", "whatsapp", "62811000")
        await ann.says("hello")
        await world.settle()
        ann.saw_nothing()
        assert await ann.handoff() == "loop guard: the contact is one of our own accounts"
    accounts = {"second": {"provider": "relationlabs", "relation_id": "zoe"}}
    with World(echo, accounts=accounts) as world:
        zoe = world.contact("relationlabs", "peer", "zoe")
        await zoe.says("hello")
        await world.settle()
        zoe.saw_nothing()


@pytest.mark.parametrize("seed", range(100 if IS_WHOLE else 2))
async def test_a_fast_person_is_never_held(seed: int) -> None:
    """20 short messages a minute, in bursts, with numbers and titles that press buttons; for three minutes."""
    with World([menu, echo], replay=seed, counts=False) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for _ in range(3):
            gaps = [world.rng.choice([0, 0.3, 1, 2]) for _ in range(20)]
            for gap in gaps:
                await ann.says(world.rng.choice(["hi", "1", "2", "menu", "ok", "hello?", "3"]))
                await world.advance(gap)
            await world.advance(61 - sum(gaps))
        assert await ann.handoff() is None
        assert told(world) == []
        assert [line for line in world.log if line["event"] == "flood_guard"] == []


async def test_a_flood_delays_no_other_contact_and_every_event_of_it_has_its_turn() -> None:
    router = Router()

    @router.message(text="hi")
    async def quick(_: Turn[Any]) -> str:
        await asyncio.sleep(0.05)
        return "at once"

    @router.message()
    async def note(turn: Turn[Message]) -> None:
        turn.state["heard"] = [*turn.state.get("heard", []), turn.event.text]
        await asyncio.sleep(0.05)

    async def waits(world: World, name: str) -> int:
        zoe = world.contact("konnek", "whatsapp", name)
        began = world._begun().now
        await zoe.says("hi")
        assert await world.until(lambda: zoe.texts == ["at once"])
        return world._begun().now - began

    with World(router, counts=False) as world:
        idle = await waits(world, "zoe")
        flood = [str(number) for number in range(200)]
        bob = world.contact("konnek", "whatsapp", "bob")
        await bob.says(*flood)
        for number in range(80):
            assert await waits(world, f"zoe {number}") <= 2 * idle
        (line,) = [line for line in world.log if line["event"] == "flood_guard"]
        assert line["account"] == "konnek"
        began = world._begun().now
        await world.settle()
        assert world._begun().now - began > 60_000_000
        assert (await bob.state())["heard"] == flood
        assert told(world) == []
