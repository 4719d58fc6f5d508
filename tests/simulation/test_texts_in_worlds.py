"""Texts by language in whole worlds: by the contact's language, in dialogs, and under faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge import Dialog, Router, Turn
from bridge.events import Contact, Message, decode_event, encode_event
from bridge.testing import World
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

router = Router("languages")


@router.message(text="hi")
async def hi(turn: Turn) -> None:
    turn.say(turn.t("hello"))


@router.message(text="dutch")
async def dutch(turn: Turn) -> None:
    turn.say(turn.t("hello", locale="nl"))


@router.message(text="nope")
async def nope(turn: Turn) -> None:
    turn.say(turn.t("nope"))


@router.dialog(version=1)
async def quiz(d: Dialog) -> None:
    name = await d.ask(d.turn.t("who"))
    await d.say(d.turn.t("bye", name=name))


@router.message(text="quiz")
async def begin(turn: Turn) -> None:
    await turn.begin(quiz)


@pytest.fixture
def settings(tmp_path: Path) -> Mapping[str, Mapping[str, object]]:
    for tag, hello in (("en", "Hello"), ("id", "Halo"), ("nl", "Hallo")):
        (tmp_path / f"{tag}.toml").write_text(f'hello = "{hello}"\nwho = "{hello}, who?"\nbye = "{hello} {{name}}"')
    return {"handlers": {"texts": str(tmp_path)}}


async def test_a_contact_is_answered_in_their_language(settings: Mapping[str, Mapping[str, object]]) -> None:
    with World(router, settings=settings) as world:
        ann = world.contact("aelyst", "whatsapp", "ann", locale="id_ID")
        bob = world.contact("aelyst", "whatsapp", "bob")
        for contact in (ann, bob):
            await contact.says("hi")
            await contact.says("dutch")
        await world.settle()
        assert [ann.texts, bob.texts] == [["Halo", "Hallo"], ["Hello", "Hallo"]]


def test_a_gateway_that_tells_no_language_is_named() -> None:
    with World(router) as world, pytest.raises(ValueError, match="the webhooks of konnek tell no language"):
        world.contact("konnek", "whatsapp", "ann", locale="id")


async def test_the_default_language_is_configured(settings: Mapping[str, Mapping[str, object]]) -> None:
    with World(router, settings={"handlers": {**settings["handlers"], "locale": "id"}}) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("hi")
        await ann.says("nope")
        await world.settle()
        ann.saw_once("Halo")
        assert "no text 'nope' for id: no language has it" in str(world.errors[0])


async def test_a_dialog_goes_on_in_its_language_after_crashes(settings: Mapping[str, Mapping[str, object]]) -> None:
    async def scenario(world: World) -> None:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("quiz")
        await world.settle()
        await ann.says("Ann")
        await world.settle()
        ann.saw("Hello, who?")
        ann.saw("Hello Ann")

    with World(router, settings=settings) as world:
        await world.explore(scenario, seeds=10, faults={"crash", "duplicate"})


def test_the_language_of_a_contact_is_kept_and_what_later_versions_add_is_left_out() -> None:
    event = Message(id="1", contact=Contact(id="ann", locale="id"), at=moment(0), text="hi")
    data = encode_event(event)
    assert decode_event("message", data) == event
    assert decode_event("message", data.replace(b'"locale":"id"', b'"locale":"id","age":7')) == event
    assert decode_event("message", data.replace(b',"locale":"id"', b"")).contact.locale is None
