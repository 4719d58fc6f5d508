"""Says back what it hears."""

from __future__ import annotations

from bridge import Message, Router, Turn

router = Router("echo")


@router.message(kind="text")
async def echo(turn: Turn[Message]) -> str:
    return turn.event.text
