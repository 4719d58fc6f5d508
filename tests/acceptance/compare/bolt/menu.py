"""Offers two buttons and answers them."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncSay
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, SectionBlock

app = AsyncApp()


@app.message(re.compile("(?i)^menu$"))
async def menu(say: AsyncSay) -> None:
    text = "What would you like to know?"
    buttons = [
        ButtonElement(action_id="hours", text="Opening hours"),
        ButtonElement(action_id="address", text="Address"),
    ]
    await say(text=text, blocks=[SectionBlock(text=text), ActionsBlock(elements=buttons)])


@app.action("hours")
async def hours(ack: AsyncAck, say: AsyncSay) -> None:
    await ack()
    await say("We are open from 9 to 17.")


@app.action("address")
async def address(ack: AsyncAck, say: AsyncSay) -> None:
    await ack()
    await say("High Street 7.")
