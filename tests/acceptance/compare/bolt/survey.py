"""Three questions after a visit: one form, which Slack shows and keeps until it is handed in."""

from __future__ import annotations

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.models.blocks import InputBlock, Option, PlainTextInputElement, RadioButtonsElement
from slack_sdk.models.views import View
from slack_sdk.web.async_client import AsyncWebClient

app = AsyncApp()


def stars(question: str, name: str) -> InputBlock:
    options = [Option(value=each, text=each) for each in "12345"]
    return InputBlock(block_id=name, label=question, element=RadioButtonsElement(action_id="answer", options=options))


@app.command("/rate")
async def begin(ack: AsyncAck, body: dict, client: AsyncWebClient) -> None:
    await ack()
    remark = InputBlock(block_id="remark", label="Anything to add?", element=PlainTextInputElement(action_id="answer"))
    blocks = [stars("How was the food?", "food"), stars("And the service?", "service"), remark]
    form = View(type="modal", callback_id="survey", title="Your visit", submit="Send", blocks=blocks)
    await client.views_open(trigger_id=body["trigger_id"], view=form)


@app.view("survey")
async def handed_in(ack: AsyncAck, body: dict, client: AsyncWebClient, view: dict) -> None:
    await ack()
    values = {name: block["answer"] for name, block in view["state"]["values"].items()}
    food, service = (values[name]["selected_option"]["value"] for name in ("food", "service"))
    text = f"Thank you! Food {food}, service {service}: {values['remark']['value']}"
    await client.chat_postMessage(channel=body["user"]["id"], text=text)
