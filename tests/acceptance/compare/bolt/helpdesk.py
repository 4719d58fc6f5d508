"""Answers, until a person is asked for; then it is silent until called back; people write in the channel."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncApp, AsyncSay

app = AsyncApp()
with_people: set[str] = set()


async def silent(event: dict) -> bool:
    return event["channel"] in with_people


@app.message(re.compile("(?i)^human$"))
async def hand_over(event: dict, say: AsyncSay) -> None:
    with_people.add(event["channel"])
    await say("A person will take over.")


@app.message(re.compile("(?i)^bot$"), matchers=[silent])
async def take_back(event: dict, say: AsyncSay) -> None:
    with_people.discard(event["channel"])
    await say("I am back.")


@app.message(matchers=[silent])
async def keep_silent() -> None: ...


@app.message()
async def answer(say: AsyncSay) -> None:
    await say('Write "human" to talk to a person.')
