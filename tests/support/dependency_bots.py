"""What a handler of the tests depends on, and a bot that tells which one it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import Depends, Router, Turn

if TYPE_CHECKING:
    from tests.support.turn_engine import Turns


class Orders:
    """What a handler asks for."""

    def __init__(self, name: str = "real") -> None:
        self.name = name


async def hear(world: Turns, text: str = "hi") -> None:
    await world.heard(text, f"m-{text}")
    await world.settle()


async def get_orders() -> Orders:
    return Orders()


def shop() -> Router:
    router = Router("shop")

    @router.message()
    async def say(_turn: Turn, orders: Orders = Depends(get_orders)) -> str:
        return orders.name

    return router
