"""RelationLabs' tests as data. Samples are shaped after api/message/send, api/auth and api/message/list."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from pydantic import SecretStr

from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.events import Contact, Echo, Event, Media, Message, ThreadRef, Unrecognised
from bridge.messages import Image, Outgoing, Raw, Text
from bridge.providers.port import Credential, Inbound, Outbound, Response, Sent
from bridge.providers.relationlabs import RelationLabs
from bridge.providers.relationlabs.emulator import Emulator
from tests.providers.cases import (
    ACCOUNT,
    CREATED_AT,
    KEY,
    Answered,
    Authenticated,
    Call,
    Failure,
    ProviderCases,
    Quarantined,
    Received,
    Refused,
    Spoken,
    answer,
)
from tests.providers.cases import outbound as committed

GROUP: Final = "0c9f5e1ab2c34d5e8f90a1b2c3d4e5f6"
RIVER: Final = "qwert-yuiop-asdfg-hjklz-cai"
OWN: Final = Emulator.sample_settings["relation_id"]
ID: Final = "1579310000000000011"
KEY_HEX: Final = KEY.replace("-", "")
AT: Final = datetime(2025, 10, 10, 9, 0, 0, 321_000, tzinfo=UTC)
ARRIVED: Final = datetime(2025, 10, 10, 9, 0, 30, 250_000, tzinfo=UTC)
OUR_UUID: Final = f"{OWN}-{GROUP}-1760086900125-{KEY_HEX}"
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
ANONYMOUS: Final = {"relation_id": None}

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

API_KEY: Final = Emulator.sample_settings["api_key"].get_secret_value()
TOKEN: Final = Emulator.sample_settings["token"].get_secret_value()
ACCEPT: Final = "application/json, text/plain, */*"
HEADERS: Final = {
    "ApiKey": API_KEY,
    "Authorization": f"Bearer {TOKEN}",
    "Content-Type": "application/json",
    "Accept": ACCEPT,
}
SENT: Final = answer(200, {"code": "0", "desc": "success", "data": {"channelUuid": GROUP, "id": "1579309168845799425"}})


def to(
    said: Outgoing, conversation: str = GROUP, channel: str = "group", address: dict[str, str] | None = None
) -> Outbound:
    return committed(ThreadRef(ACCOUNT, "relationlabs", channel, conversation), said, address)


def posted(**fields: Any) -> list[Call]:
    body = {
        "type": "TEXT",
        "channelUuid": GROUP,
        "toRelationId": None,
        "content": "hello",
        "sendUuid": OUR_UUID,
        **fields,
    }
    return [Call(method="POST", path="/api/v1/message/send", headers=HEADERS, json=body)]


SPOKEN: Final = (
    Spoken(
        name="a text in a group",
        outbound=to(Text("hello")),
        calls=posted(),
        seen={"key": KEY, "kind": "text", "text": "hello"},
    ),
    Spoken(
        name="a text to a peer by relation id",
        outbound=to(Text("hello"), RIVER, "peer"),
        calls=posted(channelUuid=None, toRelationId=RIVER, sendUuid=f"{OWN}-{RIVER}-1760086900125-{KEY_HEX}"),
        seen={"key": KEY, "text": "hello"},
    ),
    Spoken(name="an answer to a message", outbound=to(Text("hello", reply_to=ID)), calls=posted(quoteId=ID)),
    Spoken(
        name="a long text in two alphabets",
        outbound=to(Text("ž✓" * 2_000)),
        calls=posted(content="ž✓" * 2_000),
        seen={"text": "ž✓" * 2_000},
    ),
    Spoken(
        name="a card of the provider's own",
        outbound=to(Raw({"type": "card", "content": "type:card;p1(Text):7"}, reply_to=ID)),
        calls=posted(type="card", content="type:card;p1(Text):7", quoteId=ID),
        seen={"kind": "raw", "text": "type:card;p1(Text):7"},
    ),
    Spoken(
        name="a raw message keeps its extras and cannot go elsewhere",
        outbound=to(
            Raw({"type": "sys", "content": "x", "mentionedUser": [RIVER], "channelUuid": "f" * 32, "sendUuid": "mine"})
        ),
        calls=posted(type="sys", content="x", mentionedUser=[RIVER]),
    ),
    Spoken(
        name="as somebody who does not know his own name",
        outbound=to(Text("hello")),
        calls=posted(sendUuid=f"threadbridge-{GROUP}-1760086900125-{KEY_HEX}"),
        settings=ANONYMOUS,
        seen={"key": KEY},
    ),
)


def refusal(code: object, status: int = 200, retry_after: str = "") -> Response:
    headers = {"retry-after": retry_after} if retry_after else {}
    return Response(status=status, headers=headers, body=orjson.dumps({"code": code, "desc": "no", "data": None}))


def permanent(code: str) -> Answered:
    return Answered(name=code, answers=[refusal(code)], outcome=Failure(error=Rejected, code=code))


def unauthorised(code: str) -> Failure:
    return Failure(error=NotSent, code=code, unauthorised=True, pause=True)


ANSWERED: Final = (
    Answered(name="taken", answers=[SENT], outcome=Sent(message_id="1579309168845799425")),
    Answered(
        name="taken, in numbers",
        answers=[answer(200, {"code": 0, "data": {"id": 157930916}})],
        outcome=Sent(message_id="157930916"),
    ),
    Answered(name="taken, without an id", answers=[answer(201, {"code": "0", "data": None})], outcome=Sent()),
    *map(permanent, ("10111", "10112", "10120", "11201", "11202", "11203", "11601", "11602", "13108", "13301")),
    Answered(
        name="a permanent code as a number", answers=[refusal(13108)], outcome=Failure(error=Rejected, code="13108")
    ),
    Answered(name="10100", answers=[refusal("10100")], outcome=unauthorised("10100")),
    Answered(name="10101", answers=[refusal("10101")], outcome=unauthorised("10101")),
    Answered(name="10102", answers=[refusal("10102")], outcome=unauthorised("10102")),
    Answered(name="401 with nothing", answers=[answer(401)], outcome=unauthorised("401")),
    Answered(name="401 with another code", answers=[refusal("10112", 401)], outcome=unauthorised("10112")),
    Answered(name="10110", answers=[refusal("10110")], outcome=Failure(error=NotSent, code="10110")),
    Answered(
        name="10110 with a wish",
        answers=[refusal("10110", retry_after="7")],
        outcome=Failure(error=NotSent, code="10110", retry_after=7.0),
    ),
    Answered(
        name="429",
        answers=[answer(429, retry_after="30")],
        outcome=Failure(error=NotSent, code="429", retry_after=30.0),
    ),
    Answered(name="10002 asks to try later", answers=[refusal("10002")], outcome=Failure(error=NotSent, code="10002")),
    Answered(name="-1 does not say where", answers=[refusal("-1")], outcome=Failure(error=OutcomeUnknown, code="-1")),
    Answered(
        name="503 with a wish",
        answers=[answer(503, retry_after="5")],
        outcome=Failure(error=NotSent, code="503", retry_after=5.0),
    ),
    Answered(name="503", answers=[answer(503)], outcome=Failure(error=OutcomeUnknown, code="503")),
    Answered(name="500", answers=[answer(500, {"status": 500})], outcome=Failure(error=OutcomeUnknown, code="500")),
    Answered(name="500 with yes", answers=[refusal("0", 500)], outcome=Failure(error=OutcomeUnknown, code="0")),
    Answered(name="403 with yes", answers=[refusal("0", 403)], outcome=Failure(error=OutcomeUnknown, code="0")),
    Answered(
        name="200 with HTML", answers=[answer(200, body=b"<p>ok")], outcome=Failure(error=OutcomeUnknown, code="200")
    ),
    Answered(name="false is not 0", answers=[refusal(False)], outcome=Failure(error=OutcomeUnknown, code="200")),
    Answered(name="403", answers=[answer(403)], outcome=Failure(error=Rejected, code="403")),
    Answered(name="404", answers=[answer(404, body=b"<p>")], outcome=Failure(error=Rejected, code="404")),
    Answered(name="302", answers=[answer(302, location="https://x/")], outcome=Failure(error=Rejected, code="302")),
    Answered(name="a code nobody knows", answers=[refusal("99999")], outcome=Failure(error=Rejected, code="99999")),
    Answered(
        name="a code that repeats our token",
        answers=[refusal(f"bad {TOKEN}")],
        outcome=Failure(error=Rejected, code="200"),
    ),
)

REFUSED: Final = (
    Refused(name="an image", outbound=to(Image("https://files.example/a.png")), reason="no image"),
    Refused(name="a raw message without a type", outbound=to(Raw({"content": "x"})), reason="needs type"),
    Refused(name="a raw message without anything", outbound=to(Raw({})), reason="needs type and content"),
    Refused(name="half a character", outbound=to(Text("\ud83d")), reason="JSON"),
)


def jwt(payload: object) -> str:
    parts = (orjson.dumps({"alg": "ES256"}), orjson.dumps(payload), b"s" * 64)
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


NOW: Final = CREATED_AT // 1_000_000
HOUR: Final = 3600 * 1_000_000
WEEK_TOKEN: Final = jwt({"sub": OWN, "exp": NOW + 604_800})
LOGIN: Final = [
    Call(
        method="POST",
        path="/api/v1/auth",
        headers={
            "ApiKey": API_KEY,
            "I-Authorization": "Bearer address-secret",
            "Content-Type": "application/json",
            "Accept": ACCEPT,
        },
        json={},
    )
]


def login(name: str, given: Response, outcome: Credential | Failure) -> Authenticated:
    settings = {"token": None, "address_token": SecretStr("address-secret")}
    return Authenticated(name=name, calls=LOGIN, answers=[given], outcome=outcome, settings=settings)


def issued(token: object) -> Response:
    return answer(200, {"code": "0", "desc": "success", "data": {"token": token}})


SHORT_TOKEN: Final = jwt({"exp": NOW + 600})
AUTHENTICATED: Final = (
    login(
        "a token for a week",
        issued(WEEK_TOKEN),
        Credential(token=WEEK_TOKEN, renew_at=(NOW + 604_800) * 1_000_000 - HOUR),
    ),
    login(
        "a token for ten minutes", issued(SHORT_TOKEN), Credential(token=SHORT_TOKEN, renew_at=CREATED_AT + 299_937_500)
    ),
    *(
        login(name, issued(token), Credential(token=token, renew_at=None))
        for name, token in {
            "an opaque token": "opaque",
            "two dots and no claims": "a.b.c",
            "claims that are a list": jwt([1]),
            "no end": jwt({"sub": OWN}),
            "an end in words": jwt({"exp": "tomorrow"}),
            "an end beyond all time": jwt({"exp": 1e300}),
            "an end that is past": jwt({"exp": NOW - 1}),
            "not even ASCII": "ü.ü.ü",
        }.items()
    ),
    login("no token in it", issued(None), Failure(error=NotSent, code="0")),
    login("no data", answer(200, {"code": "0"}), Failure(error=NotSent, code="0")),
    login("the address token has expired", refusal("10100"), Failure(error=NotSent, code="10100", pause=True)),
    login("the address token is refused", answer(401), Failure(error=NotSent, code="401", pause=True)),
    login("the account is refused", refusal("10120"), Failure(error=NotSent, code="10120", pause=True)),
    login("too many logins", refusal("10110", retry_after="9"), Failure(error=NotSent, code="10110", retry_after=9.0)),
    login("nothing understandable", answer(502, body=b"<p>"), Failure(error=NotSent, code="502")),
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
