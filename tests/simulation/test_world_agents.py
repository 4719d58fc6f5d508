"""What tests see of dialogs and handoffs, and the people on our side: they speak, take a conversation, return it."""

from __future__ import annotations

from typing import Any

import pytest

from bridge import Dialog, Returned, Router, Turn
from bridge.testing.world import World
from tests.support.searches import seeds
from tests.support.worlds import ALL, CHANNELS

TELL = (("aelyst", "telegram"), ("relationlabs", "peer"), ("whautochat", "whatsapp"))
"""Where the gateway tells what a person wrote in its own inbox."""


@pytest.fixture
def router() -> Router:
    """Says everything back, and asks two questions at "go"."""
    router = Router()

    @router.message(text="go")
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(quiz)

    @router.dialog()
    async def quiz(d: Dialog) -> str:
        first = await d.ask("One?")
        return f"{first}, {await d.ask('And what may the second one be, if you please?')}"

    @router.on(Returned)
    async def back(turn: Turn[Returned]) -> str:
        return f"missed {len(turn.event.missed)}"

    @router.default()
    async def back_again(turn: Turn[Any]) -> str:
        return f"heard {turn.event.text}"

    return router


async def test_the_dialog_that_waits_is_told_with_its_question(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("go")
    assert await ann.dialog() is None
    await world.settle()
    assert await ann.dialog() == "quiz: One?"
    await ann.says("a")
    await world.settle()
    await world.crash()
    assert await ann.dialog() == "quiz: And what may the second one be, if you …"
    await ann.says("b")
    await world.settle()
    assert (await ann.dialog(), ann.texts[-1]) == (None, "a, b")


@pytest.mark.parametrize("place", CHANNELS)
@pytest.mark.parametrize("crash", [False, True])
async def test_what_an_agent_writes_in_the_console_arrives_once_and_silences_the_bot(
    world: World, place: tuple[str, str], *, crash: bool
) -> None:
    ann = world.contact(*place, "ann")
    await ann.says("hello")
    await world.settle()
    await world.agent(ann).writes("Bob here")
    if crash:
        await world.crash()
    await world.settle()
    await ann.says("anybody?")
    await world.agent(ann).writes("Yes")
    await world.settle()
    assert await ann.handoff() == "a person spoke in the conversation"
    assert sorted(ann.texts) == ["Bob here", "Yes", "heard hello"]
    await world.agent(ann).returns()
    await world.settle()
    assert ann.texts[-1] == "missed 1"


@pytest.mark.parametrize("crash", [False, True])
async def test_an_agent_takes_a_conversation_and_returns_it(world: World, *, crash: bool) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("hello")
    await world.settle()
    assert await ann.handoff() is None
    bob = world.agent(ann)
    await bob.takes("a matter of taste")
    await world.settle()
    if crash:
        await world.crash()
    assert await ann.handoff() == "a matter of taste"
    await ann.says("anybody?")
    await world.settle()
    await bob.returns()
    await ann.says("hello again")
    await world.settle()
    assert (ann.texts, await ann.handoff()) == (["heard hello", "missed 1", "heard hello again"], None)


@pytest.mark.parametrize(("account", "channel"), TELL)
async def test_the_bot_is_silent_once_an_agent_spoke(world: World, account: str, channel: str) -> None:
    ann, bob = (world.contact(account, channel, name) for name in ("ann", "bob"))
    for each in (ann, bob):
        await each.says("hello")
    await world.settle()
    await world.agent(ann).says("Let me see.")
    await world.settle()
    assert "a person spoke" in str(await ann.handoff())
    assert await bob.handoff() is None
    for each in (ann, bob):
        await each.says("well?")
    await world.settle()
    assert (ann.texts, bob.texts) == (["heard hello"], ["heard hello", "heard well?"])


def test_an_agent_speaks_at_any_time(world: World) -> None:
    """Before, between or after what the contact says: the bot answers what came before, and nothing after."""
    answered: set[int] = set()

    async def scenario(world: World) -> None:
        ann = world.contact("aelyst", "telegram", "ann")
        await ann.says("a")
        await world.agent(ann).says("Let me see.")
        await ann.says("b")
        await world.settle()
        assert ann.texts == ["heard a", "heard b"][: len(ann.texts)], ann.phone()
        assert await ann.handoff() is not None
        answered.add(len(ann.texts))

    world.explore(scenario, seeds=seeds(60), faults={"duplicate", "slow_store"})
    assert answered == {0, 1, 2}


def test_handoffs_by_hand_survive_everything(world: World) -> None:
    async def scenario(world: World) -> None:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("a")
        await ann.sees("heard a")
        bob = world.agent(ann)
        await bob.takes()
        await ann.says("b")
        await world.settle()
        await bob.returns()
        await ann.says("c")
        await world.settle()
        assert ann.texts == ["heard a", "missed 1", "heard c"], ann.phone()

    assert world.explore(scenario, seeds=seeds(60), faults=ALL).runs == seeds(60)


@pytest.mark.parametrize(("return_after", "answer"), [("2h", ["missed 1"]), ("1d", []), (0, [])])
async def test_a_world_heeds_the_sections_of_the_configuration(
    router: Router, return_after: str | int, answer: list[str]
) -> None:
    with World(router, settings={"handlers": {"return_after": return_after}}) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("hello")
        await world.settle()
        await world.agent(ann).takes()
        await ann.says("anybody?")
        ann.clears()
        await world.advance("3h")
        assert ann.texts == answer


async def test_what_an_agent_cannot_do_is_told(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    with pytest.raises(LookupError, match=r"konnek does not tell what a person writes in its inbox; use takes\(\)"):
        await world.agent(ann).says("hello")
    with pytest.raises(ValueError, match="ann did not say anything yet"):
        await world.agent(ann).takes()
    await ann.says("hello")
    with pytest.raises(ValueError, match="nothing that ann said has arrived yet"):
        await world.agent(ann).returns()
