"""Answers a mistake of the contact's, and apologises for one of ours."""

from __future__ import annotations

from bridge import Router, Turn

router = Router("sorry")
PRICES = {"tea": "6", "soup": "ask the cook"}


@router.message(regex=r"^price of (?P<thing>\w+)$")
async def price(_turn: Turn, thing: str) -> str:
    return f"{int(PRICES[thing])} euro."


@router.error(LookupError)
async def unknown(_turn: Turn, _error: LookupError) -> str:
    return "We do not sell that."


@router.error()
async def sorry(_turn: Turn, _error: Exception) -> str:
    return "Sorry, something went wrong here."
