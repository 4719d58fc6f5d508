"""A person takes a conversation: the bot is silent at once, whatever it is doing, and takes nobody for a person."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge import Returned, Router, Turn
from bridge.testing.world import World
from tests.support.handoff_bots import begun, handing_over, held, letters, replayed, tried
from tests.support.searches import seeds
from tests.support.worlds import CHANNELS

TELL = (("aelyst", "telegram"), ("whautochat", "whatsapp"), ("relationlabs", "peer"))
"""Where the gateway tells what a person wrote in its own inbox."""
FAULTS = ("duplicate", "crash", "lost_answer", "slow_store")


@pytest.fixture
def router() -> Router:
    return handing_over()


@pytest.mark.parametrize(("account", "channel"), CHANNELS)
def test_while_a_person_has_it_the_bot_is_silent_and_every_event_is_accounted_for(
    world: World, account: str, channel: str
) -> None:
    told = (account, channel) in TELL
    answered: set[int] = set()

    async def scenario(world: World) -> None:
        ann = world.contact(account, channel, "ann")
        await ann.says("a")
        await ann.sees("heard a")
        bob = world.agent(ann)
        await ann.says("b")
        if told:
            await bob.says("let me see")
        else:
            steps = iter(range(world.rng.randrange(12)))
            await world.until(lambda: next(steps, None) is None)
            await bob.takes("mine")
        await ann.says("c")
        await world.settle()
        assert await ann.handoff() is not None
        assert {*ann.texts} <= {"heard a", "heard b", "heard c"}, ann.phone()
        ann.clears()
        await ann.says("d")
        await world.settle()
        ann.saw_nothing()
        await bob.returns()
        await ann.says("e")
        await world.settle()
        state = await ann.state()
        assert sorted([*state["heard"], *state["missed"]]) == ["a", "b", "c", "d", "e"]
        assert "d" in state["missed"]
        ann.saw(f"missed {len(state['missed'])}", "heard e")
        assert await ann.handoff() is None
        answered.add(len(state["heard"]))

    world.explore(scenario, seeds=seeds(50), faults=(*FAULTS, "provider_down"))
    assert len(answered) > 1


@pytest.mark.parametrize(("account", "channel", "by"), [*((*each, "") for each in TELL), (*TELL[1], "Shop owner")])
@pytest.mark.parametrize("when", ["before the answer", "afterwards"])
def test_its_own_words_never_silence_the_bot(world: World, account: str, channel: str, when: str, by: str) -> None:
    async def scenario(world: World) -> None:
        ann = world.contact(account, channel, "ann")
        await ann.says("a")
        seen = await ann.sees("heard a")
        if when == "afterwards":
            await world.settle()
        emulator: Any = world.emulator(account)
        hook = emulator.own_echo(seen, by) if account == "whautochat" else emulator.echo(seen)
        world.post(ann, [(hook, "the echo of it")])
        await ann.says("b")
        await world.settle()
        assert (await ann.handoff(), (await ann.state())["heard"]) == (None, ["a", "b"])

    world.explore(scenario, seeds=25, faults=FAULTS)


@pytest.mark.parametrize(("account", "channel"), TELL)
def test_a_person_who_speaks_while_a_message_of_ours_is_on_its_way_has_the_thread(
    world: World, account: str, channel: str
) -> None:
    async def scenario(world: World) -> None:
        ann = world.contact(account, channel, "ann")
        await ann.says("a")
        await ann.sees("heard a")
        await world.agent(ann).says("I am on it")
        await ann.says("b")
        await world.settle()
        assert await ann.handoff() is not None

    world.explore(scenario, seeds=25, faults=FAULTS)


@pytest.mark.parametrize("told", [True, False], ids=["by their words", "by a command"])
async def test_what_waits_in_the_outbox_is_not_sent_once_a_person_has_the_thread(world: World, *, told: bool) -> None:
    ann = await begun(world, "aelyst", "telegram")
    world.down("aelyst")
    await ann.says("a")
    await ann.says("b")
    await tried(world, turns=3)
    await (world.agent(ann).says("let me see") if told else world.agent(ann).takes())
    await held(world)
    world.up("aelyst")
    await world.settle()
    ann.saw_nothing()
    assert (await ann.state())["heard"] == ["hello", "a", "b"]
    assert await letters(world) == ["a person took the conversation before it could leave"] * 2
    assert [line["event"] for line in world.log].count("message_dropped") == 2


async def test_what_the_bot_says_with_its_handoff_still_leaves(world: World) -> None:
    ann = await begun(world, "aelyst", "telegram")
    world.down("aelyst")
    await ann.says("person")
    await tried(world)
    await world.agent(ann).says("here I am")
    await world.until(lambda: any("here I am" in line for line in world.trace))
    world.up("aelyst")
    await world.settle()
    assert (ann.texts, await letters(world)) == (["somebody will come"], [])


@pytest.mark.usefixtures("counted")
async def test_a_turn_that_is_overtaken_by_a_person_has_no_effect_and_its_event_is_theirs(world: World) -> None:
    ann = await begun(world, "aelyst", "telegram")
    await ann.says("slow")
    assert await world.until(lambda: world.calls(asyncio.sleep) > 0)
    await world.agent(ann).says("let me see")
    await world.settle()
    ann.saw_nothing()
    assert (await ann.state(), await letters(world)) == ({"heard": ["hello"]}, [])
    await world.agent(ann).returns()
    await world.settle()
    assert (await ann.state())["missed"] == ["slow"]


async def test_a_message_that_a_person_asks_to_send_again_leaves_also_while_they_have_the_thread(world: World) -> None:
    ann = await begun(world)
    world.down("konnek")
    await ann.says("a")
    await tried(world)
    await world.agent(ann).takes()
    await held(world)
    world.up("konnek")
    await world.settle()
    await replayed(world)
    await world.settle()
    ann.saw_once("heard a")


async def test_what_waits_for_its_place_among_the_requests_is_not_sent_either(router: Router) -> None:
    with World(router, accounts={"konnek": {"rate": "1/min"}}) as world:
        bob, ann = (world.contact("konnek", "whatsapp", name) for name in ("bob", "ann"))
        for each in (bob, ann):
            await each.says("a")
            assert await world.until(lambda each=each: bool(each.conversation_id))  # type: ignore[misc]
        await bob.sees("heard a")
        assert await world.until(lambda: [line["event"] for line in world.log].count("turn_committed") > 1)
        await world.agent(ann).takes()
        await world.settle()
        assert (bob.texts, ann.texts) == (["heard a"], [])
        assert await letters(world) == ["a person took the conversation before it could leave"]


async def test_a_person_who_speaks_while_the_bot_takes_up_again_keeps_the_thread() -> None:
    router, begun_ = Router(), list[int]()

    @router.on(Returned)
    async def back(turn: Turn[Returned]) -> str:
        begun_.append(len(turn.event.missed))
        await asyncio.sleep(5)
        return "back again"

    with World(router) as world:
        ann = world.contact("aelyst", "telegram", "ann")
        await world.agent(ann).says("Hello, I write first")
        await world.settle()
        await ann.says("hello")
        await world.settle()
        await world.agent(ann).returns()
        assert await world.until(lambda: bool(begun_))
        await world.agent(ann).says("one thing more")
        await world.settle()
        assert (await ann.handoff(), ann.texts) == ("a person spoke in the conversation", [])
        await world.agent(ann).returns()
        await world.settle()
        assert (ann.texts, begun_) == (["back again"], [1, 1])


async def test_a_rule_that_fails_does_not_keep_the_bot_talking() -> None:
    router = Router()

    @router.echo()
    async def echoed(turn: Turn[Any]) -> None:
        raise ValueError(turn.event.text)

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        return f"heard {turn.event.text}"

    with World(router) as world:
        ann = world.contact("aelyst", "telegram", "ann")
        await ann.says("a")
        await world.settle()
        await world.agent(ann).says("mine")
        await ann.says("b")
        await world.settle()
        assert ann.texts == ["heard a"]
        assert await ann.handoff() == "a person spoke in the conversation"
        assert [each.split(":")[0] for each in await letters(world)] == ["given up after 5 tries"]
