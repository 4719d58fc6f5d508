"""A list too long for one message, page by page; the message is turned over in place."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond, AsyncSay
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, SectionBlock

app = AsyncApp()
BOOKS = ["Emma", "Dracula", "Ulysses", "Walden", "Candide", "Middlemarch", "Persuasion"]
SIZE = 3


def show(page: int) -> dict[str, Any]:
    titles = "\n".join(BOOKS[page * SIZE : (page + 1) * SIZE])
    buttons = []
    if page:
        buttons.append(ButtonElement(action_id="page_back", text="Back", value=str(page - 1)))
    if (page + 1) * SIZE < len(BOOKS):
        buttons.append(ButtonElement(action_id="page_more", text="More", value=str(page + 1)))
    return {"text": titles, "blocks": [SectionBlock(text=titles), ActionsBlock(elements=buttons)]}


@app.message(re.compile("(?i)^books$"))
async def first(say: AsyncSay) -> None:
    await say(**show(0))


@app.action(re.compile("^page_"))
async def other(ack: AsyncAck, respond: AsyncRespond, action: dict) -> None:
    await ack()
    await respond(**show(int(action["value"])), replace_original=True)
