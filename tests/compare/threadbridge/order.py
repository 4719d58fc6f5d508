"""An order in two steps: which tea, how many."""

from __future__ import annotations

from bridge import Message, Router, Turn

router = Router("order")


@router.message(text="order")
async def begin(turn: Turn) -> str:
    turn.step = "tea"
    return "Which tea?"


@router.message(step="tea")
async def tea(turn: Turn[Message]) -> str:
    turn.state["tea"] = turn.event.text
    turn.step = "packs"
    return "How many packs?"


@router.message(regex=r"^(?P<packs>\d+)$", step="packs")
async def packs(turn: Turn, packs: int) -> str:
    turn.step = None
    turn.state["orders"] = turn.state.get("orders", 0) + 1
    return f"Order {turn.state['orders']}: {packs} x {turn.state.pop('tea')}."


@router.message(step="packs")
async def again(_turn: Turn) -> str:
    return "A number, please."
