"""The emulator of RelationLabs: its table, its knobs, its tokens, and the webhooks it makes."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from bridge.errors import NotSent, Rejected, SendError
from bridge.events import Echo, Message
from bridge.messages import Button
from bridge.providers.port import Credential, Sent
from bridge.providers.relationlabs import wire
from bridge.testing.contract.provider import CREATED_AT, KEY, exchange
from tests.contract.provider.relationlabs_outbound import GROUP, OWN, RIVER, WEEK_TOKEN
from tests.support.relationlabs_setup import Time, account, arrived, emulator, keyed, said_to, sent

if TYPE_CHECKING:
    from bridge.providers.relationlabs.emulator import Emulator

OTHER_KEY: Final = "0d4c2a44-15c1-5a0e-8a55-000000000002"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"channelUuid": None}, "10112"),
        ({"channelUuid": ""}, "10112"),
        ({"toRelationId": 7}, "10112"),
        ({"type": ""}, "10112"),
        ({"content": None}, "10112"),
        ({"content": {"text": "x"}}, "10112"),
        ({"sendUuid": ""}, "10112"),
        ({"quoteId": 7}, "10112"),
        ({"text": "x"}, "10112"),
        ({"type": "POLL", "mentionedUser": [RIVER]}, "0"),
    ],
)
def test_the_emulator_knows_its_table(fields: dict[str, Any], code: str) -> None:
    gateway = emulator()
    request = next(account().send(said_to(), None))
    bent = {**orjson.loads(request.body or b""), **fields}
    response = gateway.handle(replace(request, body=orjson.dumps(bent)))
    assert response.status == 200
    assert orjson.loads(response.body)["code"] == code
    assert len(gateway.seen) == (code == "0")


def test_the_emulator_answers_as_the_document_shows() -> None:
    gateway = emulator()
    gateway.handle(next(account().send(said_to(RIVER, "peer"), None)))
    found = orjson.loads(gateway.requests[0][1].body)
    assert (found["code"], found["desc"]) == ("0", "success")
    assert len(found["data"]["id"]) == 19
    assert wire.is_channel_uuid(found["data"]["channelUuid"])


def assert_refused(outcome: object, code: str, kind: type[SendError]) -> None:
    assert type(outcome) is kind
    assert isinstance(outcome, SendError)
    assert outcome.code == code


def test_knobs_refuse_strangers_outsiders_and_the_hasty() -> None:
    gateway = emulator()
    thread = arrived(gateway.says("peer", RIVER, "hi")).conversation_id or ""
    gateway.block_strangers.add(RIVER)
    assert_refused(sent(gateway, said_to(RIVER, "peer")), "13301", Rejected)
    assert_refused(sent(gateway, said_to(thread, "peer")), "13301", Rejected)
    gateway.not_member.add(GROUP)
    assert_refused(sent(gateway, said_to()), "13108", Rejected)
    gateway.rate_limited = 1
    assert_refused(sent(gateway, said_to("f" * 32)), "10110", NotSent)
    assert gateway.seen == []
    assert isinstance(sent(gateway, said_to("f" * 32)), Sent)


def test_any_documented_error_and_any_http_error_can_be_had() -> None:
    gateway = emulator()
    for code in ("-1", *wire.UNAUTHORISED, *wire.LATER, *wire.PERMANENT):
        response = gateway.refuse(code)
        assert (response.status, orjson.loads(response.body)["code"]) == (200, code)
    assert gateway.refuse("503").status == 503
    for code in ("0", "200", "99999", "x", "", "\u0664\u0660\u0660"):
        with pytest.raises(ValueError, match="none of RelationLabs' codes"):
            gateway.refuse(code)


@pytest.mark.parametrize(("honours", "times"), [(False, 2), (True, 1)])
def test_a_repeated_send_uuid_is_said_once_only_where_keys_are_honoured(honours: bool, times: int) -> None:  # noqa: FBT001 - drawn
    gateway = emulator()
    gateway.honours_keys = honours
    first, again = (sent(gateway, said_to()) for _ in range(2))
    assert len(gateway.seen) == times
    assert (first == again) is honours
    assert sent(gateway, said_to(key=OTHER_KEY)) not in (first, again)


def obtained(gateway: Emulator, now: int) -> Credential:
    conversation = keyed().authenticate(now)
    assert conversation is not None
    _, credential = exchange(conversation, gateway.handle)
    assert isinstance(credential, Credential)
    return credential


def test_a_token_is_obtained_used_refused_when_it_is_over_and_obtained_again() -> None:
    now = Time()
    gateway = emulator(now)
    credential = obtained(gateway, now())
    assert credential.renew_at == (CREATED_AT // 1_000_000 + 604_800 - 3600) * 1_000_000
    assert isinstance(sent(gateway, said_to(), credential, keyed()), Sent)
    now.at += 604_800 * 1_000_000
    assert_refused(sent(gateway, said_to(), credential, keyed()), "10100", NotSent)
    renewed = obtained(gateway, now())
    assert isinstance(sent(gateway, said_to(), renewed, keyed()), Sent)
    gateway.expire_tokens()
    assert_refused(sent(gateway, said_to(), renewed, keyed()), "10100", NotSent)
    assert_refused(sent(gateway, said_to()), "10100", NotSent)
    assert isinstance(sent(gateway, said_to(), obtained(gateway, now()), keyed()), Sent)


def test_the_same_message_has_the_same_body_under_a_new_token() -> None:
    old, new = (next(keyed().send(said_to(), Credential(token=token))) for token in (WEEK_TOKEN, "opaque"))
    assert old.body == new.body
    assert old.headers != new.headers


def test_a_wrong_address_token_or_api_key_gets_no_token() -> None:
    gateway = emulator()
    conversation = keyed().authenticate(CREATED_AT)
    assert conversation is not None
    request = next(conversation)
    for name in ("ApiKey", "I-Authorization"):
        response = gateway.handle(replace(request, headers={**request.headers, name: "Bearer wrong"}))
        assert orjson.loads(response.body)["code"] == "10101"


def test_a_token_is_signed_with_es256_and_names_us() -> None:
    gateway = emulator()
    token = obtained(gateway, CREATED_AT).token
    head, payload, signature = token.split(".")
    raw = urlsafe_b64decode(signature + "==")
    assert orjson.loads(urlsafe_b64decode(head + "==")) == {"alg": "ES256"}
    assert len(raw) == 64
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    key = gateway.signing_key.public_key()
    key.verify(encode_dss_signature(r, s), f"{head}.{payload}".encode(), ec.ECDSA(SHA256()))
    assert wire.subject(token) == OWN


@pytest.mark.parametrize(("channel", "conversation"), [("group", GROUP), ("peer", RIVER)])
def test_what_we_said_comes_back_as_an_echo_with_its_key(channel: str, conversation: str) -> None:
    gateway = emulator()
    sent(gateway, said_to(conversation, channel))
    found = arrived(gateway.echo(gateway.seen[0]))
    assert isinstance(found.event, Echo)
    assert (found.event.message_key, found.event.human, found.event.text) == (KEY, False, "hello")
    assert found.key == gateway.seen[0].message_id
    assert found.channel == channel


def test_a_peer_who_was_written_to_first_answers_in_the_channel_that_this_made() -> None:
    gateway = emulator()
    sent(gateway, said_to(RIVER, "peer"))
    made = orjson.loads(gateway.requests[0][1].body)["data"]["channelUuid"]
    assert arrived(gateway.says("peer", RIVER, "hi")).conversation_id == made


def test_a_peer_may_come_without_a_channel() -> None:
    gateway = emulator()
    gateway.peers_have_channels = False
    found = arrived(gateway.says("peer", RIVER, "hi"))
    assert (found.channel, found.conversation_id, found.address) == ("peer", RIVER, {})


def test_groups_pictures_links_places_and_quotes_arrive() -> None:
    gateway = emulator()
    asked = arrived(gateway.says("group", RIVER, "hi"))
    assert (asked.channel, asked.address) == ("group", {})
    hooks = {
        "image": gateway.sends("group", RIVER, "image", "https://files.example/a,b;c.png", "not carried"),
        "film": gateway.sends("group", RIVER, "video", "https://files.example/a.mp4", "look"),
        "place": gateway.locates("group", RIVER, -6.2, 106.8),
        "press": gateway.presses("group", RIVER, Button("k", "Track it")),
        "quote": gateway.quotes("group", RIVER, "this one", asked.key),
    }
    events = {name: arrived(hook).event for name, hook in hooks.items()}
    assert all(isinstance(event, Message) for event in events.values())
    found: dict[str, Any] = events
    assert found["image"].media.url == "https://files.example/a,b;c.png"
    assert found["film"].text == "look\nhttps://files.example/a.mp4"
    assert found["place"].text == "-6.2, 106.8"
    assert found["press"].text == "Track it"
    assert found["quote"].reply_to == asked.key


def test_a_channel_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="group or peer"):
        emulator().says("whatsapp", RIVER, "hi")


def test_an_emulator_that_is_started_again_repeats_no_id() -> None:
    now = Time()
    first = arrived(emulator(now).says("peer", RIVER, "hi"))
    now.at += 1000
    assert arrived(emulator(now).says("peer", RIVER, "hi")).key != first.key
