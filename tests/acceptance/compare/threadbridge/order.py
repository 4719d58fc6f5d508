"""An order in two steps: which tea, how many."""

from __future__ import annotations

from bridge import Dialog, Router, Turn

router = Router("order")


def number(said: str) -> int:
    if not said.isdecimal():
        raise ValueError(said)
    return int(said)


@router.message(text="order")
async def begin(turn: Turn) -> None:
    await turn.begin(order)


@router.dialog()
async def order(d: Dialog) -> str:
    tea = await d.ask("Which tea?")
    packs = await d.ask("How many packs?", parse=number, retry="A number, please.")
    orders = d.turn.state["orders"] = d.turn.state.get("orders", 0) + 1
    return f"Order {orders}: {packs} x {tea}."
