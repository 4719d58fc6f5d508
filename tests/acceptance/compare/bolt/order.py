"""An order in two steps: which tea, how many."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from slack_bolt.async_app import AsyncApp, AsyncSay

app = AsyncApp()
orders: dict[str, int] = {}
steps: dict[str, str] = {}
teas: dict[str, str] = {}


def at(step: str) -> Callable[..., Awaitable[bool]]:
    async def matches(event: dict) -> bool:
        return steps.get(event["user"]) == step

    return matches


@app.message(re.compile("(?i)^order$"))
async def begin(event: dict, say: AsyncSay) -> None:
    steps[event["user"]] = "tea"
    await say("Which tea?")


@app.message(matchers=[at("tea")])
async def tea(event: dict, say: AsyncSay) -> None:
    teas[event["user"]] = event["text"]
    steps[event["user"]] = "packs"
    await say("How many packs?")


@app.message(re.compile(r"^\d+$"), matchers=[at("packs")])
async def packs(event: dict, say: AsyncSay) -> None:
    user = event["user"]
    del steps[user]
    orders[user] = orders.get(user, 0) + 1
    await say(f"Order {orders[user]}: {event['text']} x {teas.pop(user)}.")


@app.message(matchers=[at("packs")])
async def again(say: AsyncSay) -> None:
    await say("A number, please.")
