"""Reminds later of what it is told now: Slack itself keeps the message until then."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncApp, AsyncBoltContext, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient

app = AsyncApp()


@app.message(re.compile(r"^remind me in (\d+) minutes to (.+)$"))
async def remind(context: AsyncBoltContext, event: dict, client: AsyncWebClient, say: AsyncSay) -> None:
    minutes, what = context["matches"]
    due = int(float(event["ts"])) + int(minutes) * 60
    await client.chat_scheduleMessage(channel=event["channel"], post_at=due, text=f"Reminder: {what}")
    await say("I will.")
