"""WhautoChat's webhooks as its sibling documents them, and what each of them means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from bridge.events import Contact, Echo, Event, Media, Message, Place, Status, Unrecognised
from bridge.providers.port import Inbound
from bridge.testing.contract.provider import RECEIVED_AT, Quarantined, Received
from bridge.units import moment

AT: Final = datetime(2025, 10, 10, 8, 15, 29, tzinfo=UTC)
ASHA: Final = Contact(id="cnt_3302", name="Asha Menon", phone="919800001111")
OURS: Final = Contact(id="cnt_3302", phone="919800001111")


def hook(kind: str = "incoming_whatsapp_message", event: dict[str, Any] | None = None, **said: Any) -> dict[str, Any]:
    message = {
        "id": "msg_91ab44",
        "contact": {"id": "cnt_3302", "channel": "whatsapp", "phoneNumber": "919800001111"},
        "channel": "whatsApp",
        "isIncoming": "true",
        "type": "text",
        "replyToMessage": {},
        "from": "Asha Menon",
        "sentBy": "",
        "timestamp": "2025-10-10T08:15:29.000Z",
        "status": "",
        "errorMessage": "",
        "headerText": "",
        "mediaUrl": "",
        "caption": "",
        "text": "Do you open on Sunday?",
        "footerText": "",
        "options": "",
        "createdAt": "2025-10-10T08:15:30.000Z",
        "updatedAt": "2025-10-10T08:15:30.000Z",
        **said,
    }
    about = {"id": "evt_7c1f20", "type": kind, "timeStamp": "2025-10-10T08:15:30.120Z", "key": "msg_91ab44"}
    return {"event": {**about, **(event or {})}, "message": message}


def outgoing(status: str = "", event: dict[str, Any] | None = None, **said: Any) -> dict[str, Any]:
    ours = {"isIncoming": "false", "from": "Shop", "text": "We do.", "status": status}
    return hook("outgoing_whatsapp_message", event, **{**ours, **said})


def inbound(event: Event, *, key: str = "", channel: str = "whatsapp") -> Inbound:
    key = key or (f"msg_91ab44:incoming_{channel}_message" if isinstance(event, Message) else "evt_7c1f20")
    return Inbound(key=key, channel=channel, conversation_id="cnt_3302", event=event)


def said(**content: Any) -> Message:
    content = {"text": "Do you open on Sunday?", "at": AT, "contact": ASHA, **content}
    return Message(id="msg_91ab44", **content)


def medium(kind: Any, url: str, caption: str = "", mime_type: str = "") -> Message:
    return said(kind=kind, text=caption, media=Media(url=url, caption=caption, mime_type=mime_type))


def fate(value: Any, error: str = "", key: str = "evt_7c1f20") -> Status:
    return Status(id=key, contact=OURS, at=AT, message_id="msg_91ab44", value=value, error=error)


def echo(**content: Any) -> Echo:
    return Echo(id="msg_91ab44", contact=OURS, at=AT, **{"text": "We do.", **content})


SAID: Final = "msg_91ab44:said"
"""The key of a person's message, whichever webhook brings it."""
NO_ID: Final = {"id": ""}
ODDITIES: Final[tuple[tuple[str, Any], ...]] = (
    ("options", ["Yes", "No"]),
    ("options", {"a": 1}),
    ("replyToMessage", None),
    ("replyToMessage", {"id": ""}),
    ("type", ""),
    ("type", "listReply"),
    ("type", "button"),
    ("mediaUrl", None),
    ("status", "received"),
)
"""Fields as no page shows them, in an ordinary text."""

TEXTS: Final = (
    Received(name="a text", webhook=hook(), expected=[inbound(said())]),
    *(
        Received(
            name=f"a text on {channel}",
            webhook=hook(f"incoming_{channel}_message", channel="Something Else"),
            expected=[inbound(said(), channel=channel)],
        )
        for channel in ("instagram", "telegram", "messenger", "website")
    ),
    *(
        Received(
            name=f"a text whose isIncoming is {value!r}", webhook=hook(isIncoming=value), expected=[inbound(said())]
        )
        for value in (True, "True", "", None, 1)
    ),
    *(
        Received(name=f"a text with {name} {value!r}", webhook=hook(**{name: value}), expected=[inbound(said())])
        for name, value in ODDITIES
    ),
    Received(
        name="an answer to a message of ours, like a pressed button",
        webhook=hook(replyToMessage={"id": "msg_ours"}, text="Yes"),
        expected=[inbound(said(text="Yes", reply_to="msg_ours"))],
    ),
    Received(
        name="known by message id and type where the event has no id",
        webhook=hook(event=NO_ID),
        expected=[inbound(said(), key="msg_91ab44:incoming_whatsapp_message")],
    ),
    Received(
        name="ids and phone numbers that are numbers",
        webhook=hook(id=91, contact={"id": 3302, "phoneNumber": 919800001111}, event={"id": 7}),
        expected=[
            Inbound(
                key="91:incoming_whatsapp_message",
                channel="whatsapp",
                conversation_id="3302",
                event=Message(
                    id="91",
                    contact=Contact(id="3302", name="Asha Menon", phone="919800001111"),
                    at=AT,
                    text="Do you open on Sunday?",
                ),
            )
        ],
    ),
    Received(
        name="no time of the message: the event's",
        webhook=hook(timestamp=""),
        expected=[inbound(said(at=datetime(2025, 10, 10, 8, 15, 30, 120_000, tzinfo=UTC)))],
    ),
    Received(
        name="no time at all: the arrival",
        webhook=hook(timestamp="soon", createdAt=None, event={"timeStamp": "0001-01-01T00:00:00Z"}),
        expected=[inbound(said(at=moment(RECEIVED_AT)))],
    ),
)

CONTENTS: Final = (
    Received(
        name="an image with a caption",
        webhook=hook(type="image", text="", mediaUrl="https://x/a.jpg", caption="look", mimeType="image/jpeg"),
        expected=[inbound(medium("image", "https://x/a.jpg", "look", "image/jpeg"))],
    ),
    Received(
        name="a voice note",
        webhook=hook(type="PTT", text="", mediaUrl="https://x/a.ogg"),
        expected=[inbound(medium("voice", "https://x/a.ogg"))],
    ),
    Received(
        name="a medium that is not there yet",
        webhook=hook(type="document", text=""),
        expected=[inbound(medium("document", ""))],
    ),
    Received(
        name="a medium of a type we do not know, told by its extension",
        webhook=hook(type="media", text="", mediaUrl="https://x/a.mp4?sig=1"),
        expected=[inbound(medium("video", "https://x/a.mp4?sig=1"))],
    ),
    Received(
        name="a text with a medium is a medium",
        webhook=hook(mediaUrl="https://x/contract"),
        expected=[inbound(said(kind="document", media=Media(url="https://x/contract")))],
    ),
    Received(
        name="a location",
        webhook=hook(type="location", text="", location={"latitude": "-6.2", "longitude": 106.8, "name": "Home"}),
        expected=[inbound(said(kind="location", text="", location=Place(latitude=-6.2, longitude=106.8, name="Home")))],
    ),
    Received(
        name="a location without its degrees",
        webhook=hook(type="location", text="Home", location={"latitude": 91, "longitude": 0}),
        expected=[inbound(said(kind="location", text="Home"))],
    ),
    Received(
        name="a kind we do not know, without a text",
        webhook=hook(type="order", text=""),
        expected=[inbound(said(kind="unknown", text=""))],
    ),
)

FATES: Final = (
    *(
        Received(name=f"a message of ours is {status}", webhook=outgoing(status), expected=[inbound(fate(value))])
        for status, value in (("sent", "sent"), ("Delivered", "delivered"), ("read", "read"), ("seen", "read"))
    ),
    Received(
        name="a message of ours failed",
        webhook=outgoing("failed", errorMessage="Outside the window"),
        expected=[inbound(fate("failed", "Outside the window"))],
    ),
    Received(
        name="an error beside another fate is none",
        webhook=outgoing("delivered", errorMessage="OK"),
        expected=[inbound(fate("delivered"))],
    ),
    Received(
        name="an error without a status is a failure",
        webhook=outgoing("", errorMessage="Blocked"),
        expected=[inbound(fate("failed", "Blocked"))],
    ),
    Received(
        name="fates without event ids are told apart",
        webhook=outgoing("delivered", event=NO_ID),
        expected=[
            inbound(
                fate("delivered", key="msg_91ab44:outgoing_whatsapp_message:delivered"),
                key="msg_91ab44:outgoing_whatsapp_message:delivered",
            )
        ],
    ),
    Received(
        name="a fate without a contact waits for its message",
        webhook=outgoing("read", contact={}),
        expected=[
            Inbound(
                key="evt_7c1f20",
                channel="whatsapp",
                conversation_id=None,
                event=Status(id="evt_7c1f20", contact=Contact(id=""), at=AT, message_id="msg_91ab44", value="read"),
            )
        ],
    ),
    Received(
        name="an echo that may be our own or a person's",
        webhook=outgoing(),
        expected=[inbound(echo(human=True), key=SAID)],
    ),
    Received(name="an echo that is queued", webhook=outgoing("queued", sentBy="API"), expected=[inbound(echo())]),
    Received(
        name="an echo of a person", webhook=outgoing(sentBy="Ravi"), expected=[inbound(echo(human=True), key=SAID)]
    ),
    *(
        Received(
            name=f"a person's message that was {value}",
            webhook=outgoing(value, sentBy="Ravi"),
            expected=[inbound(echo(human=True), key=SAID), inbound(fate(value))],
        )
        for value in ("sent", "delivered")
    ),
    Received(
        name="what became of a person's message later",
        webhook=outgoing("read", sentBy="Ravi"),
        expected=[inbound(fate("read"))],
    ),
    Received(
        name="a machine's message that was sent",
        webhook=outgoing("sent", sentBy="Campaign"),
        expected=[inbound(fate("sent"))],
    ),
    Received(
        name="an echo of a picture",
        webhook=outgoing(type="image", text="", mediaUrl="https://x/a.png", sentBy="Ravi"),
        expected=[inbound(echo(text="", kind="image", media=Media(url="https://x/a.png"), human=True), key=SAID)],
    ),
)


def strange(kind: str, channel: str) -> Inbound:
    return inbound(Unrecognised(id="msg_91ab44", contact=ASHA, at=AT, type=kind), channel=channel)


OTHERS: Final = (
    *(
        Received(name=name, webhook={"event": {"id": "e", "type": name}, "contact": {"id": "c"}}, expected=[])
        for name in ("contact_created", "contact_tag_added", "contact_tag_removed", "contact_merged")
    ),
    Received(
        name="a channel they added",
        webhook=hook("incoming_line_message"),
        expected=[strange("incoming_line_message", "line")],
    ),
    Received(
        name="an event they added",
        webhook=hook("message_reaction"),
        expected=[strange("message_reaction", "whatsapp")],
    ),
)

RECEIVED: Final = (*TEXTS, *CONTENTS, *FATES, *OTHERS)

QUARANTINED: Final = (
    Quarantined(name="nothing at all", webhook={}, reason="event.type"),
    Quarantined(name="no event type", webhook=hook(event={"type": None}), reason="event.type"),
    Quarantined(name="an event that is no object", webhook={**hook(), "event": "e"}, reason="event.type"),
    Quarantined(name="no message", webhook={**hook(), "message": None}, reason="message.contact.id"),
    Quarantined(name="no contact", webhook=hook(contact=None), reason="message.contact.id"),
    Quarantined(name="an echo without a contact", webhook=outgoing(contact={}), reason="message.contact.id"),
    Quarantined(
        name="nothing to know it by", webhook=hook(id="", event={"id": None, "key": ""}), reason="neither event.id"
    ),
    Quarantined(
        name="a strange event without a channel", webhook=hook("message_reaction", channel=""), reason="message.channel"
    ),
)
