"""Says back what it hears."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp, AsyncSay

app = AsyncApp()


@app.message()
async def echo(event: dict, say: AsyncSay) -> None:
    await say(event["text"])
