"""The bot that is spoken to from outside: one answer of each kind. The test copies it beside a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import Button, Buttons, Image, Location, Menu, Router, Row, Section

if TYPE_CHECKING:
    from bridge import Message, Outgoing, Postback, Turn

router = Router()


@router.message(text="buttons")
async def offers_buttons(_turn: Turn[Message]) -> Outgoing:
    return Buttons("Refund?", [Button("yes", "Yes"), Button("no", "No")], header="Order 7", footer="The shop")


@router.message(text="list")
async def offers_a_list(_turn: Turn[Message]) -> Outgoing:
    rows = [Row("s", "Small", "20 cm"), Row("l", "Large")]
    return Menu("Which size?", "Sizes", [Section("Pizza", rows)])


@router.postback("{key}")
async def is_pressed(turn: Turn[Postback], key: str) -> str:
    return f"pressed {key} ({turn.event.title})"


@router.message(kind="image")
async def is_shown_a_picture(turn: Turn[Message]) -> Outgoing:
    assert turn.event.media is not None
    return Image(turn.event.media.url, name="back.jpg", caption=f"back: {turn.event.text}")


@router.message(kind="location")
async def is_told_a_place(turn: Turn[Message]) -> Outgoing:
    assert turn.event.location is not None
    return Location(turn.event.location.latitude, turn.event.location.longitude)


@router.message()
async def repeats(turn: Turn[Message]) -> str:
    return f"you said: {turn.event.text}"
