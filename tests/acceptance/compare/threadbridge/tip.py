"""One tip a day, for whoever asks, out of a service that is injected."""

from __future__ import annotations

from datetime import date

from bridge import Depends, Router, Turn

router = Router("tip")


class Tips:
    async def of(self, day: date) -> str:
        return ["Drink water.", "Go for a walk.", "Call a friend."][day.toordinal() % 3]


def get_tips() -> Tips:
    return Tips()


@router.message(text="tip")
async def tip(turn: Turn, tips: Tips = Depends(get_tips)) -> str:
    today = turn.event.at.date()
    if turn.state.get("seen") == today.isoformat():
        return "That was it for today."
    turn.state["seen"] = today.isoformat()
    return await tips.of(today)
