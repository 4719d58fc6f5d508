"""Three questions after a visit."""

from __future__ import annotations

from bridge import Message, Router, Turn

router = Router("survey")


@router.message(text="rate")
async def begin(turn: Turn) -> str:
    turn.step = "food"
    return "How was the food, 1 to 5?"


@router.message(regex=r"^(?P<stars>[1-5])$", step="food")
async def food(turn: Turn, stars: int) -> str:
    turn.state["food"] = stars
    turn.step = "service"
    return "And the service, 1 to 5?"


@router.message(regex=r"^(?P<stars>[1-5])$", step="service")
async def service(turn: Turn, stars: int) -> str:
    turn.state["service"] = stars
    turn.step = "remark"
    return "Anything to add?"


@router.message(step="remark")
async def remark(turn: Turn[Message]) -> str:
    turn.step = None
    return f"Thank you! Food {turn.state['food']}, service {turn.state['service']}: {turn.event.text}"


@router.message(step=["food", "service"])
async def again(_turn: Turn) -> str:
    return "A number from 1 to 5, please."
