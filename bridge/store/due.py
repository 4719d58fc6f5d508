"""Whose timers come first when more are due than can be fired at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def shares(due: Mapping[str, int], now: int, limit: int) -> dict[str, int]:
    """How many timers each account may fire now, `limit` in all; `due` is when the next one of each is due.

    Equal shares: many that are due in one account hold up none of another. Where accounts are more than the limit,
    those that wait longest have their turn.
    """
    waiting = sorted((due_at, account) for account, due_at in due.items() if due_at <= now)[:limit]
    return {account: limit // len(waiting) for _, account in waiting}
