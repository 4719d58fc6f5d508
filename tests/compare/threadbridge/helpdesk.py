"""Answers, until a person is asked for; then it is silent until it is called back."""

from __future__ import annotations

from bridge import Router, Turn

router = Router("helpdesk")


@router.message(text="human")
async def hand_over(turn: Turn) -> str:
    turn.step = "human"
    return "A person will take over."


@router.message(text="bot", step="human")
async def take_back(turn: Turn) -> str:
    turn.step = None
    return "I am back."


@router.message(step="human")
async def keep_silent(_turn: Turn) -> None: ...


@router.message()
async def answer(_turn: Turn) -> str:
    return 'Write "human" to talk to a person.'
