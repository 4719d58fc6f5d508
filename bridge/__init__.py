"""threadbridge: durable conversations over five messaging gateways. This is all that handlers import."""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge import errors, events, messages
    from bridge.app.http import create_app
    from bridge.config.settings_file import SettingsFile
    from bridge.conversation.contact import ContactThread, Identity, Person
    from bridge.conversation.dialog import Dialog
    from bridge.conversation.spending import Budget, Paid, Spending
    from bridge.conversation.transcript import Entry
    from bridge.conversation.turn import Turn
    from bridge.errors import BridgeError, BudgetSpent, HandlerError, MediaError, NoAnswer, StepFailed
    from bridge.events import (
        Contact,
        Echo,
        Event,
        Handoff,
        Job,
        Media,
        Merged,
        Message,
        Place,
        Postback,
        Returned,
        Signal,
        Status,
        ThreadRef,
        Timer,
        Unmerged,
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
    from bridge.planning.markdown import escape_markdown
    from bridge.routing.depends import Depends
    from bridge.routing.filters import Filter
    from bridge.routing.middleware import CallNext
    from bridge.routing.overlap import debounce
    from bridge.routing.router import Router
    from bridge.routing.rules import Match
    from bridge.text.equal_text import fold

__all__ = [
    "Audio",
    "BridgeError",
    "Budget",
    "BudgetSpent",
    "Button",
    "Buttons",
    "CallNext",
    "Card",
    "Cards",
    "Contact",
    "ContactThread",
    "Depends",
    "Dialog",
    "Document",
    "Echo",
    "Entry",
    "Event",
    "Filter",
    "HandlerError",
    "Handoff",
    "Identity",
    "Image",
    "Job",
    "Key",
    "Location",
    "Match",
    "Media",
    "MediaError",
    "Menu",
    "Merged",
    "Message",
    "NoAnswer",
    "Outgoing",
    "Paid",
    "Person",
    "Place",
    "Postback",
    "Raw",
    "Returned",
    "Router",
    "Row",
    "Section",
    "SettingsFile",
    "Signal",
    "Spending",
    "Status",
    "StepFailed",
    "Template",
    "Text",
    "ThreadRef",
    "Timer",
    "Turn",
    "Unmerged",
    "Unrecognised",
    "Video",
    "Voice",
    "create_app",
    "debounce",
    "errors",
    "escape_markdown",
    "events",
    "fold",
    "messages",
]

if not TYPE_CHECKING:  # a type checker that saw this would take any name for one of ours
    _HOMES = {
        "bridge.app.http": "create_app",
        "bridge.config.settings_file": "SettingsFile",
        "bridge.conversation.contact": "ContactThread Identity Person",
        "bridge.conversation.dialog": "Dialog",
        "bridge.conversation.spending": "Budget Paid Spending",
        "bridge.conversation.transcript": "Entry",
        "bridge.conversation.turn": "Turn",
        "bridge.text.equal_text": "fold",
        "bridge.errors": "BridgeError BudgetSpent HandlerError MediaError NoAnswer StepFailed",
        "bridge.events": "Contact Echo Event Handoff Job Media Merged Message Place Postback Returned Signal Status "
        "ThreadRef Timer Unmerged Unrecognised",
        "bridge.keys": "Key",
        "bridge.messages": "Audio Button Buttons Card Cards Document Image Location Menu Outgoing Raw Row Section "
        "Template Text Video Voice",
        "bridge.planning.markdown": "escape_markdown",
        "bridge.routing.depends": "Depends",
        "bridge.routing.filters": "Filter",
        "bridge.routing.middleware": "CallNext",
        "bridge.routing.overlap": "debounce",
        "bridge.routing.router": "Router",
        "bridge.routing.rules": "Match",
    }
    _HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

    def __getattr__(name: str) -> object:
        """Load a name at its first use, so that a command loads only what it needs."""
        if name in {"errors", "events", "messages"}:
            return _import_module(f"bridge.{name}")
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(_import_module(_HOME_OF[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
