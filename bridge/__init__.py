"""threadbridge: durable conversations over five messaging gateways. This is all that handlers import."""

from __future__ import annotations

from bridge import errors, events, messages
from bridge.errors import BridgeError, HandlerError
from bridge.events import Contact, Echo, Event, Media, Message, Place, Postback, Status, ThreadRef, Unrecognised
from bridge.filters import Filter
from bridge.messages import (
    Audio,
    Button,
    Buttons,
    Card,
    Cards,
    Document,
    Image,
    Location,
    Menu,
    Outgoing,
    Raw,
    Row,
    Section,
    Template,
    Text,
    Video,
    Voice,
)
from bridge.router import Router
from bridge.turn import Entry, Turn

__all__ = [
    "Audio",
    "BridgeError",
    "Button",
    "Buttons",
    "Card",
    "Cards",
    "Contact",
    "Document",
    "Echo",
    "Entry",
    "Event",
    "Filter",
    "HandlerError",
    "Image",
    "Location",
    "Media",
    "Menu",
    "Message",
    "Outgoing",
    "Place",
    "Postback",
    "Raw",
    "Router",
    "Row",
    "Section",
    "Status",
    "Template",
    "Text",
    "ThreadRef",
    "Turn",
    "Unrecognised",
    "Video",
    "Voice",
    "errors",
    "events",
    "messages",
]
