"""RelationLabs' tests as data, outbound: requests, answers and tokens, after api/message/send and api/auth."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any, Final

import orjson
from pydantic import SecretStr

from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.events import ThreadRef
from bridge.messages import Image, Outgoing, Raw, Text
from bridge.providers.port import Credential, Outbound, Response, Sent
from bridge.providers.relationlabs.emulator import Emulator
from bridge.testing.contract.provider import (
    ACCOUNT,
    CREATED_AT,
    KEY,
    Answered,
    Authenticated,
    Call,
    Failure,
    Refused,
    Spoken,
    answer,
)
from bridge.testing.contract.provider import outbound as committed

GROUP: Final = "0c9f5e1ab2c34d5e8f90a1b2c3d4e5f6"
RIVER: Final = "qwert-yuiop-asdfg-hjklz-cai"
OWN: Final = Emulator.sample_settings["relation_id"]
ID: Final = "1579310000000000011"
KEY_HEX: Final = KEY.replace("-", "")
OUR_UUID: Final = f"{OWN}-{GROUP}-1760086900125-{KEY_HEX}"

ANONYMOUS: Final = {"relation_id": None}
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
