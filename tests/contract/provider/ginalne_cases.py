"""Ginalne Raven's samples: webhooks of our own convention, `message:send` and every documented error."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import orjson
from pydantic import SecretStr

from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.events import Contact, Event, Message, ThreadRef, Unrecognised
from bridge.messages import Image, Outgoing, Raw, Text
from bridge.providers.ginalne import Ginalne
from bridge.providers.ginalne.emulator import Emulator
from bridge.providers.port import Inbound, Outbound, Sent
from bridge.testing.contract.provider import (
    ACCOUNT,
    RECEIVED_AT,
    Answered,
    Call,
    Failure,
    ProviderCases,
    Quarantined,
    Received,
    Refused,
    Spoken,
    answer,
    outbound,
)
from bridge.units import moment

HEADERS: Final = {"Authorization": "Bearer raven-demo-token", "Content-Type": "application/json"}
DEWI: Final = "+6281200012345"
SENDER: Final[dict[str, Any]] = {
    "name": "Dewi Larasati",
    "contact": [{"type": "whatsapp", "name": "Main Contact", "key": DEWI}],
}
QUESTION: Final[dict[str, Any]] = {
    "event": "message.created",
    "event_id": "rvn-evt-000193",
    "username": "demo_bot",
    "topic": {"type": "persona", "name": "Order questions"},
    "sender": SENDER,
    "message": "Is order 5531 on its way?",
    "chat_id": 48212,
    "timestamp": 1_760_086_800,
}
REQUIRED: Final = {name: QUESTION[name] for name in ("username", "topic", "sender", "message")}
ADDRESS: Final = {
    "username": "demo_bot",
    "topic_type": "persona",
    "topic_name": "Order questions",
    "recipient_name": "Dewi Larasati",
    "contact_type": "whatsapp",
    "contact_name": "Main Contact",
    "contact_key": DEWI,
}
AT: Final = datetime(2025, 10, 10, 9, 0, tzinfo=UTC)
WHO: Final = Contact(id=DEWI, name="Dewi Larasati", phone=DEWI)


def inbound(
    event: Event, *, channel: str = "whatsapp", conversation_id: str = DEWI, address: dict[str, str] | None = None
) -> Inbound:
    return Inbound(
        key=event.id,
        channel=channel,
        conversation_id=conversation_id,
        event=event,
        address={**ADDRESS, **(address or {})},
    )


def asked(key: str, at: datetime = AT) -> Message:
    return Message(id=key, contact=WHO, at=at, text="Is order 5531 on its way?")


def digest(json: dict[str, Any]) -> str:
    return sha256(orjson.dumps(json)).hexdigest()


IN_GROUP: Final = {**QUESTION, "topic": {"type": "group", "name": "Team"}}
GROUP_ITSELF: Final = {"name": "The team", "contact": [{"type": "whatsapp", "name": "Group", "key": "g-77"}]}
STAMPED: Final = {**REQUIRED, "timestamp": "2025-10-10T16:00:00+07:00"}
TWO_CONTACTS: Final = [{"type": "Telegram", "name": "T", "key": 7781}, SENDER["contact"][0]]

RECEIVED: Final = (
    Received(name="a persona's message", webhook=QUESTION, expected=[inbound(asked("rvn-evt-000193"))]),
    Received(
        name="a message without event id is known by topic and chat id",
        webhook={name: value for name, value in QUESTION.items() if name != "event_id"},
        expected=[inbound(asked("Order questions:48212"))],
    ),
    Received(
        name="a message with a time and no id is known by its bytes",
        webhook=STAMPED,
        expected=[inbound(asked(digest(STAMPED)))],
    ),
    Received(
        name="a message with nothing but what is required is told apart by its arrival",
        webhook=REQUIRED,
        expected=[inbound(asked(f"{digest(REQUIRED)}:{RECEIVED_AT}", moment(RECEIVED_AT)))],
    ),
    Received(
        name="a group's thread is its topic, and the sender is answered",
        webhook=IN_GROUP,
        expected=[
            inbound(
                asked("rvn-evt-000193"),
                channel="group",
                conversation_id="Team",
                address={"topic_type": "group", "topic_name": "Team"},
            )
        ],
    ),
    Received(
        name="a group that is named is answered itself",
        webhook={**IN_GROUP, "recipient": GROUP_ITSELF},
        expected=[
            inbound(
                asked("rvn-evt-000193"),
                channel="group",
                conversation_id="Team",
                address={
                    "topic_type": "group",
                    "topic_name": "Team",
                    "recipient_name": "The team",
                    "contact_name": "Group",
                    "contact_key": "g-77",
                },
            )
        ],
    ),
    Received(
        name="in a mass topic everybody has a thread of their own",
        webhook={**QUESTION, "topic": {"type": "mass", "name": "Anchor"}},
        expected=[inbound(asked("rvn-evt-000193"), address={"topic_type": "mass", "topic_name": "Anchor"})],
    ),
    Received(
        name="of several contacts the first is answered; names are optional and keys may be numbers",
        webhook={**QUESTION, "sender": {"contact": TWO_CONTACTS}, "timestamp": 0},
        expected=[
            inbound(
                Message(
                    id="rvn-evt-000193",
                    contact=Contact(id="7781"),
                    at=moment(RECEIVED_AT),
                    text="Is order 5531 on its way?",
                ),
                channel="telegram",
                conversation_id="7781",
                address={"recipient_name": "", "contact_type": "Telegram", "contact_name": "T", "contact_key": "7781"},
            )
        ],
    ),
    Received(
        name="another event is unrecognised",
        webhook={**QUESTION, "event": "message.deleted", "message": None},
        expected=[inbound(Unrecognised(id="rvn-evt-000193", contact=WHO, at=AT, type="message.deleted"))],
    ),
)

QUARANTINED: Final = (
    Quarantined(name="nothing at all", webhook={}, reason="username"),
    Quarantined(name="no username", webhook={**QUESTION, "username": ""}, reason="username"),
    Quarantined(name="no topic", webhook={**QUESTION, "topic": "persona"}, reason="topic.type"),
    Quarantined(name="no topic name", webhook={**QUESTION, "topic": {"type": "group"}}, reason="topic.name"),
    Quarantined(
        name="a fourth topic type", webhook={**QUESTION, "topic": {"type": "chat", "name": "x"}}, reason="mass"
    ),
    Quarantined(name="no sender", webhook={**QUESTION, "sender": None}, reason="sender.contact"),
    Quarantined(name="a sender without contact", webhook={**QUESTION, "sender": {"contact": []}}, reason="no contact"),
    Quarantined(
        name="a contact without key", webhook={**QUESTION, "sender": {"contact": [{"type": "whatsapp"}]}}, reason="key"
    ),
    Quarantined(
        name="a contact type that is a topic's",
        webhook={**QUESTION, "sender": {"contact": [{"type": "group", "key": "x"}]}},
        reason="topic's",
    ),
    Quarantined(name="no message", webhook={**QUESTION, "message": ""}, reason="message"),
    Quarantined(name="an event that is no text", webhook={**QUESTION, "event": {"a": 1}}, reason="event"),
    Quarantined(
        name="a group's recipient without contact",
        webhook={**IN_GROUP, "recipient": {"name": "x"}},
        reason="recipient.contact",
    ),
)


def to(channel: str, conversation_id: str, message: Outgoing, address: dict[str, str] | None = None) -> Outbound:
    return outbound(ThreadRef(ACCOUNT, "ginalne", channel, conversation_id), message, address)


def call(
    topic: tuple[str, str], recipient: str, contact: tuple[str, str, str], message: str = "Hello 🚀"
) -> tuple[Call, ...]:
    json = {
        "username": "demo_bot",
        "topic": dict(zip(("type", "name"), topic, strict=True)),
        "recipient": [{"name": recipient, "contact": [dict(zip(("type", "name", "key"), contact, strict=True))]}],
        "message": message,
    }
    return (Call(method="POST", path="/message:send", headers=HEADERS, json=json),)


HELLO: Final = Text("Hello 🚀")
SPOKEN: Final = (
    Spoken(
        name="an answer goes back as the question came",
        outbound=to("whatsapp", DEWI, HELLO, ADDRESS),
        calls=call(("persona", "Order questions"), "Dewi Larasati", ("whatsapp", "Main Contact", DEWI)),
        seen={"kind": "text", "text": "Hello 🚀"},
    ),
    Spoken(
        name="a persona nobody heard of before",
        outbound=to("whatsapp", DEWI, HELLO),
        calls=call(("persona", "demo_bot"), DEWI, ("whatsapp", DEWI, DEWI)),
    ),
    Spoken(
        name="a persona nobody heard of before, in the topic of the settings",
        outbound=to("whatsapp", DEWI, HELLO),
        calls=call(("persona", "From the bot"), DEWI, ("whatsapp", DEWI, DEWI)),
        settings={"topic": "From the bot"},
    ),
    Spoken(
        name="a group that asked",
        outbound=to("group", "Team", HELLO, {**ADDRESS, "topic_type": "group", "topic_name": "Team"}),
        calls=call(("group", "Team"), "Dewi Larasati", ("whatsapp", "Main Contact", DEWI)),
    ),
    Spoken(
        name="a group nobody heard of before",
        outbound=to("group", "Team", HELLO),
        calls=call(("group", "Team"), "Team", ("whatsapp", "Team", "Team")),
    ),
    Spoken(
        name="a mass topic",
        outbound=to("mass", "Everybody", HELLO),
        calls=call(("mass", "Everybody"), "Everybody", ("whatsapp", "Everybody", "Everybody")),
    ),
    Spoken(
        name="somebody in a mass topic",
        outbound=to("whatsapp", DEWI, HELLO, {**ADDRESS, "topic_type": "mass", "topic_name": "Anchor"}),
        calls=call(("mass", "Anchor"), "Dewi Larasati", ("whatsapp", "Main Contact", DEWI)),
    ),
    Spoken(
        name="as long as it may be",
        outbound=to("whatsapp", DEWI, Text("ü" * 4096), {**ADDRESS, "recipient_name": "n" * 300}),
        calls=call(("persona", "Order questions"), "n" * 255, ("whatsapp", "Main Contact", DEWI), "ü" * 4096),
    ),
    Spoken(
        name="raw, over the address",
        outbound=to("whatsapp", DEWI, Raw({"message": "as it is", "topic": {"type": "mass", "name": "News"}}), ADDRESS),
        calls=call(("mass", "News"), "Dewi Larasati", ("whatsapp", "Main Contact", DEWI), "as it is"),
        seen={"text": "as it is"},
    ),
)

REFUSED: Final = (
    Refused(name="too long", outbound=to("whatsapp", DEWI, Text("x" * 4097)), reason="4097"),
    Refused(name="a topic's name too long", outbound=to("group", "g" * 256, HELLO), reason="255"),
    Refused(name="a picture", outbound=to("whatsapp", DEWI, Image("https://x/y.png")), reason="image"),
    Refused(name="what is no JSON", outbound=to("whatsapp", DEWI, Raw({"message": {1}})), reason="JSON"),
)

ACCEPTED: Final = answer(200, {"data": 48213, "notification": "Chat Sent Successfully"})
DOCUMENTED: Final = {
    400: (
        "Persona Topic-type recipients are only allowed one.",
        "Group as recipients are only allowed one.",
        "The Recipient index 2 must have at least one contact.",
        "Invalid ContactType at recipient index 0 and contact index 1.",
        "Something dynamic.",
    ),
    404: ("User is not found!", "Recipients must have at least one.", "Topic Type is invalid!"),
}
ANSWERED: Final = (
    Answered(name="sent", answers=[ACCEPTED], outcome=Sent(message_id="48213")),
    Answered(
        name="sent, by a writer of floats",
        answers=[answer(200, body=b'{"data": 48213.0}')],
        outcome=Sent(message_id="48213"),
    ),
    *(
        Answered(
            name=f"{status} {text}",
            answers=[answer(status, {"notification": text})],
            outcome=Failure(error=Rejected, code=str(status)),
        )
        for status, texts in DOCUMENTED.items()
        for text in texts
    ),
    *(
        Answered(
            name=f"401 {text} in {body!r}",
            answers=[answer(401, body=body)],
            outcome=Failure(error=NotSent, code="401", pause=True),
        )
        for text in ("Unauthorized", "Pro is not active!")
        for body in (orjson.dumps({"message": text}), text.encode())
    ),
    Answered(name="403", answers=[answer(403)], outcome=Failure(error=NotSent, code="403", pause=True)),
    Answered(
        name="too many",
        answers=[answer(429, retry_after="7")],
        outcome=Failure(error=NotSent, code="429", retry_after=7),
    ),
    Answered(
        name="down for a while",
        answers=[answer(503, retry_after="60")],
        outcome=Failure(error=NotSent, code="503", retry_after=60),
    ),
    Answered(name="broken", answers=[answer(500, {"data": 1})], outcome=Failure(error=OutcomeUnknown, code="500")),
    Answered(
        name="another success", answers=[answer(201, {"data": 1})], outcome=Failure(error=OutcomeUnknown, code="201")
    ),
    Answered(name="no number", answers=[answer(200, {"data": "1"})], outcome=Failure(error=OutcomeUnknown, code="200")),
    Answered(name="a truth", answers=[answer(200, {"data": True})], outcome=Failure(error=OutcomeUnknown, code="200")),
    Answered(
        name="elsewhere", answers=[answer(302, location="https://x")], outcome=Failure(error=Rejected, code="302")
    ),
)

CASES: Final = ProviderCases(
    provider=Ginalne,
    emulator=Emulator,
    settings={"token": SecretStr("raven-demo-token"), "username": "demo_bot"},
    received=RECEIVED,
    quarantined=QUARANTINED,
    spoken=SPOKEN,
    accepted=[ACCEPTED],
    answered=ANSWERED,
    refused=REFUSED,
    channel="whatsapp",
    contact=DEWI,
    presses=Message,
    locates="text",
    media=(),
)
