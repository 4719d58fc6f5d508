"""What a bot keeps of a person: as a mapping or a model, in handlers and in dialogs."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from bridge import Dialog, HandlerError, Router, Turn
from bridge.testing import World


class Profile(BaseModel):
    name: str = ""
    visits: int = 0


async def test_fields_are_seen_as_the_model_that_the_router_names() -> None:
    typed = Router("typed", fields=Profile)

    @typed.message()
    async def visit(turn: Turn) -> str:
        turn.contact.fields.visits += 1
        return f"visit {turn.contact.fields.visits}"

    with World(typed) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("a", "b")
        await world.settle()
        assert ann.texts == ["visit 1", "visit 2"]


async def test_a_dialog_sees_the_fields_as_they_were_and_keeps_what_it_writes() -> None:
    asking = Router("asking")

    @asking.message(text="hi")
    async def begin(turn: Turn) -> None:
        await turn.begin(register)

    @asking.dialog(version=1)
    async def register(d: Dialog) -> str:
        fields = d.turn.contact.fields
        if "name" not in fields:
            d.turn.contact.fields["name"] = await d.ask("Name?")
        size = await d.ask("Size?")
        d.turn.contact.tags.add("done")
        return f"{d.turn.contact.fields['name']} {size}"

    with World(asking) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("hi", "Ann", "L", "hi", "XL")
        await world.settle()
        assert ann.texts == ["Name?", "Size?", "Ann L", "Size?", "Ann XL"]


@pytest.mark.parametrize("model", [None, Profile])
async def test_fields_that_a_dialog_holds_across_a_question_are_kept(model: type[Profile] | None) -> None:
    asking = Router("asking", fields=model)

    @asking.message(text="hi")
    async def begin(turn: Turn) -> None:
        await turn.begin(register)

    @asking.dialog(version=1)
    async def register(d: Dialog) -> None:
        fields = d.turn.contact.fields
        name = await d.ask("Name?")
        if model is None:
            fields["name"] = name
        else:
            fields.name = name

    @asking.default()
    async def who(turn: Turn) -> str:
        fields = turn.contact.fields
        return str(fields.get("name") if model is None else fields.name)

    with World(asking) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("hi", "Ann", "who?")
        await world.settle()
        assert ann.texts == ["Name?", "Ann"]


async def test_fields_that_are_no_json_fail_the_turn_by_their_name() -> None:
    asking = Router("asking")

    @asking.message(text="hi")
    async def begin(turn: Turn) -> None:
        turn.contact.fields["when"] = {1, 2}
        await turn.begin(register)

    @asking.dialog(version=1)
    async def register(d: Dialog) -> None:
        await d.ask("Name?")

    with World(asking) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("hi")
        await world.settle()
        assert any("the contact's fields['when'] is a set" in str(error) for error in world.errors), world.errors


async def test_fields_that_a_handler_holds_after_its_turn_are_closed() -> None:
    held: list[Turn] = []
    asking = Router("asking")

    @asking.message()
    async def hold(turn: Turn) -> None:
        held.append(turn)

    with World(asking) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("hi")
        await world.settle()
        with pytest.raises(HandlerError, match="the turn is over"):
            held[0].contact.fields["late"] = True


async def test_what_is_kept_while_a_dialog_waits_is_not_undone_by_its_past() -> None:
    asking = Router("asking")

    @asking.message(text="hi")
    async def begin(turn: Turn) -> None:
        await turn.begin(register)

    @asking.message(text="rename", anytime=True)
    async def rename(turn: Turn) -> str:
        turn.contact.fields["name"] = "Eve"
        return "renamed"

    @asking.dialog(version=1)
    async def register(d: Dialog) -> str:
        d.turn.contact.fields["name"] = await d.ask("Name?")
        size = await d.ask("Size?")
        return f"{d.turn.contact.fields['name']} {size}"

    with World(asking) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("hi", "Ann", "rename", "L")
        await world.settle()
        assert ann.texts == ["Name?", "Size?", "renamed", "Eve L"]
