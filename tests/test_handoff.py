"""Conversations with a person: the bot is silent, nothing is lost, and what it missed is told when it has one again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Dialog, Message, Returned, Router, Turn
from bridge.letters import Letters
from bridge.testing import World
from tests.testing.worlds import CHANNELS

if TYPE_CHECKING:
    from bridge.testing import Contact

TELL = (("aelyst", "telegram"), ("whautochat", "whatsapp"), ("relationlabs", "peer"))
"""Where the gateway tells what a person wrote in its own inbox."""
FAULTS = ("duplicate", "crash", "lost_answer", "slow_store")


async def late(turn: Turn[Any]) -> str:
    del turn
    return "still there?"


@pytest.fixture
def router() -> Router:
    """Remembers what it heard and what it missed, and says so."""
    router = Router()

    @router.message(text="person")
    async def person(turn: Turn[Any]) -> str:
        turn.handoff("asked for a person")
        return "somebody will come"

    @router.message(text="slow")
    async def slow(turn: Turn[Any]) -> str:
        await asyncio.sleep(5)
        turn.state["heard"] = [*turn.state.get("heard", []), "slow"]
        return "heard slow"

    @router.message(text="later")
    async def later(turn: Turn[Any]) -> None:
        turn.after("10min", late)
        turn.after("20min", late, unless="replied")

    @router.message(text="go")
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(quiz)

    @router.dialog()
    async def quiz(d: Dialog) -> str:
        first = await d.ask("one?", timeout="30min", on_timeout="too late")
        await d.handoff("the second one is for you")
        return f"{first}, {await d.ask('two?')}"

    @router.on(Returned)
    async def back(turn: Turn[Returned]) -> str:
        missed = [each.text if isinstance(each, Message) else each.tag for each in turn.event.missed]
        turn.state["missed"] = [*turn.state.get("missed", []), *missed]
        return f"missed {len(missed)}"

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        turn.state["heard"] = [*turn.state.get("heard", []), turn.event.text]
        return f"heard {turn.event.text}"

    return router


async def letters(world: World) -> list[str]:
    found = await world.inside(world.bridge.store.dead_letters())
    return [each.reason for each in found]


async def replayed(world: World) -> None:
    store, clock = world.bridge.store, world.bridge.clock
    (letter,) = await world.inside(store.dead_letters())
    assert await world.inside(Letters(store, world.bridge.reread, clock).replay(letter.id))


async def begun(world: World, account: str = "konnek", channel: str = "whatsapp") -> Contact:
    """A contact who has said hello and was answered."""
    ann = world.contact(account, channel, "ann")
    await ann.says("hello")
    await world.settle()
    ann.saw_once("heard hello")
    ann.clears()
    return ann


async def tried(world: World, times: int = 1) -> None:
    """Wait until a message could not be sent so often."""
    assert await world.until(lambda: [line["event"] for line in world.log].count("message_not_sent") >= times)


async def held(world: World) -> None:
    """Wait until a person has the thread."""
    assert await world.until(lambda: any(line["event"] == "thread_held" for line in world.log))


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

    world.explore(scenario, seeds=50, faults=("duplicate", "crash", "lost_answer", "provider_down"))
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
    await tried(world, times=2)
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


async def test_timers_wait_until_the_thread_is_returned(world: World) -> None:
    ann = await begun(world)
    await ann.says("later")
    await world.settle()
    await world.agent(ann).takes()
    await world.advance("15min")
    await ann.says("anybody?")
    await world.advance("15min")
    ann.saw_nothing()
    await world.agent(ann).returns()
    await world.settle()
    assert ann.texts == ["missed 1", "still there?"]  # the other one was not to be asked of who replied


async def test_a_question_waits_its_whole_time_again_when_the_thread_is_returned(world: World) -> None:
    for answers in (True, False):
        ann = world.contact("konnek", "whatsapp", f"ann {answers}")
        await ann.says("go")
        await world.settle()
        await world.agent(ann).takes()
        await world.advance("40min")
        await world.agent(ann).returns()
        await world.advance("25min")
        assert ann.texts == ["one?", "missed 0"]
        if answers:
            await ann.says("first")
        await world.advance("10min")
        assert ann.texts[2:] == (["two?"] if answers else ["too late"])


async def test_a_dialog_that_hands_off_goes_on_with_the_next_answer_after_the_return(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("go")
    await world.settle()
    await ann.says("first")
    await world.settle()
    assert await ann.handoff() == "the second one is for you"
    await ann.says("to the person")
    await world.settle()
    await world.agent(ann).returns()
    await ann.says("second")
    await world.settle()
    assert ann.texts == ["one?", "two?", "missed 1", "first, second"]


async def test_a_dead_letter_replayed_while_a_person_has_the_thread_is_kept_with_the_rest() -> None:
    router, broken = Router(), [True]

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        if broken:
            raise ValueError
        return f"heard {turn.event.text}"

    @router.on(Returned)
    async def back(turn: Turn[Returned]) -> str:
        return " ".join(each.text for each in turn.event.missed if isinstance(each, Message))

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("a")
        await world.settle()
        broken.clear()
        await world.agent(ann).takes()
        await world.settle()
        await replayed(world)
        await world.settle()
        ann.saw_nothing()
        await world.agent(ann).returns()
        await world.settle()
        assert (ann.texts, await letters(world)) == (["a"], [])


@pytest.mark.parametrize("policy", ["merge", "latest", "interrupt", "debounce"])
@pytest.mark.parametrize("first", [True, False], ids=["before", "during"])
async def test_a_burst_that_a_person_takes_is_kept_event_by_event(policy: Any, *, first: bool) -> None:
    from bridge import debounce  # noqa: PLC0415 - one of four

    router, ran, missed = Router(), list[str](), list[str]()

    @router.default(overlap=debounce("2s") if policy == "debounce" else policy)
    async def other(turn: Turn[Any]) -> str:
        ran.append(turn.event.text)
        await asyncio.sleep(1)
        return f"heard {turn.event.text}"

    @router.on(Returned)
    async def back(turn: Turn[Returned]) -> None:
        missed.extend(each.text for each in turn.event.missed if isinstance(each, Message))

    with World(router) as world:
        ann = world.contact("aelyst", "telegram", "ann")
        texts = [f"{number}" for number in range(6)]
        if first:
            await ann.says(*texts[:3])
            assert policy == "debounce" or await world.until(lambda: bool(ran))
        await world.agent(ann).says("let me see")
        await world.settle()
        await ann.says(*texts[3 if first else 0 :])
        await world.settle()
        ann.saw_nothing()
        await world.agent(ann).returns()
        await world.settle()
        assert missed == texts


async def test_after_quiet_time_the_bot_has_it_again_and_only_words_prolong_it(world: World) -> None:
    ann = await begun(world)
    await ann.says("later")
    await world.settle()
    await world.agent(ann).takes()
    await world.settle()
    await world.advance("50min")
    assert await ann.handoff() is not None
    await ann.says("anybody?")
    await world.advance("55min")
    assert await ann.handoff() is not None
    await world.advance("6min")
    assert await ann.handoff() is None
    ann.saw_once("missed 1")


async def test_without_a_rule_what_was_kept_is_in_the_history_and_no_dead_letter() -> None:
    router = Router()

    @router.message(text="person")
    async def person(turn: Turn[Any]) -> None:
        turn.handoff()

    @router.message(text="what?")
    async def what(turn: Turn[Any]) -> str:
        return " | ".join(each["content"] for each in await turn.transcript())

    with World(router) as world:
        ann = world.contact("aelyst", "telegram", "ann")
        await ann.says("person")
        await world.settle()
        await ann.says("anybody?")
        await world.agent(ann).says("me")
        await world.settle()
        await world.agent(ann).returns()
        await ann.says("what?")
        await world.settle()
        assert sorted(ann.texts[0].replace("\n", " | ").split(" | ")) == ["anybody?", "me", "person", "what?"]
        assert await letters(world) == []


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


async def test_konnek_tells_who_has_a_conversation_and_both_ways_count(world: World) -> None:
    emulator: Any = world.emulator("konnek")
    ann = await begun(world)

    async def hears(text: str, *session: Any) -> str | None:
        emulator.sessions[ann.address] = dict(zip(("bot_status", "handover_by"), session, strict=False))
        await ann.says(text)
        await world.settle()
        return await ann.handoff()

    taken = "taken over at the gateway"
    assert await hears("a", True, "") is None
    assert await hears("b", False, "") is None
    assert await hears("c", False, "rina") == taken
    assert await hears("d", False, "rina") == taken
    await world.agent(ann).returns()
    assert await hears("e", False, "rina") == taken
    assert await hears("f") == taken
    assert await hears("g", True, "rina") is None
    assert ann.texts == ["heard a", "heard b", "missed 2", "missed 2", "heard g"]
    ann.clears()
    assert await hears("person", True, "rina") == "asked for a person"
    assert await hears("h", True, "rina") == "asked for a person"
    assert ann.texts == ["somebody will come"]
