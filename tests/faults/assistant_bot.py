"""The bot of the assistant's fault runs: its model and its till are a server of the test."""

from __future__ import annotations

import os

import aiohttp

from handlers.assistant import Assistant, Limits, Prices, tool

_TILL = os.environ["BOT_TILL"]


async def refund(no: int, *, key: str) -> str:
    """Pay an order back."""
    async with aiohttp.ClientSession() as session, session.post(_TILL, json={"no": no, "key": key}) as answer:
        return await answer.text()


router = Assistant(
    model="stub-1",
    base_url="env:BOT_MODEL",
    api_key="env:BOT_KEY",
    instructions="You sell tea.",
    tools=[tool(refund, confirm="Refund order {no}?")],
    prices=Prices("1", "2"),
    limits=Limits(contact_day="1", account_day="20"),
).router
