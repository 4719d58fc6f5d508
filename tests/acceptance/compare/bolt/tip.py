"""One tip a day, for whoever asks, out of a service that is injected."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

from slack_bolt.async_app import AsyncApp, AsyncBoltContext, AsyncSay

app = AsyncApp()
seen: dict[str, date] = {}


class Tips:
    async def of(self, day: date) -> str:
        return ["Drink water.", "Go for a walk.", "Call a friend."][day.toordinal() % 3]


@app.use
async def give_tips(context: AsyncBoltContext, next_: Callable[[], Awaitable[None]]) -> None:
    context["tips"] = Tips()
    await next_()


@app.message(re.compile("(?i)^tip$"))
async def tip(context: AsyncBoltContext, event: dict, say: AsyncSay) -> None:
    today = datetime.fromtimestamp(float(event["ts"]), UTC).date()
    if seen.get(event["user"]) == today:
        await say("That was it for today.")
        return
    seen[event["user"]] = today
    await say(await context["tips"].of(today))
