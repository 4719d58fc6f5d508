"""A bot that keeps its orders in tables of its own; the harness copies it beside a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import Router

if TYPE_CHECKING:
    from bridge import Message, Turn

router = Router()


@router.message(regex=r"^order (?P<no>\d+) (?P<lot>\d+)$")
async def order(turn: Turn[Message], no: int, lot: int) -> str:
    """A new order; every tenth lot number is taken already, and fails its turn."""
    await turn.fetch("SELECT n FROM bot_count")
    turn.execute("UPDATE bot_count SET n = n + 1")
    turn.execute("INSERT INTO bot_orders (no, contact) VALUES (?, ?)", no, turn.contact.id)
    turn.execute("INSERT INTO bot_lots (lot) VALUES (?)", lot)
    return f"order {no} is noted"
