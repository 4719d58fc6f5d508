"""Aelyst through the contract: its webhooks, the page's request and answers, with invented values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.events import Message, ThreadRef
from bridge.messages import (
    Audio,
    Button,
    Buttons,
    Card,
    Cards,
    Document,
    Image,
    Location,
    Menu,
    Raw,
    Row,
    Section,
    Template,
    Text,
    Video,
    Voice,
)
from bridge.providers.aelyst import Aelyst
from bridge.providers.aelyst.emulator import Emulator
from bridge.providers.port import Sent
from bridge.testing.contract.provider import (
    ACCOUNT,
    Answered,
    Call,
    Failure,
    ProviderCases,
    Refused,
    Spoken,
    answer,
    outbound,
)
from tests.contract.provider.aelyst_received import QUARANTINED, RECEIVED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from bridge.messages import Outgoing

HEADERS: Final = {"Authorization": "Bearer aelyst-demo-token", "Content-Type": "application/json"}
URL: Final = "https://files.example/a.jpg"
FLEX: Final = {"type": "flex", "altText": "Menu", "contents": {"type": "bubble"}}
FILLED: Final = [{"type": "header", "parameters": [{"type": "image", "image": {"link": URL}}]}]
NUMBERS: Final = {"whatsapp": 87, "facebook": 88, "instagram": 89, "telegram": 90, "viber": 91, "line": 92}


def spoken(
    name: str,
    what: Outgoing,
    content: Mapping[str, Any],
    channel: str = "whatsapp",
    **seen: Any,
) -> Spoken:
    number = NUMBERS[channel]
    return Spoken(
        name=name,
        outbound=outbound(ThreadRef(ACCOUNT, "aelyst", channel, f"{number}:40211907"), what),
        calls=[
            Call(
                method="POST",
                path="/contact/id:40211907/message",
                headers=HEADERS,
                json={"channelId": number, "message": content},
            )
        ],
        seen={"kind": what.kind, **seen},
    )


def to(conversation_id: str, path: str, channel_id: int | None = None, channel: str = "whatsapp") -> Spoken:
    return Spoken(
        name=f"a text to {conversation_id}",
        outbound=outbound(ThreadRef(ACCOUNT, "aelyst", channel, conversation_id), Text("Hi")),
        calls=[
            Call(
                method="POST",
                path=path,
                headers=HEADERS,
                json={"channelId": channel_id, "message": {"type": "text", "text": "Hi"}},
            )
        ],
        seen={"text": "Hi"},
    )


def attachment(named: str) -> dict[str, Any]:
    return {"type": "attachment", "attachment": {"type": named, "url": URL}}


def template(*components: Mapping[str, Any]) -> dict[str, Any]:
    more = {"components": list(components)} if components else {}
    return {"type": "whatsapp_template", "template": {"name": "order_ready", "languageCode": "en", **more}}


SPOKEN: Final = (
    spoken("a text", Text("Yes ✓"), {"type": "text", "text": "Yes ✓"}, text="Yes ✓"),
    *(
        spoken(
            f"a text to {channel} with a tag",
            Text("Shipped", tag="POST_PURCHASE_UPDATE"),
            {"type": "text", "text": "Shipped", "messageTag": "POST_PURCHASE_UPDATE"},
            channel,
            text="Shipped",
        )
        for channel in ("facebook", "instagram")
    ),
    spoken("an image", Image(URL), attachment("image"), url=URL),
    spoken("a video", Video(URL), attachment("video"), url=URL),
    spoken("an audio", Audio(URL), attachment("audio"), url=URL),
    spoken("a voice note", Voice(URL), attachment("audio"), kind="audio", url=URL),
    spoken("a document", Document(URL, name="a.pdf"), attachment("file"), url=URL),
    spoken(
        "buttons",
        Buttons("Sure?", [Button("y", "Yes"), Button("n", "No")]),
        {"type": "quick_reply", "title": "Sure?", "replies": ["Yes", "No"]},
        text="Sure?",
        choices=(Button("Yes", "Yes"), Button("No", "No")),
    ),
    spoken("a template", Template("order_ready", language="en"), template()),
    spoken(
        "a template with its body filled",
        Template("order_ready", language="en", params={"1": "Nadia", "2": 7}),
        template({"type": "body", "parameters": [{"type": "text", "text": "Nadia"}, {"type": "text", "text": "7"}]}),
    ),
    spoken(
        "a template with components of one's own",
        Template("order_ready", language="en", params={"components": FILLED}),
        template(*FILLED),
    ),
    *(
        spoken(f"a custom payload to {channel}", Raw(FLEX), {"type": "custom_payload", "payload": FLEX}, channel)
        for channel in ("telegram", "facebook", "viber", "line")
    ),
    to("id:40211907", "/contact/id:40211907/message"),
    to("phone:+60111222333", "/contact/phone:%2B60111222333/message"),
    to("email:ann+1@example.org", "/contact/email:ann%2B1%40example.org/message"),
    to("88:phone:+60111222333", "/contact/phone:%2B60111222333/message", 88, "facebook"),
)


def refused(name: str, what: Outgoing, reason: str, channel: str = "whatsapp", to: str = "87:40211907") -> Refused:
    return Refused(name=name, outbound=outbound(ThreadRef(ACCOUNT, "aelyst", channel, to), what), reason=reason)


def failed(status: int, error: type[NotSent | Rejected | OutcomeUnknown], message: str = "", **more: Any) -> Answered:
    headers = {"retry_after": more.pop("header")} if "header" in more else {}
    told = answer(status, {"code": status, "message": message or "No"}, **headers)
    name = f"{status} {message} {headers.get('retry_after', '')}".strip()
    return Answered(name=name, answers=[told], outcome=Failure(error=error, code=str(status), **more))


ANSWERED: Final = (
    Answered(name="taken", answers=[answer(200, {"messageId": 1262965213})], outcome=Sent(message_id="1262965213")),
    Answered(
        name="taken, with a text as id", answers=[answer(200, {"messageId": "x1"})], outcome=Sent(message_id="x1")
    ),
    Answered(
        name="taken, with an id no float holds",
        answers=[answer(201, {"messageId": 1579309168845799425})],
        outcome=Sent(message_id="1579309168845799425"),
    ),
    failed(400, Rejected, "Validation error."),
    failed(401, NotSent, "UN_AUTHORIZED", pause=True),
    failed(403, Rejected),
    failed(404, Rejected),
    failed(408, NotSent),
    failed(429, NotSent, "Too Many Requests", header="3", retry_after=3.0),
    failed(429, NotSent, "Too Many Requests"),
    failed(449, OutcomeUnknown, "in queue", retry_after=60.0),
    failed(449, OutcomeUnknown, "in queue", header="5", retry_after=60.0),
    failed(449, OutcomeUnknown, "in queue", header="120", retry_after=120.0),
    failed(500, OutcomeUnknown, "Unexpected error occurred"),
    failed(502, OutcomeUnknown),
    failed(503, OutcomeUnknown),
    failed(503, NotSent, header="9", retry_after=9.0),
    Answered(
        name="449 inside 200",
        answers=[answer(200, {"code": 449, "message": "in queue"})],
        outcome=Failure(error=OutcomeUnknown, code="449", retry_after=60.0),
    ),
    Answered(
        name="400 inside 200",
        answers=[answer(200, {"code": 400, "message": "Validation error."})],
        outcome=Failure(error=Rejected, code="400"),
    ),
    *(
        Answered(
            name=f"200 with {body}", answers=[answer(200, body)], outcome=Failure(error=OutcomeUnknown, code="200")
        )
        for body in ({}, {"messageId": None}, {"messageId": ""}, {"messageId": True}, {"messageId": 1.5})
    ),
    Answered(
        name="an id beside an error",
        answers=[answer(500, {"messageId": 5})],
        outcome=Failure(error=OutcomeUnknown, code="500"),
    ),
    Answered(
        name="a redirect", answers=[answer(302, location="https://evil/")], outcome=Failure(error=Rejected, code="302")
    ),
)

REFUSED: Final = (
    refused("a location", Location(1, 2), "location"),
    refused("a menu", Menu("Which?", "Sizes", [Section("", [Row("s", "Small")])]), "menu"),
    refused("cards", Cards([Card("One")]), "cards"),
    refused("a tag of nobody's", Text("Hi", tag="HUMAN_AGENT"), "messageTag", "facebook"),
    refused("a template without a language", Template("order_ready"), "language"),
    refused("a template to Telegram", Template("order_ready", language="en"), "WhatsApp", "telegram", "90:7"),
    refused("a custom payload to WhatsApp", Raw(FLEX), "custom payload"),
    refused("a custom payload without a channel id", Raw(FLEX), "channel id", "line", "id:7"),
    refused("a custom payload that is no JSON", Raw({"x": {1, 2}}), "JSON", "line", "92:7"),
    *(
        refused(f"a text to {to!r}", Text("Hi"), "conversation", to=to)
        for to in (
            "",
            "40211907",
            "+60111222333",
            "ann",
            "87:",
            "id:",
            "main:7",
            "fax:7",
            "id:a\nb",
            "id:\ud800",
            "9" * 30,
        )
    ),
)


def emulator(now: Callable[[], int], rng: Random, settings: Mapping[str, Any] | None = None) -> Emulator:
    """One that knows whom the cases write to without naming a channel."""
    made = Emulator(now, rng, settings)
    for identifier in ("id:40211907", "phone:+60111222333", "email:ann+1@example.org"):
        made.meet(identifier, "whatsapp")
    return made


CASES: Final = ProviderCases(
    provider=Aelyst,
    emulator=emulator,
    settings={"token": SecretStr("aelyst-demo-token")},
    received=RECEIVED,
    quarantined=QUARANTINED,
    spoken=SPOKEN,
    accepted=[answer(200, {"messageId": 1262965213})],
    answered=ANSWERED,
    refused=REFUSED,
    channel="whatsapp",
    contact="40211907",
    presses=Message,
    media=("image", "video", "audio", "document"),
)
