"""Konnek's documented webhooks, with invented values, and what they mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bridge.events import Contact, Event, Media, Message, Place, Postback, Status, Unrecognised
from bridge.providers.port import Inbound
from bridge.testing.contract.provider import KEY, Quarantined, Received

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.events import StatusValue

ARRIVED: Final = datetime(2025, 10, 10, 9, 0, 30, 250_000, UTC)
BAYU: Final = Contact(id="6281234500099", name="Bayu Prakoso", phone="+6281234500099")
FROM: Final = {"avatar": "", "description": "", "name": "Bayu Prakoso", "username": "6281234500099"}
ID: Final = "8d0f3b52-3b0e-4f5d-9d36-0e6b6b7d5a10"
ZEROS: Final = {
    "media": {"animated": False, "id": "", "mime_type": "", "name": "", "size": 0, "url": ""},
    "location": {"address": "", "latitude": 0, "live_period": 0, "longitude": 0, "name": ""},
    "postback": {},
    "interactive": {
        "body": {"text": ""},
        "footer": {},
        "header": {"media_url": "", "text": "", "type": ""},
        "items": None,
    },
}


SESSIONS: Final = (
    ({"bot_status": True, "handover_by": ""}, False),
    ({"bot_status": True, "handover_by": "rina"}, False),
    ({"bot_status": False, "handover_by": "rina"}, True),
    ({"bot_status": False, "handover_by": " "}, None),
    ({"bot_status": False, "handover_by": 7}, None),
    ({"bot_status": False, "id": "s-1"}, None),
    ({"bot_status": "true"}, None),
    ({"handover_by": "rina"}, None),
    ({"bot_status": False}, None),
    (None, None),
    ("on", None),
)
"""Sessions beside a message, and whether a person has the conversation."""


def said(**message: Any) -> dict[str, Any]:
    return {"from": FROM, "message": {"id": ID, **message}}


def heard(name: str, json: Mapping[str, Any], event: Event, **inbound: Any) -> Received:
    found = {"key": ID, "channel": "whatsapp", "conversation_id": BAYU.id, **inbound}
    return Received(name=name, channel=found["channel"], webhook=json, expected=[Inbound(event=event, **found)])


def message(**values: Any) -> Message:
    return Message(**{"id": ID, "contact": BAYU, "at": ARRIVED, **values})


def picture(**values: Any) -> Media:
    return Media(**{"url": "https://media.example.net/m-771", "name": "struk.jpg", "mime_type": "image/jpeg", **values})


MEDIA: Final = {
    "animated": False,
    "id": "m-771",
    "mime_type": "image/jpeg",
    "name": "struk.jpg",
    "size": 88412,
    "url": "https://media.example.net/m-771",
}
PLACE: Final = {"address": "Jl. Merdeka 1", "latitude": -6.2, "live_period": 0, "longitude": 106.8, "name": "Toko"}
PRESS: Final = {"type": "button", "key": "track_order", "title": "Lacak pesanan", "value": "track_order"}

MESSAGES: Final = (
    heard(
        "a text",
        said(type="text", text="Halo, saya mau tanya stok", media=None, location=None, postback=None, interactive=None),
        message(text="Halo, saya mau tanya stok"),
    ),
    heard("a text beside structs of zeros", said(type="text", text="Halo", **ZEROS), message(text="Halo")),
    heard("a text without a type", said(text="Halo", **ZEROS), message(text="Halo")),
    heard("an empty text", said(type="text", text=""), message(text="")),
    heard(
        "text that is not plain",
        said(type="text", text="\u202e👩‍👩‍👧 \u200b<b>"),
        message(text="\u202e👩‍👩‍👧 \u200b<b>"),
    ),
    heard("a type in capitals", said(type="TEXT", text="Halo"), message(text="Halo")),
    heard(
        "an interactive text",
        said(
            type="interactive",
            interactive={"body": {"text": "Pilih"}, "footer": {"text": "", "title": ""}, "items": []},
        ),
        message(text="Pilih"),
    ),
    heard(
        "an image by its MIME type",
        said(media=MEDIA),
        message(kind="image", media=picture(size=88412)),
    ),
    heard(
        "an image with a caption",
        said(type="image", text="struknya", media=MEDIA),
        message(kind="image", text="struknya", media=picture(size=88412, caption="struknya")),
    ),
    heard(
        "a video by its MIME type",
        said(media={**MEDIA, "mime_type": "video/mp4", "size": 0}),
        message(kind="video", media=picture(mime_type="video/mp4")),
    ),
    heard(
        "a voice note by its type",
        said(type="voice", media={**MEDIA, "mime_type": "audio/ogg; codecs=opus"}),
        message(kind="voice", media=picture(mime_type="audio/ogg; codecs=opus", size=88412)),
    ),
    heard(
        "sound by its MIME type",
        said(type="", media={**MEDIA, "mime_type": "Audio/mpeg"}),
        message(kind="audio", media=picture(mime_type="Audio/mpeg", size=88412)),
    ),
    heard(
        "a file that is none of these",
        said(media={**MEDIA, "mime_type": "application/pdf"}),
        message(kind="document", media=picture(mime_type="application/pdf", size=88412)),
    ),
    heard(
        "a medium that is not there yet",
        said(type="image", media={**MEDIA, "url": ""}),
        message(kind="image", media=picture(url="", size=88412)),
    ),
    heard(
        "a location",
        said(type="location", location=PLACE),
        message(kind="location", location=Place(latitude=-6.2, longitude=106.8, name="Toko", address="Jl. Merdeka 1")),
    ),
    heard(
        "a location without a type",
        said(location={"latitude": -6, "longitude": 106}),
        message(kind="location", location=Place(latitude=-6.0, longitude=106.0)),
    ),
    heard(
        "the location where the globe begins",
        said(type="location", location=ZEROS["location"]),
        message(kind="location", location=Place(latitude=0.0, longitude=0.0)),
    ),
    heard(
        "a press",
        said(type="postback", text="Lacak pesanan", postback=PRESS),
        Postback(id=ID, contact=BAYU, at=ARRIVED, key="track_order", title="Lacak pesanan"),
    ),
    heard(
        "a press with nothing but its key",
        said(postback={"key": "size:|\n:42"}),
        Postback(id=ID, contact=BAYU, at=ARRIVED, key="size:|\n:42"),
    ),
    heard(
        "a press that says its type",
        said(type="list", text="Besar", postback={"key": "", "value": "L", "title": ""}, media=None),
        Postback(id=ID, contact=BAYU, at=ARRIVED, key="L", title="Besar"),
    ),
    heard(
        "a press that lost its key",
        said(type="button", text="Besar", postback={"title": "Besar"}),
        message(text="Besar"),
    ),
    heard(
        "a kind nobody documents",
        said(type="order", text="", items=[{"sku": 1}]),
        Unrecognised(id=ID, contact=BAYU, at=ARRIVED, type="order"),
    ),
    heard(
        "a time of nine digits",
        said(type="text", text="Halo", time="2025-10-10T16:00:05.120394817+07:00"),
        message(text="Halo", at=datetime(2025, 10, 10, 9, 0, 5, 120_394, UTC)),
    ),
    heard(
        "a time in milliseconds beside the zero time",
        said(type="text", text="Halo", time="0001-01-01T00:00:00Z", unix_msg_time=1_760_086_805_120),
        message(text="Halo", at=datetime(2025, 10, 10, 9, 0, 5, 120_000, UTC)),
    ),
    heard(
        "a time nobody can believe",
        said(type="text", text="Halo", time="9999-12-31T23:59:59-12:00", unix_msg_time=-7),
        message(text="Halo"),
    ),
    heard(
        "a size no store can hold",
        said(media={**MEDIA, "size": 10**30}),
        message(kind="image", media=picture()),
    ),
    heard(
        "a location beside a time of zero",
        said(location={"latitude": 0, "longitude": 0, "at": "0001-01-01T00:00:00Z"}, text="Halo"),
        message(text="Halo"),
    ),
    *(
        heard(
            f"a session that says {session}",
            said(type="text", text="Halo") | {"session": session},
            message(text="Halo"),
            with_person=with_person,
        )
        for session, with_person in SESSIONS
    ),
    heard(
        "an answer on Telegram",
        {
            "from": {"username": 77120045, "name": "Sari", "avatar": "https://cdn.example.net/s.png"},
            "message": {"id": ID, "type": "text", "text": "ya"},
            "reply_id": "3c0b1912-1111-4222-8333-944455566677",
            "reply_token": "tok-9",
        },
        message(
            text="ya",
            contact=Contact(id="77120045", name="Sari", avatar="https://cdn.example.net/s.png"),
            reply_to="3c0b1912-1111-4222-8333-944455566677",
        ),
        channel="telegram",
        conversation_id="77120045",
        address={"reply_token": "tok-9"},
    ),
    Received(
        name="the only channel where the route names none",
        settings={"channels": ["line"]},
        webhook=said(type="text", text="Halo"),
        expected=[
            Inbound(
                key=ID,
                channel="line",
                conversation_id="6281234500099",
                event=message(text="Halo", contact=Contact(id="6281234500099", name="Bayu Prakoso")),
            )
        ],
    ),
)

FATE: Final = {
    "message_id": KEY,
    "provider_message_id": "wamid.HBgMExample",
    "recipient_id": "6281234500099",
    "status": 2,
    "tid": "b3d31d85-2222-4333-8444-a55566677788",
    "times": 1760086805,
    "timestamp": "2025-10-10T16:00:05.120394817+07:00",
}


def fate(name: str, value: StatusValue, error: str = "", **told: Any) -> Received:
    json = {**FATE, **told}
    recipient: str = json["recipient_id"]
    event = Status(
        id=f"{KEY}:{value}",
        contact=Contact(id=recipient, phone=f"+{recipient}" if recipient else None),
        at=datetime(2025, 10, 10, 9, 0, 5, 120_394, UTC),
        message_id=KEY,
        value=value,
        error=error,
    )
    found = {"key": f"{KEY}:{value}", "conversation_id": recipient or None}
    return heard(name, {"status": json}, event, **found)


FATES: Final = (
    fate("sent", "sent", status=1),
    fate("delivered", "delivered"),
    fate("read, in the sample's spelling", "read", status="3", timestampt=FATE["timestamp"], timestamp=""),
    fate("failed", "failed", "Failed", status=-3),
    fate("undelivered", "failed", "Undelivered", status="-2"),
    fate("unsent", "failed", "Unsent", status=-1),
    fate("a fate of nobody in particular", "delivered", recipient_id=""),
    Received(name="pending", channel="whatsapp", webhook={"status": {**FATE, "status": 0}}, expected=[]),
)

UNREADABLE: Final[tuple[tuple[str, dict[str, Any], str], ...]] = (
    ("nothing", {}, "neither"),
    ("another body", {"event": "message.received"}, "neither"),
    ("structs of zeros only", {"from": FROM, "message": ZEROS}, "neither"),
    ("nobody", {"message": {"id": ID, "type": "text", "text": "x"}}, "from.username"),
    ("a blank username", {"from": {"username": " "}, "message": {"id": ID, "text": "x"}}, "from.username"),
    ("no id", {"from": FROM, "message": {"type": "text", "text": "x"}}, "message.id"),
    ("an id that is a fraction", said(id=1.5, text="x"), "message.id"),
    ("a text that is none", said(type="text", text=7), "message.text"),
    ("a text that is not there", said(type="text"), "nothing in message"),
    ("a press without key and title", said(type="postback", postback={"type": "button"}), "nothing in message"),
    ("a picture without a picture", said(type="image", media=None), "message.media"),
    ("a latitude that is a text", said(type="location", location={**PLACE, "latitude": "-6.2"}), "latitude"),
    ("a latitude beyond the pole", said(type="location", location={**PLACE, "latitude": 91}), "latitude"),
    ("a location that is not there", said(type="location"), "message.location"),
    ("a fate outside the table", {"status": {**FATE, "status": 99}}, "status.status"),
    ("a fate of no message", {"status": {**FATE, "message_id": ""}}, "status.message_id"),
    ("a fate that is a truth", {"status": {**FATE, "status": True}}, "status.status"),
)
RECEIVED: Final = (*MESSAGES, *FATES)
QUARANTINED: Final = (
    *(Quarantined(name=name, channel="whatsapp", webhook=json, reason=reason) for name, json, reason in UNREADABLE),
    Quarantined(name="no channel, of several", webhook=said(type="text", text="x"), reason="channel"),
)
