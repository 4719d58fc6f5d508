"""WhautoChat's samples: nine endpoints and their answers; the webhooks are in whautochat_samples.py."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

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
    Outgoing,
    Raw,
    Template,
    Text,
    Video,
    Voice,
)
from bridge.providers.port import Outbound, Sent
from bridge.providers.whautochat import WhautoChat
from bridge.providers.whautochat.emulator import Emulator
from bridge.testing.contract.provider import (
    ACCOUNT,
    CREATED_AT,
    Answered,
    Call,
    Failure,
    ProviderCases,
    Refused,
    Spoken,
    answer,
    outbound,
)
from bridge.units import moment
from tests.contract.provider.whautochat_samples import QUARANTINED, RECEIVED

HEADERS: Final = {"x-api-key": "whauto-demo-key", "Content-Type": "application/json"}
LATER: Final = moment(CREATED_AT) + timedelta(hours=1)
EARLIER: Final = moment(CREATED_AT) - timedelta(seconds=1)
OBJECT: Final = {"template_as": "object"}
SIZES: Final = (Button("s", "Small"), Button("l", "Large"))
PRESSABLE: Final = [
    {"type": "postback", "title": "Small", "payload": "s"},
    {"type": "postback", "title": "Large", "payload": "l"},
]


def to(channel: str, message: Outgoing, conversation_id: str = "cnt_3302") -> Outbound:
    return outbound(ThreadRef(ACCOUNT, "whautochat", channel, conversation_id), message)


def says(
    channel: str,
    endpoint: str,
    message: Outgoing,
    content: dict[str, Any],
    *,
    name: str = "",
    seen: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
) -> Spoken:
    json = {"contact": {"id": "cnt_3302"}, "workspace": {"id": "ws_demo"}, **content}
    path = f"/v1/messages/{channel}/{endpoint}"
    return Spoken(
        name=f"{channel}: {name or message.kind}",
        outbound=to(channel, message),
        calls=[Call(method="POST", path=path, headers=HEADERS, json=json)],
        seen={"kind": message.kind, **(seen or {})},
        settings=settings or {},
    )


def phones(name: str, endpoint: str, message: Outgoing, content: dict[str, Any]) -> Spoken:
    json = {"recepient": {"phoneNumber": "+6281200012345"}, "workspace": {"id": "ws_demo"}, **content}
    path = f"/v1/messages/whatsapp/{endpoint}"
    return Spoken(
        name=f"whatsapp: {name} to a phone number",
        outbound=to("whatsapp", message, "+6281200012345"),
        calls=[Call(method="POST", path=path, headers=HEADERS, json=json)],
        seen={"kind": message.kind},
    )


def media(url: str, mime_type: str) -> dict[str, str]:
    return {"mediaUrl": url, "mimeType": mime_type}


SPOKEN: Final = (
    says("whatsapp", "sendtext", Text("hi ✓"), {"textMessage": "hi ✓"}, seen={"text": "hi ✓"}),
    says("messenger", "sendtext", Text("hi"), {"textMessage": "hi"}),
    says("instagram", "sendtext", Text("hi"), {"textMessage": "hi"}),
    says("telegram", "sendtemplate", Text("hi"), {"textMessage": "hi", "buttons": []}, seen={"text": "hi"}),
    phones("a text", "sendtext", Text("hi"), {"textMessage": "hi"}),
    phones("a medium", "sendmedia", Image("https://x/a.png"), media("https://x/a.png", "image/png")),
    phones("a template", "sendtemplate", Template("welcome"), {"template": "welcome"}),
    *(
        says(channel, "sendmedia", message, media(message.url, mime_type), seen={"url": message.url})
        for channel in ("whatsapp", "messenger")
        for message, mime_type in (
            (Image("https://x/a.png?w=1.5"), "image/png"),
            (Video("https://x/film"), "video/mp4"),
            (Audio("https://x/a.m4a"), "audio/mp4"),
            (Voice("https://x/a"), "audio/ogg"),
            (Document("https://x/get?id=1", name="Bill.PDF"), "application/pdf"),
        )
    ),
    says(
        "whatsapp",
        "sendmedia",
        Image("https://x/a.pdf"),
        media("https://x/a.pdf", "image/jpeg"),
        name="an extension that belies the kind",
    ),
    says("whatsapp", "sendtemplate", Template("welcome", language="id"), {"template": "welcome"}),
    says(
        "whatsapp",
        "sendtemplate",
        Template("welcome", language="id", params={"header": "x", "body": ["Ann"]}),
        {"template": {"name": "welcome", "language": "id"}, "header": "x", "body": ["Ann"]},
        name="a template as an object",
        settings=OBJECT,
        seen={"text": "welcome"},
    ),
    *(
        says(
            channel,
            "sendtemplate",
            Buttons("Which?", SIZES),
            {"elements": [{"title": "Which?", "buttons": PRESSABLE}]},
            seen={"text": "Which?", "choices": SIZES},
        )
        for channel in ("messenger", "instagram")
    ),
    says(
        "telegram",
        "sendtemplate",
        Buttons("Which?", SIZES),
        {"textMessage": "Which?", "buttons": PRESSABLE},
        seen={"text": "Which?", "choices": SIZES},
    ),
    *(
        says(
            channel,
            "sendtemplate",
            Cards([Card("Shirt", buttons=SIZES[:1]), Card("Shoe", image="https://x/shoe.png")]),
            {
                "elements": [
                    {"title": "Shirt", "buttons": PRESSABLE[:1]},
                    {"title": "Shoe\nhttps://x/shoe.png", "buttons": []},
                ]
            },
            seen={"choices": SIZES[:1]},
        )
        for channel in ("messenger", "instagram")
    ),
    says(
        "whatsapp",
        "sendtext",
        Text("later", at=LATER),
        {"textMessage": "later", "scheduleDateTime": "2025-10-10T10:01:40.125Z"},
        name="a text for later",
    ),
    says("whatsapp", "sendtext", Text("now", at=EARLIER), {"textMessage": "now"}, name="a text that is due"),
    says("telegram", "sendtemplate", Text("now", at=EARLIER), {"textMessage": "now", "buttons": []}, name="one due"),
    says(
        "messenger",
        "sendmedia",
        Raw({"mediaUrl": "https://x/a", "mimeType": "image/webp"}),
        {"mediaUrl": "https://x/a", "mimeType": "image/webp"},
        name="a raw medium",
        seen={"kind": "image"},
    ),
    says(
        "messenger",
        "sendtemplate",
        Raw({"elements": [{"title": "x", "buttons": []}]}),
        {"elements": [{"title": "x", "buttons": []}]},
        name="raw elements",
        seen={"kind": "buttons"},
    ),
    says("instagram", "sendtext", Raw({"textMessage": "x"}), {"textMessage": "x"}, name="raw", seen={"kind": "text"}),
    says(
        "telegram",
        "sendtemplate",
        Raw({"textMessage": "x", "buttons": []}),
        {"textMessage": "x", "buttons": []},
        name="raw",
        seen={"kind": "text"},
    ),
)

REFUSED: Final = (
    Refused(name="buttons on whatsapp", outbound=to("whatsapp", Buttons("?", SIZES)), reason="buttons on whatsapp"),
    Refused(name="a picture on instagram", outbound=to("instagram", Image("https://x")), reason="image on instagram"),
    Refused(name="a template on messenger", outbound=to("messenger", Template("t")), reason="template on messenger"),
    Refused(name="a location", outbound=to("whatsapp", Location(1, 2)), reason="location"),
    Refused(name="anything on the website", outbound=to("website", Text("hi")), reason="text on website"),
    Refused(name="anything on a path", outbound=to("../x", Text("hi")), reason="text"),
    Refused(name="a raw for the website", outbound=to("website", Raw({"textMessage": "x"})), reason="raw on website"),
    Refused(
        name="a raw medium on telegram", outbound=to("telegram", Raw({"mediaUrl": "https://x"})), reason="no sendmedia"
    ),
    Refused(name="telegram for later", outbound=to("telegram", Text("x", at=LATER)), reason="cannot be scheduled"),
    Refused(
        name="a template for later", outbound=to("whatsapp", Template("t", at=LATER)), reason="cannot be scheduled"
    ),
    Refused(
        name="parameters in a string",
        outbound=to("whatsapp", Template("t", params={"1": "Ann"})),
        reason='template_as = "object"',
    ),
    Refused(
        name="a card with nothing on it", outbound=to("messenger", Cards([Card("")])), reason="a title or an image"
    ),
    Refused(name="what is no JSON", outbound=to("whatsapp", Raw({"textMessage": {1}})), reason="JSON"),
)

ACCEPTED: Final = answer(200, {"id": "msg_1", "status": "sent", "error": ""})


def rejected(name: str, status: int, json: Any) -> Answered:
    return Answered(name=name, answers=[answer(status, json)], outcome=Failure(error=Rejected, code=str(status)))


def unknown(name: str, status: int, json: Any) -> Answered:
    return Answered(name=name, answers=[answer(status, json)], outcome=Failure(error=OutcomeUnknown, code=str(status)))


ANSWERED: Final = (
    Answered(name="sent", answers=[ACCEPTED], outcome=Sent(message_id="msg_1", status="sent")),
    *(
        Answered(name=f"sent: {json}", answers=[answer(200, json)], outcome=Sent(message_id="m"))
        for json in (
            {"id": "m"},
            {"id": "m", "status": "queued", "error": None},
            {"id": "m", "status": 1, "error": " "},
        )
    ),
    Answered(name="a number as id", answers=[answer(200, {"id": 7})], outcome=Sent(message_id="7")),
    rejected("an error beside an id, at 200", 200, {"id": "m", "status": "sent", "error": "Contact not found"}),
    rejected("an error that is an object", 200, {"id": "", "error": {"code": 5}}),
    rejected("a status that says failed", 200, {"id": "m", "status": "Failed", "error": ""}),
    rejected("a bad request", 400, {"error": "textMessage is required"}),
    rejected("not found", 404, None),
    rejected("elsewhere", 307, None),
    *(
        Answered(
            name=f"{status}",
            answers=[answer(status, {"error": "Invalid API key"})],
            outcome=Failure(error=NotSent, code=str(status), pause=True),
        )
        for status in (401, 403)
    ),
    Answered(name="too many", answers=[answer(429)], outcome=Failure(error=NotSent, code="429")),
    Answered(
        name="too many for a while",
        answers=[answer(429, {"error": "limit"}, retry_after="30")],
        outcome=Failure(error=NotSent, code="429", retry_after=30),
    ),
    unknown("broken, with an error", 500, {"id": "", "error": "boom"}),
    unknown("a gateway's time-out", 504, None),
    unknown("no id and no error", 200, {"id": "", "status": "", "error": ""}),
    unknown("another success", 201, {"id": "m"}),
)

CASES: Final = ProviderCases(
    provider=WhautoChat,
    emulator=Emulator,
    settings={"api_key": SecretStr("whauto-demo-key"), "workspace_id": "ws_demo"},
    received=RECEIVED,
    quarantined=QUARANTINED,
    spoken=SPOKEN,
    accepted=[ACCEPTED],
    answered=ANSWERED,
    refused=REFUSED,
    channel="whatsapp",
    contact="cnt_3302",
    presses=Message,
    statuses=frozenset({"sent", "delivered", "read", "failed"}),
)
