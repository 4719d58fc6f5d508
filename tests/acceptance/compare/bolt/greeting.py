"""Greets by the name it is told."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncApp, AsyncBoltContext, AsyncSay

app = AsyncApp()


@app.message(re.compile(r"(?i)my name is (\w+)"))
async def greet(context: AsyncBoltContext, say: AsyncSay) -> None:
    await say(f"Hello, {context['matches'][0]}!")
