"""threadbridge: durable conversations over five messaging gateways. This is all that handlers import."""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from bridge.conversation.dialog import Dialog
from bridge.conversation.transcript import Entry
from bridge.conversation.turn import Turn
from bridge.errors import BridgeError, HandlerError, NoAnswer, StepFailed
from bridge.events import (
    Contact,
    Echo,
    Event,
    Handoff,
    Media,
    Message,
    Place,
    Postback,
    Returned,
    Status,
    ThreadRef,
    Timer,
    Unrecognised,
)
from bridge.keys import Key
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
from bridge.routing.depends import Depends
from bridge.routing.filters import Filter
from bridge.routing.middleware import CallNext
from bridge.routing.overlap import debounce
from bridge.routing.router import Router
from bridge.routing.rulebook import Match

__all__ = [
    "Audio",
    "BridgeError",
    "Button",
    "Buttons",
    "CallNext",
    "Card",
    "Cards",
    "Contact",
    "Depends",
    "Dialog",
    "Document",
    "Echo",
    "Entry",
    "Event",
    "Filter",
    "HandlerError",
    "Handoff",
    "Image",
    "Key",
    "Location",
    "Match",
    "Media",
    "Menu",
    "Message",
    "NoAnswer",
    "Outgoing",
    "Place",
    "Postback",
    "Raw",
    "Returned",
    "Router",
    "Row",
    "Section",
    "Status",
    "StepFailed",
    "Template",
    "Text",
    "ThreadRef",
    "Timer",
    "Turn",
    "Unrecognised",
    "Video",
    "Voice",
    "create_app",
    "debounce",
    "errors",
    "events",
    "messages",
]

if _TYPE_CHECKING:
    from bridge.app.http import create_app
else:  # a type checker that saw this would take any name for one of ours

    def __getattr__(name: str) -> object:
        """`create_app` brings the web stack along, so it is loaded only when it is asked for."""
        if name == "create_app":
            return _import_module("bridge.app").create_app
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
