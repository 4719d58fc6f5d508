"""Degradation: a message natively, or in the next best form that a channel carries, each step down named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.messages import Audio, Buttons, Cards, Document, Image, Location, Menu, Template, Text, Video, Voice
from bridge.planning.cards import degrade_cards
from bridge.planning.marked import degrade_markdown
from bridge.planning.menus import degrade_choices
from bridge.planning.plain import Degraded, degrade_medium, degrade_text, map_link, noted
from bridge.planning.templates import degrade_template

if TYPE_CHECKING:
    from bridge.messages import Outgoing
    from bridge.planning.capabilities import Capabilities


def degrade(message: Outgoing, capabilities: Capabilities) -> Degraded:
    """The message in kinds the channel carries; `plan` sets the fields that all messages have.

    Long text is split, and markdown becomes the marks of the channel. Media become links with their captions, and a
    location a map link. Too many buttons become a list, and a choice without a native form becomes numbered text.
    """
    match message:
        case Text():
            return (degrade_markdown if message.format else degrade_text)(message.text, capabilities)
        case Image() | Video() | Audio() | Voice() | Document():
            return degrade_medium(message, capabilities)
        case Buttons() | Menu():
            return degrade_choices(message, capabilities)
        case Cards():
            return degrade_cards(message, capabilities)
        case Template():
            return degrade_template(message, capabilities)
        case _:
            return _as_it_is(message, capabilities)


def _as_it_is(message: Outgoing, capabilities: Capabilities) -> Degraded:
    if message.kind in capabilities.kinds:
        return Degraded(parts=(message,))
    if isinstance(message, Location):
        return noted(degrade_text(map_link(message), capabilities), "location: sent as a map link")
    return Degraded(dropped=f"{message.kind}: not carried here")
