"""Reminds later of what it is told now."""

from __future__ import annotations

from datetime import timedelta

from bridge import Router, Text, Turn

router = Router("reminder")


@router.message(regex=r"^remind me in (?P<minutes>\d+) minutes to (?P<what>.+)$")
async def remind(turn: Turn, minutes: int, what: str) -> list[str | Text]:
    return ["I will.", Text(f"Reminder: {what}", at=turn.event.at + timedelta(minutes=minutes))]
