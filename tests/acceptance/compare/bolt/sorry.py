"""Answers a mistake of the contact's, and apologises for one of ours."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncApp, AsyncBoltContext, AsyncSay

app = AsyncApp()
PRICES = {"tea": "6", "soup": "ask the cook"}


@app.message(re.compile(r"^price of (\w+)$"))
async def price(context: AsyncBoltContext, say: AsyncSay) -> None:
    await say(f"{int(PRICES[context['matches'][0]])} euro.")


@app.error
async def failed(error: Exception, say: AsyncSay) -> None:
    await say("We do not sell that." if isinstance(error, LookupError) else "Sorry, something went wrong here.")
