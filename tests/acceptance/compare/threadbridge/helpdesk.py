"""Answers, until a person is asked for; then it is silent until that person gives the conversation back."""

from __future__ import annotations

from bridge import Returned, Router, Turn

router = Router("helpdesk")


@router.message(text="human")
async def hand_over(turn: Turn) -> str:
    turn.handoff("asked for a person")
    return "A person will take over."


@router.on(Returned)
async def take_back(_turn: Turn) -> str:
    return "I am back."


@router.message()
async def answer(_turn: Turn) -> str:
    return 'Write "human" to talk to a person.'
