"""Greets by the name it is told."""

from __future__ import annotations

from bridge import Router, Turn

router = Router("greeting")


@router.message(regex=r"(?i)my name is (?P<name>\w+)")
async def greet(_turn: Turn, name: str) -> str:
    return f"Hello, {name}!"
