"""The twelve bots of the folder beside this file, in whole conversations: in peace, and while everything goes wrong."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

import pytest

from bridge import Button, Router
from bridge.testing.world import World
from tests.acceptance.compare.conversations import BOTS, CONVERSATIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.testing.contacts import Contact
    from tests.acceptance.compare.conversations import Step

    Scenario = Callable[[World], Awaitable[None]]

SEEDS: Final = 6
"""Interleavings that are tried for each bot; `explore` is tested thoroughly elsewhere."""

every_bot = pytest.mark.parametrize("bot", BOTS)


def bot_named(name: str) -> Router:
    router = import_module(f"tests.acceptance.compare.threadbridge.{name}").router
    assert isinstance(router, Router)
    return router


async def do(world: World, ann: Contact, step: Step) -> None:
    """What a step says, without waiting for what comes of it."""
    match step.kind:
        case "says":
            await ann.says(step.what)
        case "clicks":
            await ann.clicks(step.what)
        case "sends":
            await ann.sends("image", step.what)
        case "waits":
            await world.settle()
            await world.advance(int(step.what))
        case "returns":
            await world.settle()
            await world.agent(ann).returns()


def talk(bot: str, *, between: Callable[[World], Awaitable[None]] | None = None, at_once: bool = False) -> Scenario:
    """The bot's whole conversation; `at_once` nobody waits for an answer but who needs its buttons."""

    async def scenario(world: World) -> None:
        ann = world.contact("konnek", "whatsapp", "ann")
        expected: list[str] = []
        for step in CONVERSATIONS[bot]:
            await do(world, ann, step)
            expected += step.replies
            if between is not None:
                await between(world)
            if not at_once:
                await world.settle()
                assert ann.texts == expected
        await world.settle()
        assert ann.texts == expected

    return scenario


@every_bot
def test_a_whole_conversation(bot: str) -> None:
    World(bot_named(bot)).explore(talk(bot), seeds=1)


@every_bot
def test_a_repeated_webhook_changes_nothing(bot: str) -> None:
    World(bot_named(bot)).explore(talk(bot), seeds=SEEDS, faults={"duplicate": 20})


@every_bot
def test_messages_at_once_are_answered_one_after_the_other(bot: str) -> None:
    World(bot_named(bot)).explore(talk(bot, at_once=True), seeds=SEEDS)


@every_bot
def test_a_process_that_dies_anywhere_takes_neither_state_nor_reply_along(bot: str) -> None:
    World(bot_named(bot)).explore(talk(bot), seeds=SEEDS, faults={"crash": 8, "slow_store": 4})


@every_bot
def test_a_reply_is_repeated_until_the_provider_can_be_reached(bot: str) -> None:
    World(bot_named(bot)).explore(talk(bot), seeds=SEEDS, faults={"provider_down": 8})


@every_bot
def test_a_restart_after_every_step_is_not_noticed(bot: str) -> None:
    World(bot_named(bot)).explore(talk(bot, between=World.crash), seeds=1)


@pytest.mark.parametrize(
    ("bot", "title", "made_up"),
    [
        ("approval", "Pay", 'Decide[1,9999,"Eve",true]'),
        ("catalogue", "More", "Page[7]"),
        ("menu", "Address", "secrets"),
    ],
)
def test_a_press_that_was_made_up_does_nothing(bot: str, title: str, made_up: str) -> None:
    """A key from nowhere, and (where keys are typed) the key of a button in somebody else's conversation."""

    async def scenario(world: World) -> None:
        emulator = world.emulator("konnek")
        ann, bob = (world.contact("konnek", "whatsapp", name) for name in ("ann", "bob"))
        for each in (ann, bob):
            await do(world, each, CONVERSATIONS[bot][0])
        await world.settle()
        ann.clears()
        keys = [made_up] if bot == "menu" else [made_up, bob.seen[0].choices[0].key]
        for key in keys:
            world.post(ann, [(emulator.presses("whatsapp", ann.address, Button(key, title)), "a forged press")])
        await world.settle()
        ann.saw_nothing()

    World(bot_named(bot)).explore(scenario, seeds=1)
