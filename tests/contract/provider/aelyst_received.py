"""Aelyst's webhooks, rewritten with invented values, and the events in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from bridge.events import Contact, Echo, Event, Media, Message, Place, Unrecognised
from bridge.providers.port import Inbound
from bridge.testing.contract.provider import RECEIVED_AT, Quarantined, Received
from bridge.units import moment

AT: Final = datetime(2025, 10, 10, 9, 0, tzinfo=UTC)
CONTACT: Final = {
    "id": 40211907,
    "status": "open",
    "lifecycle": None,
    "firstName": "Nadia",
    "lastName": "Rahim",
    "email": "nadia@example.org",
    "phone": "+60111222333",
    "language": "en",
    "profilePic": "https://files.example/nadia.jpg",
    "countryCode": "MY",
    "assignee": None,
    "created_at": 1750000000,
    "tags": ["vip"],
    "custom_fields": [{"name": "tier", "value": "gold"}],
}
CHANNEL: Final = {"id": 87, "name": "Main WhatsApp", "source": "whatsapp", "meta": "{}", "created_at": 1749000000}
WHO: Final = Contact(
    id="40211907",
    name="Nadia Rahim",
    phone="+60111222333",
    email="nadia@example.org",
    avatar="https://files.example/nadia.jpg",
    locale="en",
)
ID: Final = "1760086800123456"
KEY: Final = "0d7c2f5e-58f2-4d7e-9f4a-2f0f4a1f6b01"
IMAGE: Final = {
    "type": "image",
    "url": "https://files.example/a.jpg",
    "isPending": False,
    "fileName": "a.jpg",
    "ext": "jpg",
    "size": "88412",
    "mime": "image/jpeg",
}
PICTURE: Final = Media(url="https://files.example/a.jpg", name="a.jpg", mime_type="image/jpeg", size=88412)


def hook(content: Any, event_type: str = "message.received", **message: Any) -> dict[str, Any]:
    """A webhook around the inner `message`; `message` are fields beside it, replaced or (None) taken out."""
    fields = {
        "messageId": 1760086800123456,
        "channelMessageId": "wamid.EXAMPLE01",
        "contactId": 40211907,
        "channelId": 87,
        "traffic": "incoming" if event_type == "message.received" else "outgoing",
        "timestamp": 1760086800,
        "message": content,
        **message,
    }
    return {
        "event_type": event_type,
        "event_id": KEY,
        "contact": CONTACT,
        "channel": CHANNEL,
        "message": {name: value for name, value in fields.items() if value is not None},
    }


def text(words: str = "Can I change my booking?") -> dict[str, Any]:
    return {"type": "text", "text": words}


def one(event: Event, key: str = "", channel: str = "whatsapp", conversation_id: str = "87:40211907") -> list[Inbound]:
    way = {Message: ":received", Echo: ":sent"}.get(type(event), "") if event.id != KEY else ""
    key = key or f"{event.id}{way}"
    return [Inbound(key=key, channel=channel, conversation_id=conversation_id, event=event)]


def said(**event: Any) -> list[Inbound]:
    return one(Message(**{"id": ID, "contact": WHO, "at": AT, **event}))


def echoed(**event: Any) -> list[Inbound]:
    return one(Echo(**{"id": ID, "contact": WHO, "at": AT, **event}))


def attached(**changes: Any) -> dict[str, Any]:
    return {"type": "attachment", "attachment": {**IMAGE, **changes}}


QUESTION: Final = "Can I change my booking?"
WITHOUT_IDS: Final = {name: value for name, value in hook(text()).items() if name != "event_id"}

TEXTS: Final = (
    Received(name="a text", webhook=hook(text()), expected=said(text=QUESTION)),
    Received(name="an empty text", webhook=hook(text("")), expected=said()),
    Received(
        name="ids as texts",
        webhook={
            **hook(text(), messageId=ID),
            "contact": {"id": "40211907"},
            "channel": {"id": "87", "source": "WhatsApp"},
        },
        expected=said(text=QUESTION, contact=Contact(id="40211907")),
    ),
    Received(
        name="an id that no float holds",
        webhook=hook(text(), messageId=1579309168845799425),
        expected=said(id="1579309168845799425", text=QUESTION),
    ),
    Received(
        name="a message without event_id goes by its own id",
        webhook=WITHOUT_IDS,
        expected=one(Message(id=ID, contact=WHO, at=AT, text=QUESTION), key=f"{ID}:received"),
    ),
    Received(
        name="a message without its own id goes by event_id",
        webhook=hook(text(), messageId=None),
        expected=said(id=KEY, text=QUESTION),
    ),
    Received(
        name="contact and channel only inside the message",
        webhook={**hook(text()), "contact": None, "channel": None},
        expected=one(Message(id=ID, contact=Contact(id="40211907"), at=AT, text=QUESTION), channel="unknown"),
    ),
    Received(
        name="no traffic is told",
        webhook=hook(text(), traffic=None),
        expected=said(text=QUESTION),
    ),
    Received(
        name="an answer to a message",
        webhook=hook(text(), replyToMessageId=77),
        expected=said(text=QUESTION, reply_to="77"),
    ),
    Received(
        name="milliseconds in a text",
        webhook=hook(text(), timestamp="1760086800000"),
        expected=said(text=QUESTION),
    ),
    *(
        Received(
            name=f"a time of {stamp}",
            webhook=hook(text(), timestamp=stamp),
            expected=said(text=QUESTION, at=moment(RECEIVED_AT)),
        )
        for stamp in (0, -1, 5, 9_000_000_000_000_000, True, "soon", 10**18, 4_102_444_800, 1e300)
    ),
    *(
        Received(
            name=f"a channel of source {source}",
            webhook={**hook(text()), "channel": {**CHANNEL, "source": source}},
            expected=one(Message(id=ID, contact=WHO, at=AT, text=QUESTION), channel=channel),
        )
        for source, channel in (
            ("facebook", "facebook"),
            ("whatsapp_cloud", "whatsapp"),
            ("360dialog_whatsapp", "whatsapp"),
            ("", "unknown"),
            (7, "unknown"),
        )
    ),
)

CONTENTS: Final = (
    Received(name="an image", webhook=hook(attached()), expected=said(kind="image", media=PICTURE)),
    Received(
        name="an image with words",
        webhook=hook({**attached(), "text": "This one"}),
        expected=said(
            kind="image",
            text="This one",
            media=Media(url=PICTURE.url, name="a.jpg", mime_type="image/jpeg", size=88412, caption="This one"),
        ),
    ),
    Received(
        name="an image that is still pending",
        webhook=hook(attached(isPending=True, url="https://files.example/soon")),
        expected=one(
            Message(
                id=ID,
                contact=WHO,
                at=AT,
                kind="image",
                media=Media(url="", name="a.jpg", mime_type="image/jpeg", size=88412),
            ),
            key=f"{ID}:received:pending",
        ),
    ),
    *(
        Received(
            name=f"an attachment of type {named} and {mime}",
            webhook=hook(
                {"type": "attachment", "attachment": {"type": named, "mime": mime, "url": "https://x.example"}}
            ),
            expected=said(kind=kind, media=Media(url="https://x.example", mime_type=mime)),
        )
        for named, mime, kind in (
            ("video", "", "video"),
            ("audio", "audio/ogg", "audio"),
            ("voice", "audio/ogg", "voice"),
            ("sticker", "image/webp", "sticker"),
            ("file", "image/png", "document"),
            ("other", "video/mp4", "video"),
            (None, "", "document"),
            ([], "application/pdf", "document"),
        )
    ),
    *(
        Received(
            name=f"a size of {size}",
            webhook=hook(attached(size=size)),
            expected=said(kind="image", media=Media(url=PICTURE.url, name="a.jpg", mime_type="image/jpeg", size=found)),
        )
        for size, found in ((88412, 88412), ("-1", None), ("٣", None), (0, None), ("9" * 30, None), (True, None))
    ),
    Received(
        name="a location",
        webhook=hook({"type": "location", "latitude": 3.1, "longitude": "101.7", "address": "Jalan 1"}),
        expected=said(kind="location", location=Place(latitude=3.1, longitude=101.7, address="Jalan 1")),
    ),
    Received(
        name="a nested location",
        webhook=hook({"type": "location", "location": {"latitude": 3, "longitude": 101.7, "name": "Shop"}}),
        expected=said(kind="location", location=Place(latitude=3.0, longitude=101.7, name="Shop")),
    ),
    *(
        Received(
            name=f"a location at {latitude}",
            webhook=hook({"type": "location", "latitude": latitude, "longitude": 1}),
            expected=said(kind="unknown"),
        )
        for latitude in (None, 91, "nan", "north", True)
    ),
    Received(
        name="an email",
        webhook=hook({"type": "email", "subject": "Booking", "text": "Please change it"}),
        expected=said(text="Please change it"),
    ),
    Received(
        name="an email that is all subject",
        webhook=hook({"type": "email", "subject": "Booking", "text": "", "replyToMessageId": 5, "attachments": []}),
        expected=said(text="Booking", reply_to="5"),
    ),
    Received(
        name="an email with attachments",
        webhook=hook({"type": "email", "text": "See", "attachments": [IMAGE, {"type": "file"}]}),
        expected=said(
            kind="image",
            text="See",
            media=Media(url=PICTURE.url, name="a.jpg", mime_type="image/jpeg", size=88412, caption="See"),
        ),
    ),
    Received(
        name="a story reply", webhook=hook({"type": "story_reply", "text": "Lovely"}), expected=said(text="Lovely")
    ),
    Received(name="a bare story reply", webhook=hook({"type": "story_reply"}), expected=said(kind="unknown")),
    Received(
        name="a pressed WhatsApp button",
        webhook=hook({"type": "whatsapp_interactive", "interactive": {"button_reply": {"id": "1", "title": "Yes"}}}),
        expected=said(text="Yes"),
    ),
    Received(
        name="a chosen line of a WhatsApp list",
        webhook=hook({"type": "whatsapp_interactive", "list_reply": {"id": "1", "title": "Large"}}),
        expected=said(text="Large"),
    ),
    *(
        Received(name=f"a message of type {named}", webhook=hook({"type": named}), expected=said(kind="unknown"))
        for named in ("unsupported", "post", "whatsapp_order", "something_new")
    ),
)

FROM_US: Final = (
    Received(
        name="a person typed an answer",
        webhook=hook(text("Hello"), "message.sent", sender={"source": "user", "userId": 7}),
        expected=echoed(text="Hello", human=True),
    ),
    *(
        Received(
            name=f"a message by {sender}",
            webhook=hook(text("Hello"), "message.sent", sender=sender),
            expected=echoed(text="Hello"),
        )
        for sender in ({"source": "api"}, {"source": "workflow"}, {"source": ["user"]}, "user", None)
    ),
    Received(
        name="outgoing traffic under the name of a received message",
        webhook=hook(text("Hello"), traffic="outgoing"),
        expected=echoed(text="Hello"),
    ),
    Received(
        name="our own quick reply",
        webhook=hook({"type": "quick_reply", "title": "Sure?", "replies": ["Yes", "No"]}, "message.sent"),
        expected=echoed(text="Sure?"),
    ),
    Received(
        name="our own attachment",
        webhook=hook(
            {"type": "attachment", "attachment": {"type": "file", "url": "https://x.example/b.pdf"}}, "message.sent"
        ),
        expected=echoed(kind="document", media=Media(url="https://x.example/b.pdf")),
    ),
    Received(
        name="our own place",
        webhook=hook({"type": "location", "latitude": 1, "longitude": 2}, "message.sent"),
        expected=echoed(kind="location"),
    ),
)

RECEIVED: Final = (
    *TEXTS,
    *CONTENTS,
    *FROM_US,
    *(
        Received(name=named, webhook={**hook(text(), named), "message": {}}, expected=[])
        for named in (
            "contact.created",
            "contact.assignee.updated",
            "conversation.opened",
            "conversation.closed",
            "comment.created",
            "lifecycle.updated",
        )
    ),
    Received(name="a bare conversation.closed", webhook={"event_type": "conversation.closed"}, expected=[]),
    Received(
        name="an event of another type",
        webhook={**hook(text(), "call.ended"), "message": {}},
        expected=one(Unrecognised(id=KEY, contact=WHO, at=moment(RECEIVED_AT), type="call.ended")),
    ),
)

QUARANTINED: Final = (
    Quarantined(name="nothing", webhook={}, reason="event_type"),
    Quarantined(name="no type of event", webhook={**hook(text()), "event_type": None}, reason="event_type"),
    Quarantined(name="an unknown event of nobody", webhook={"event_type": "call.ended"}, reason="contact.id"),
    Quarantined(
        name="no contact", webhook={**hook(text(), contactId=" "), "contact": {"id": None}}, reason="contact.id"
    ),
    Quarantined(name="no channel", webhook={**hook(text(), channelId=0.5), "channel": {}}, reason="channel.id"),
    Quarantined(
        name="a channel whose id is no number", webhook={**hook(text()), "channel": {"id": "main"}}, reason="channel.id"
    ),
    Quarantined(
        name="a channel whose id is beyond all numbers",
        webhook={**hook(text()), "channel": {"id": "9" * 30}},
        reason="channel.id",
    ),
    Quarantined(
        name="no id at all",
        webhook={**WITHOUT_IDS, "message": hook(text(), messageId=None)["message"]},
        reason="event_id",
    ),
    Quarantined(name="no message", webhook={**hook(text()), "message": None}, reason="message.message"),
    Quarantined(name="a message that is no object", webhook=hook("hi"), reason="message.message"),
    Quarantined(name="a message without a type", webhook=hook({"text": "hi"}), reason="type"),
    Quarantined(name="a text without its text", webhook=hook({"type": "text"}), reason="text"),
    Quarantined(name="a text that is none", webhook=hook({"type": "text", "text": 7}), reason="text"),
    Quarantined(name="an attachment that is none", webhook=hook({"type": "attachment"}), reason="attachment"),
    Quarantined(name="an attachment without a url", webhook=hook(attached(url="")), reason="url"),
)
