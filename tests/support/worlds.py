"""Bots and scenarios that the tests of the test kit share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge import Button, Buttons, Postback, Router, Turn

if TYPE_CHECKING:
    from bridge.testing.world import World

ALL: Final = ("duplicate", "reorder", "crash", "lost_answer", "provider_down", "slow_store")
"""The faults of one moment."""

LASTING: Final = ("store_fails", "slow_shutdown", "clock_set", "gateway_away", "pool_exhausted")
"""The store's failures, and what stays out of order for a while."""

CHANNELS: Final = (
    ("aelyst", "telegram"),
    ("ginalne", "whatsapp"),
    ("konnek", "whatsapp"),
    ("relationlabs", "peer"),
    ("whautochat", "whatsapp"),
)


def counting() -> Router:
    """A bot that numbers what it hears: a lost or a repeated event, and a lost state, all show in its answers."""
    router = Router("counting")

    @router.default()
    async def count(turn: Turn[Any]) -> str:
        turn.state["heard"] = turn.state.get("heard", 0) + 1
        return f"{turn.state['heard']}: {turn.event.text}"

    return router


def shop() -> Router:
    """A bot with a button."""
    router = Router("shop")

    @router.message(regex=r"^order (?P<no>\d+)$")
    async def order(turn: Turn[Any], no: int) -> Buttons:
        turn.state["no"] = no
        return Buttons(f"Order {no}. What now?", [Button("refund", "Refund"), Button("keep", "Keep it")])

    @router.postback("refund")
    async def refund(turn: Turn[Postback]) -> str:
        turn.state["refunds"] = turn.state.get("refunds", 0) + 1
        return f"Done: {turn.state['refunds']} refund of {turn.state['no']}"

    return router


async def counted(world: World) -> None:
    """Three texts, one after the other: each is heard once, in order, and answered once."""
    ann = world.contact("konnek", "whatsapp", "ann")
    for text in "abc":
        await ann.says(text)
    await world.settle()
    assert ann.texts == ["1: a", "2: b", "3: c"], ann.phone()


async def refunded(world: World) -> None:
    """An order and a press."""
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("order 7")
    await ann.clicks("Refund")
    await world.settle()
    ann.saw("~refund").then("~Done")
    ann.saw_once("Done: 1 refund of 7")
