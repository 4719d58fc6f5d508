"""Offers two buttons and answers them."""

from __future__ import annotations

from bridge import Button, Buttons, Router, Turn

router = Router("menu")


@router.message(text="menu")
async def menu(_turn: Turn) -> Buttons:
    return Buttons("What would you like to know?", [Button("hours", "Opening hours"), Button("address", "Address")])


@router.postback("hours")
async def hours(_turn: Turn) -> str:
    return "We are open from 9 to 17."


@router.postback("address")
async def address(_turn: Turn) -> str:
    return "High Street 7."
