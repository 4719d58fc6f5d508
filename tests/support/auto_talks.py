"""Conversations with an auto-responder's file, in one world each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.testing import World
from bridge.testing.conversations import hold, read_conversations
from handlers.autoresponder import read_router

if TYPE_CHECKING:
    from pathlib import Path

    from bridge import Router

MENU = """
[replies.menu]
words = ["menu"]
text = "What now?"
buttons = ["price", "form"]
[replies.price]
title = "Price"
words = ["price", "how much"]
like = ["What does a cleaning cost?"]
text = "10 euro"
[replies.form]
title = "Form"
words = ["form"]
ask = [
  {field = "name", kind = "name", text = "Name?"},
  {field = "count", kind = "number", min = 1, max = 8, text = "How many?"},
]
done = "{count} for {name}."
[replies.person]
words = ["person"]
text = "One moment."
handoff = "for {name|nobody}, {count|none}"
"""


async def held(
    folder: Path,
    text: str,
    conversation: str,
    *,
    place: tuple[str, str] = ("konnek", "whatsapp"),
    before: tuple[Router, ...] = (),
    **settings: Any,
) -> None:
    """Hold one conversation with a file: every line is as it says."""
    (folder / "replies.toml").write_text(text, "utf-8")
    (only,) = read_conversations(conversation)
    routers = [*before, read_router(folder / "replies.toml")]
    with World(routers, at=only.at, settings=settings) as world:
        transcript = await hold(only, world, *place)
        assert world.errors == []
        assert not transcript.differs, f"\n{transcript}"
