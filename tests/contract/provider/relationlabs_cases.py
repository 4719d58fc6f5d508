"""RelationLabs' tests as data, inbound: samples shaped after api/message/list and the relay of a socket event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from bridge.events import Contact, Echo, Event, Media, Message, Unrecognised
from bridge.providers.port import Inbound
from bridge.providers.relationlabs import RelationLabs
from bridge.providers.relationlabs.emulator import Emulator
from bridge.testing.contract.provider import KEY, ProviderCases, Quarantined, Received
from tests.contract.provider.relationlabs_outbound import (
    ANONYMOUS,
    ANSWERED,
    AUTHENTICATED,
    GROUP,
    ID,
    KEY_HEX,
    OUR_UUID,
    OWN,
    REFUSED,
    RIVER,
    SENT,
    SPOKEN,
)

AT: Final = datetime(2025, 10, 10, 9, 0, 0, 321_000, tzinfo=UTC)
ARRIVED: Final = datetime(2025, 10, 10, 9, 0, 30, 250_000, tzinfo=UTC)
CONTACT: Final = Contact(id=RIVER, name="river.eth", avatar="https://cdn.example.net/a/17.png")
SAID: Final[dict[str, Any]] = {
    "id": ID,
    "sendUuid": f"{RIVER}-{GROUP}-1760086800000-91823",
    "channelUuid": GROUP,
    "channelType": "G",
    "createAt": "1760086800321",
    "type": "TEXT",
    "from": RIVER,
    "fromName": "river.eth",
    "fromAvatar": "https://cdn.example.net/a/17.png",
    "content": "@bridge status",
    "quote": None,
    "mute": False,
}
IMAGE_URL: Final = "https://files.example/cat,1;b.png?x=1:2"
IMAGE: Final = (
    "type:image;action:localImage;p1(Text):https%3A%2F%2Ffiles.example%2Fcat%2C1%3Bb.png%3Fx%3D1%3A2,"
    "p2(Text):key-1,p3(Text):https%3A%2F%2Ffiles.example%2Fthumb.png,p4(Text):,p5(Text):640,p6(Text):480"
)
QUOTED: Final = {**SAID, "id": "1579310000000000007", "content": "which one?", "from": OWN}


def relayed(**changes: Any) -> dict[str, Any]:
    """A relay's webhook; a field changed to `...` is left out."""
    return {"im-message": {name: value for name, value in {**SAID, **changes}.items() if value is not ...}}


def message(**changes: Any) -> Message:
    values: dict[str, Any] = {"id": ID, "contact": CONTACT, "at": AT, "text": "@bridge status", **changes}
    return Message(**values)


def echo(**changes: Any) -> Echo:
    own = Contact(id=OWN, name="river.eth", avatar=CONTACT.avatar)
    values: dict[str, Any] = {"id": ID, "contact": own, "at": AT, "text": "@bridge status", **changes}
    return Echo(**values)


def arrived(event: Event, **changes: Any) -> list[Inbound]:
    values: dict[str, Any] = {"key": event.id, "channel": "group", "conversation_id": GROUP, "event": event, **changes}
    return [Inbound(**values)]


PEER: Final = {"channel": "peer", "address": {"channelUuid": GROUP}}
ALONE: Final = {"channel": "peer", "conversation_id": RIVER}

RECEIVED: Final = (
    Received(name="a text in a group", webhook=relayed(), expected=arrived(message())),
    Received(name="a bare MessageInfo", webhook=SAID, expected=arrived(message())),
    Received(name="a text of a peer", webhook=relayed(channelType="P"), expected=arrived(message(), **PEER)),
    Received(
        name="a peer without a channel",
        webhook=relayed(channelType="P", channelUuid=None),
        expected=arrived(message(), **ALONE),
    ),
    Received(name="no channel type, a channel", webhook=relayed(channelType=...), expected=arrived(message())),
    Received(
        name="no channel type, no channel",
        webhook=relayed(channelType=..., channelUuid=...),
        expected=arrived(message(), **ALONE),
    ),
    Received(name="a type in lower case", webhook=relayed(type="text", channelType="g"), expected=arrived(message())),
    Received(
        name="numbers for strings", webhook=relayed(id=int(ID), createAt=1760086800321), expected=arrived(message())
    ),
    Received(
        name="no id but a sendUuid",
        webhook=relayed(id=None),
        expected=arrived(message(id=f"{RIVER}-{GROUP}-1760086800000-91823")),
    ),
    Received(name="no time", webhook=relayed(createAt=None), expected=arrived(message(at=ARRIVED))),
    Received(
        name="no name and no picture",
        webhook=relayed(fromName=None, fromAvatar=""),
        expected=arrived(message(contact=Contact(id=RIVER))),
    ),
    Received(name="a quote", webhook=relayed(quote=QUOTED), expected=arrived(message(reply_to="1579310000000000007"))),
    Received(name="an empty text", webhook=relayed(content=""), expected=arrived(message(text=""))),
    Received(
        name="an image",
        webhook=relayed(type="IMAGE", content=IMAGE),
        expected=arrived(message(text="", kind="image", media=Media(url=IMAGE_URL))),
    ),
    Received(
        name="an image whose URL is not encoded",
        webhook=relayed(type="IMAGE", content=f"type:image;action:x;p1(Text):{IMAGE_URL};p2(Text):key"),
        expected=arrived(message(text="", kind="image", media=Media(url=IMAGE_URL))),
    ),
    Received(
        name="an image whose URL holds what looks encoded",
        webhook=relayed(type="IMAGE", content="type:image;p1(Text):https://files.example/a%20b.png,p2(Text):key"),
        expected=arrived(message(text="", kind="image", media=Media(url="https://files.example/a%20b.png"))),
    ),
    Received(
        name="an image that is a URL and nothing else",
        webhook=relayed(type="image", content="https://files.example/a.png"),
        expected=arrived(message(text="", kind="image", media=Media(url="https://files.example/a.png"))),
    ),
    Received(
        name="an image that cannot be read",
        webhook=relayed(type="IMAGE", content="type:image;p1(Text):ftp%3A%2F%2Fx"),
        expected=arrived(message(text="type:image;p1(Text):ftp%3A%2F%2Fx", kind="unknown")),
    ),
    Received(
        name="a card with texts",
        webhook=relayed(
            type="CARD", content="type:card;action:open;p1(Text):Order 7;p2(Text):is%20here;p3(Text):https://x/7"
        ),
        expected=arrived(message(text="Order 7\nis here", kind="unknown")),
    ),
    Received(
        name="a card that shows a film",
        webhook=relayed(type="CARD", content="type:video;action:play;p1(Text):https%3A%2F%2Ffiles.example%2Fa.mp4"),
        expected=arrived(message(text="", kind="video", media=Media(url="https://files.example/a.mp4"))),
    ),
    Received(
        name="a card in another form",
        webhook=relayed(type="CARD", content='{"id": "7"}'),
        expected=arrived(message(text='{"id": "7"}', kind="unknown")),
    ),
    Received(
        name="a type of somebody's own",
        webhook=relayed(type="Batch_Transfer", content={"x": 1}),
        expected=arrived(Unrecognised(id=ID, contact=CONTACT, at=AT, type="Batch_Transfer")),
    ),
    Received(
        name="our own message",
        webhook=relayed(**{"from": OWN, "sendUuid": OUR_UUID}),
        expected=arrived(echo(message_key=KEY)),
    ),
    Received(
        name="our account used by a person",
        webhook=relayed(**{"from": OWN, "sendUuid": f"{OWN}-{GROUP}-1760086800000-35534417409750164"}),
        expected=arrived(echo(human=True)),
    ),
    Received(
        name="our own message without a mark",
        webhook=relayed(**{"from": OWN, "sendUuid": None}),
        expected=arrived(echo()),
    ),
    Received(
        name="our own message of a type of our own",
        webhook=relayed(**{"from": OWN, "sendUuid": OUR_UUID, "type": "POLL"}),
        expected=arrived(echo(kind="unknown", message_key=KEY)),
    ),
    Received(
        name="our own message to a peer without a channel",
        webhook=relayed(**{"from": OWN, "sendUuid": OUR_UUID, "channelUuid": None, "toRelationId": RIVER}),
        expected=arrived(echo(message_key=KEY), **ALONE),
    ),
    Received(
        name="our own message, when we do not know our name",
        webhook=relayed(**{"from": OWN, "sendUuid": f"threadbridge-{GROUP}-1760086900125-{KEY_HEX}"}),
        expected=arrived(echo(message_key=KEY)),
        settings=ANONYMOUS,
    ),
    Received(
        name="somebody with a mark like ours",
        webhook=relayed(sendUuid=f"threadbridge-{GROUP}-1760086900125-{KEY_HEX}"),
        expected=arrived(message()),
    ),
    Received(name="a notice", webhook=relayed(type="SYS", **{"from": "0" * 32}), expected=[]),
    Received(name="a notice in lower case", webhook=relayed(type="sys"), expected=[]),
    Received(name="an announcement", webhook=relayed(type="ANNOUNCEMENT"), expected=[]),
    Received(name="a notice of a pin", webhook=relayed(type="PIN-SYS", content="{}"), expected=[]),
)

QUARANTINED: Final = (
    Quarantined(name="nothing at all", webhook={}, reason="type"),
    Quarantined(name="no object in the envelope", webhook={"im-message": [SAID]}, reason="im-message"),
    Quarantined(name="no type", webhook=relayed(type=None), reason="type"),
    Quarantined(name="no sender", webhook=relayed(**{"from": ""}), reason="from"),
    Quarantined(
        name="no name for the message", webhook=relayed(id=None, sendUuid=None), reason="neither id nor sendUuid"
    ),
    Quarantined(name="a text without a content", webhook=relayed(content=None), reason="content"),
    Quarantined(name="a time in words", webhook=relayed(createAt="yesterday"), reason="createAt"),
    Quarantined(name="a time before time", webhook=relayed(createAt=-1), reason="createAt"),
    Quarantined(name="a time after time", webhook=relayed(createAt="253402300800000"), reason="createAt"),
    Quarantined(name="a list for a name", webhook=relayed(fromName=["x"]), reason="fromName"),
    Quarantined(
        name="our own message to nobody", webhook=relayed(**{"from": OWN, "channelUuid": None}), reason="to whom"
    ),
)

CASES: Final = ProviderCases(
    provider=RelationLabs,
    emulator=Emulator,
    settings=Emulator.sample_settings,
    received=RECEIVED,
    quarantined=QUARANTINED,
    spoken=SPOKEN,
    accepted=[SENT],
    answered=ANSWERED,
    refused=REFUSED,
    authenticated=AUTHENTICATED,
    channel="peer",
    contact=RIVER,
    presses=Message,
    locates="text",
    media=(),
)
