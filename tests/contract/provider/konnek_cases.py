"""Konnek through the contract: its documented webhooks, requests and answers, with invented values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.events import ThreadRef
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
from bridge.providers.konnek import Konnek
from bridge.providers.konnek.emulator import Emulator
from bridge.providers.port import Sent
from bridge.testing.contract.provider import (
    ACCOUNT,
    KEY,
    Answered,
    Call,
    Failure,
    ProviderCases,
    Refused,
    Spoken,
    answer,
    outbound,
)
from tests.contract.provider.konnek_received import ID, QUARANTINED, RECEIVED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.messages import Outgoing

HEADERS: Final = {
    "Auth-username": "konnek-demo-user",
    "Auth-password": "konnek-demo-password",
    "Content-Type": "application/json",
}
ENVELOPE: Final = {
    "id": KEY,
    "times": 1760086900,
    "timestamp": "2025-10-10T09:01:40.125000+00:00",
    "timestampt": "2025-10-10T09:01:40.125000+00:00",
    "recipient": "6281234500099",
}
URL: Final = "https://files.example/a.jpg"
YES_NO: Final = [Button("yes", "Ya"), Button("no", "Tidak")]
PRESSABLE: Final = [{"key": "yes", "title": "Ya"}, {"key": "no", "title": "Tidak"}]


def thread(channel: str = "whatsapp") -> ThreadRef:
    return ThreadRef(ACCOUNT, "konnek", channel, "6281234500099")


def spoken(name: str, what: Outgoing, json: Mapping[str, Any], channel: str = "whatsapp", **more: Any) -> Spoken:
    call = Call(method="POST", path=f"/{channel}/send/demo-client", headers=HEADERS, json={**ENVELOPE, **json})
    address = {"reply_token": json["reply_token"]} if "reply_token" in json else {}
    seen = {"key": KEY, "message_id": KEY, "kind": what.kind, **more}
    return Spoken(name=name, outbound=outbound(thread(channel), what, address), calls=[call], seen=seen)


def button(text: str) -> dict[str, Any]:
    return {"type": "button", "body": {"text": text, "button": PRESSABLE}}


SPOKEN: Final = (
    spoken("a text", Text("Stok ada ✓"), {"type": "text", "body": {"text": "Stok ada ✓"}}, text="Stok ada ✓"),
    spoken(
        "a text in answer to another",
        Text("Ya", reply_to=ID),
        {"type": "text", "body": {"text": "Ya"}, "reply_id": ID},
    ),
    spoken(
        "a text on Telegram, with its token",
        Text("Ya"),
        {"type": "text", "body": {"text": "Ya"}, "reply_token": "tok-9"},
        channel="telegram",
    ),
    spoken(
        "an image with name and caption",
        Image(URL, name="a.jpg", caption="Ini"),
        {"type": "image", "body": {"text": "Ini", "media": {"url": URL, "name": "a.jpg"}}},
        text="Ini",
        url=URL,
    ),
    *(
        spoken(f"a bare {cls.kind}", cls(URL), {"type": cls.kind, "body": {"media": {"url": URL}}}, url=URL)
        for cls in (Image, Video, Audio, Voice, Document)
    ),
    spoken(
        "a location",
        Location(-6, 106.8),
        {"type": "location", "body": {"location": {"latitude": -6.0, "longitude": 106.8}}},
    ),
    spoken(
        "a location with a name",
        Location(-6.2, 106.8, name="Toko"),
        {"type": "location", "body": {"text": "Toko", "location": {"latitude": -6.2, "longitude": 106.8}}},
        text="Toko",
    ),
    spoken("buttons", Buttons("Jadi?", YES_NO), button("Jadi?"), text="Jadi?", choices=tuple(YES_NO)),
    spoken(
        "buttons with header and footer",
        Buttons("Jadi?", YES_NO, header="Pesanan 7", footer="Toko"),
        {
            **button("Jadi?"),
            "header": {"type": "text", "text": "Pesanan 7"},
            "footer": {"title": "", "text": "Toko"},
        },
    ),
    spoken(
        "buttons under a picture",
        Buttons("Jadi?", YES_NO, header=Image(URL)),
        {**button("Jadi?"), "header": {"type": "image", "media_url": URL}},
    ),
    spoken(
        "a list",
        Menu("Ukuran?", "Pilih", [Section("Kaus", [Row("s", "Kecil", "36"), Row("l", "Besar")])], footer="Toko"),
        {
            "type": "list",
            "body": {
                "text": "Ukuran?",
                "list": {
                    "title": "Pilih",
                    "sections": [
                        {
                            "title": "Kaus",
                            "description": "",
                            "actions": [
                                {"key": "s", "title": "Kecil", "description": "36"},
                                {"key": "l", "title": "Besar", "description": ""},
                            ],
                        }
                    ],
                },
            },
            "footer": {"title": "", "text": "Toko"},
        },
        choices=(Button("s", "Kecil"), Button("l", "Besar")),
    ),
    spoken(
        "Konnek's own words",
        Raw({"type": "text", "body": {"text": "mentah"}, "id": "not ours", "recipient": "not theirs"}),
        {"type": "text", "body": {"text": "mentah"}},
        kind="text",
        text="mentah",
    ),
)


DAY: Final = "Fri, 10 Oct 2025"


def meta(status: Any, code: Any, text: str = "", errors: Any = None) -> dict[str, Any]:
    return {"meta": {"status": status, "code": code, "message": text, "errors": errors}, "data": None}


def taken(status: Any = 0, message_id: Any = KEY, code: Any = 200) -> dict[str, Any]:
    data = {"message_id": message_id, "status": status, "tid": "b3d31d85-2222-4333-8444-a55566677788"}
    return {**meta(True, code, "OK"), "data": data}


ANSWERED: Final = tuple(
    Answered(name=name, answers=[given], outcome=outcome)
    for name, given, outcome in (
        ("pending", answer(200, taken()), Sent(message_id=KEY)),
        ("sent", answer(200, taken(1)), Sent(message_id=KEY, status="sent")),
        ("failed at once", answer(200, taken(-3)), Sent(message_id=KEY, status="failed")),
        ("created, its code a text", answer(201, taken(2, code="200")), Sent(message_id=KEY, status="delivered")),
        ("taken without data", answer(200, meta(True, 200)), Sent()),
        ("taken with a status nobody documents", answer(200, taken("sent", 7)), Sent()),
        ("refused", answer(200, meta(False, 400, "recipient is invalid")), Failure(error=Rejected, code="400")),
        ("refused, code as a text", answer(400, meta(False, "400", "no", "x")), Failure(error=Rejected, code="400")),
        ("refused without a code", answer(200, meta(False, None)), Failure(error=Rejected, code="200")),
        ("forbidden", answer(403, meta(False, 403)), Failure(error=Rejected, code="403")),
        ("wrong credentials", answer(401, meta(False, 401)), Failure(error=NotSent, code="401", pause=True)),
        ("wrong credentials at 200", answer(200, meta(False, "401")), Failure(error=NotSent, code="401", pause=True)),
        ("broken inside", answer(200, meta(False, 500, "broken")), Failure(error=NotSent, code="500")),
        (
            "busy",
            answer(503, meta(False, "503"), retry_after="7"),
            Failure(error=NotSent, code="503", retry_after=7.0),
        ),
        (
            "too many",
            answer(429, meta(False, 429), retry_after=f"{DAY} 09:02:00 GMT", date=f"{DAY} 09:01:30 GMT"),
            Failure(error=NotSent, code="429", retry_after=30.0),
        ),
        ("silence behind Konnek", answer(504, meta(False, 504)), Failure(error=OutcomeUnknown, code="504")),
        ("a success that is a failure", answer(500, taken()), Failure(error=OutcomeUnknown, code="500")),
        ("a truth that is a text", answer(200, meta("true", 200)), Failure(error=OutcomeUnknown, code="200")),
        ("HTML", answer(200, body=b"<html>"), Failure(error=OutcomeUnknown, code="200")),
        ("a proxy's 401", answer(401, body=b"no"), Failure(error=NotSent, code="401", pause=True)),
        ("a proxy's 403", answer(403, body=b"no"), Failure(error=NotSent, code="403", pause=True)),
        ("a proxy's 404", answer(404, body=b"no"), Failure(error=Rejected, code="404")),
        ("a proxy's 429", answer(429, retry_after="2"), Failure(error=NotSent, code="429", retry_after=2.0)),
        ("a proxy's 429 that asks nonsense", answer(429, retry_after="-1"), Failure(error=NotSent, code="429")),
        ("a proxy's 502", answer(502, body=b"bad gateway"), Failure(error=OutcomeUnknown, code="502")),
        ("a proxy's 503", answer(503, body=b"away"), Failure(error=OutcomeUnknown, code="503")),
        ("a proxy that drains", answer(503, retry_after="5"), Failure(error=NotSent, code="503", retry_after=5.0)),
        ("a redirect", answer(307, location="https://evil/"), Failure(error=Rejected, code="307")),
    )
)  # fmt: skip

REFUSED: Final = (
    Refused(name="a template", outbound=outbound(thread(), Template("promo")), reason="template"),
    Refused(name="cards", outbound=outbound(thread(), Cards([Card("A")])), reason="cards"),
    Refused(name="a channel of another account", outbound=outbound(thread("sms"), Text("x")), reason="channels"),
    Refused(name="half a character", outbound=outbound(thread(), Text("\ud83d")), reason="JSON"),
)

CASES: Final = ProviderCases(
    provider=Konnek,
    emulator=Emulator,
    settings=Emulator.sample_settings,
    received=RECEIVED,
    quarantined=QUARANTINED,
    spoken=SPOKEN,
    accepted=(answer(200, taken()),),
    answered=ANSWERED,
    refused=REFUSED,
    channel="whatsapp",
    contact="6281234500099",
    statuses=frozenset({"sent", "delivered", "read", "failed"}),
)
