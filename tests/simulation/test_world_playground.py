"""The playground in a world: its contacts have a phone, like those of any gateway."""

from __future__ import annotations

import pytest

from bridge import Button, Buttons, Postback, Router, Turn
from bridge.testing import World
from tests.support.searches import seeds

PLAYGROUND = {"demo": {"provider": "playground"}}


def shop() -> Router:
    router = Router("shop")

    @router.on(Postback)
    async def pressed(turn: Turn[Postback]) -> str:
        return f"You pressed {turn.event.key}."

    @router.default()
    async def menu(_: Turn) -> Buttons:
        return Buttons("What would you like?", [Button("tea", "Tea")])

    return router


async def test_a_contact_of_the_playground_sees_presses_and_is_written_to() -> None:
    with World(shop(), accounts=PLAYGROUND) as world:
        ann = world.contact("demo", "console", "ann")
        await ann.says("hello")
        await ann.clicks("Tea")
        await world.settle()
        ann.saw("What would you like?", "You pressed tea.")
        await world.agent(ann).writes("Bob here")
        await world.settle()
        assert ann.texts == ["What would you like?", "You pressed tea.", "Bob here"]


def test_each_message_is_shown_once_whatever_goes_wrong() -> None:
    async def scenario(world: World) -> None:
        ann = world.contact("demo", "console", "ann")
        await ann.says("hello")
        await world.settle()
        ann.saw_once("What would you like?")

    with World(shop(), accounts=PLAYGROUND) as world:
        world.explore(scenario, seeds=seeds(30), faults={"lost_answer", "crash"})


def test_a_playground_has_no_other_channel() -> None:
    with World(shop(), accounts=PLAYGROUND) as world, pytest.raises(ValueError, match="console"):
        world.contact("demo", "whatsapp", "ann")
