"""A payment that leaves once somebody pressed the button, and only once."""

from __future__ import annotations

import json
import re
from itertools import count

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncSay
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, SectionBlock

app = AsyncApp()
numbers = count(1)
waiting: set[int] = set()


@app.message(re.compile(r"^pay (\d+) to (\w+)$"))
async def ask(context: AsyncBoltContext, say: AsyncSay) -> None:
    amount, payee = context["matches"]
    number = next(numbers)
    waiting.add(number)
    value = json.dumps({"number": number, "amount": int(amount), "payee": payee})
    text = f"Pay {amount} euro to {payee}?"
    buttons = [
        ButtonElement(action_id="decide_pay", text="Pay", value=value),
        ButtonElement(action_id="decide_refuse", text="Refuse", value=value),
    ]
    await say(text=text, blocks=[SectionBlock(text=text), ActionsBlock(elements=buttons)])


@app.action(re.compile("^decide_"))
async def decide(ack: AsyncAck, say: AsyncSay, action: dict) -> None:
    await ack()
    payment = json.loads(action["value"])
    if payment["number"] not in waiting:
        await say("That was decided already.")
        return
    waiting.remove(payment["number"])
    paid = f"Paid {payment['amount']} euro to {payment['payee']}."
    await say(paid if action["action_id"] == "decide_pay" else "Refused.")
