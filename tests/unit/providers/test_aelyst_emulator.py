"""Aelyst's side of the wire: channels, windows, rates, queues, and nothing but what the page says."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError
from bridge.events import ThreadRef
from bridge.messages import Template, Text
from bridge.providers.aelyst import Aelyst
from bridge.providers.aelyst.emulator import Emulator
from bridge.providers.port import Request, Sent, Webhook
from bridge.testing.contract.provider import ACCOUNT, CREATED_AT, RECEIVED_AT, exchange, outbound
from bridge.units import SECOND
from tests.contract.provider.aelyst_cases import CASES

if TYPE_CHECKING:
    from bridge.messages import Outgoing
    from bridge.providers.port import Hook, Inbound, Provider

DAY = 24 * 3600 * SECOND
ANN = "40211907"
REF = ThreadRef(ACCOUNT, "aelyst", "whatsapp", f"87:{ANN}")


class Time:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = CREATED_AT

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def emulator(time: Time) -> Emulator:
    return Emulator(time, Random(3))


@pytest.fixture
def provider() -> Aelyst:
    made = CASES.build()
    assert isinstance(made, Aelyst)
    return made


def sent(provider: Provider, emulator: Emulator, what: Outgoing, thread: ThreadRef = REF) -> object:
    return exchange(provider.send(outbound(thread, what), None), emulator.handle)[1]


def parsed(provider: Provider, hook: Hook) -> Inbound:
    given = Webhook(channel=None, body=hook.body, json=orjson.loads(hook.body), received_at=RECEIVED_AT)
    (inbound,) = provider.parse(given)
    return inbound


def test_without_a_channel_a_message_goes_where_the_contact_was_heard_last(
    provider: Aelyst, emulator: Emulator
) -> None:
    thread = ThreadRef(ACCOUNT, "aelyst", "telegram", f"id:{ANN}")
    assert isinstance(sent(provider, emulator, Text("Hi"), thread), Rejected)
    emulator.says("whatsapp", ANN, "hi")
    emulator.says("telegram", ANN, "hi")
    assert isinstance(sent(provider, emulator, Text("Hi"), thread), Sent)
    assert [seen.channel for seen in emulator.seen] == ["telegram"]


def test_a_contact_of_a_phone_number_is_found_by_it(provider: Aelyst, emulator: Emulator) -> None:
    emulator.says("viber", "+60111222333", "hi")
    thread = ThreadRef(ACCOUNT, "aelyst", "viber", "phone:+60111222333")
    assert isinstance(sent(provider, emulator, Text("Hi"), thread), Sent)


@pytest.mark.parametrize(
    ("channel", "what", "taken"),
    [
        ("facebook", Text("Hi"), False),
        ("facebook", Text("Hi", tag="ACCOUNT_UPDATE"), True),
        ("whatsapp", Text("Hi"), False),
        ("whatsapp", Template("t", language="en"), True),
        ("telegram", Text("Hi"), True),
    ],
)
def test_after_a_day_of_silence_only_what_the_channel_allows_is_taken(
    provider: Aelyst, emulator: Emulator, time: Time, channel: str, what: Outgoing, *, taken: bool
) -> None:
    heard = parsed(provider, emulator.says(channel, ANN, "hi"))
    assert heard.conversation_id is not None
    thread = ThreadRef(ACCOUNT, "aelyst", channel, heard.conversation_id)
    time.now += DAY
    assert isinstance(sent(provider, emulator, what, thread), Sent)
    time.now += 1
    assert isinstance(sent(provider, emulator, what, thread), Sent if taken else Rejected)


def test_the_sixth_request_of_a_second_to_one_path_has_to_wait(
    provider: Aelyst, emulator: Emulator, time: Time
) -> None:
    outcomes = [sent(provider, emulator, Text(f"{number}")) for number in range(6)]
    assert [type(each) for each in outcomes] == [Sent] * 5 + [NotSent]
    assert isinstance(outcomes[5], NotSent)
    assert outcomes[5].retry_after == 1.0
    _, response = emulator.requests[-1]
    assert response.headers["x-ratelimit-limit"] == "5"
    assert response.headers["x-ratelimit-remaining"] == "0"
    other = ThreadRef(ACCOUNT, "aelyst", "whatsapp", "87:8")
    assert isinstance(sent(provider, emulator, Text("Hi"), other), Sent), "another path has its own"
    time.now += SECOND
    assert isinstance(sent(provider, emulator, Text("again")), Sent)


def test_the_rate_can_be_lifted(provider: Aelyst) -> None:
    emulator = Emulator(lambda: CREATED_AT, Random(1), rate=None)
    assert all(isinstance(sent(provider, emulator, Text("Hi")), Sent) for _ in range(20))


def test_a_queue_is_an_unknown_outcome_worth_a_minute(provider: Aelyst, emulator: Emulator) -> None:
    emulator.queue_next()
    outcome = sent(provider, emulator, Text("Hi"))
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.retry_after == 60.0
    assert emulator.seen == []
    assert isinstance(sent(provider, emulator, Text("Hi")), Sent)


@pytest.mark.parametrize(
    ("code", "error"),
    [("400", Rejected), ("401", NotSent), ("429", NotSent), ("449", OutcomeUnknown), ("500", OutcomeUnknown)],
)
def test_it_can_be_told_to_refuse(provider: Aelyst, emulator: Emulator, code: str, error: type[SendError]) -> None:
    _, outcome = exchange(provider.send(outbound(REF, Text("Hi")), None), [emulator.refuse(code)])
    assert type(outcome) is error
    assert isinstance(outcome, SendError)
    assert outcome.code == code


@pytest.mark.parametrize("code", ["200", "x", "٤٠٠", ""])
def test_it_refuses_only_with_codes_of_errors(emulator: Emulator, code: str) -> None:
    with pytest.raises(ValueError, match="400 to 599"):
        emulator.refuse(code)


GOOD: dict[str, Any] = {"channelId": 90, "message": {"type": "text", "text": "Hi"}}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"channelId": 90},
        {**GOOD, "extra": 1},
        {**GOOD, "channelId": "90"},
        {**GOOD, "channelId": True},
        {**GOOD, "channelId": 5},
        {**GOOD, "message": "Hi"},
        *(
            {**GOOD, "message": message}
            for message in (
                {"text": "Hi"},
                {"type": "text"},
                {"type": "text", "text": ""},
                {"type": "text", "text": 5},
                {"type": "text", "text": "Hi", "messageTag": "HUMAN_AGENT"},
                {"type": "text", "text": "Hi", "message_tag": "ACCOUNT_UPDATE"},
                {"type": "text", "text": "Hi", "title": "x"},
                {"type": "attachment", "attachment": {"type": "document", "url": "https://x.example"}},
                {"type": "attachment", "attachment": {"type": "file", "url": "x"}},
                {"type": "attachment", "attachment": {"type": "file"}},
                {"type": "quick_reply", "title": "Sure?", "replies": []},
                {"type": "quick_reply", "title": "Sure?", "replies": [{"title": "Yes"}]},
                {"type": "custom_payload", "payload": {}},
                {"type": "whatsapp_template", "template": {"name": "t", "languageCode": "en"}},
                {"type": "location", "latitude": 1, "longitude": 2},
            )
        ),
    ],
)
def test_a_body_that_is_not_the_pages_is_a_validation_error(
    provider: Aelyst, emulator: Emulator, body: dict[str, Any]
) -> None:
    request = next(provider.send(outbound(REF, Text("Hi")), None))
    bad = Request(method="POST", path=request.path, headers=request.headers, body=orjson.dumps(body))
    response = emulator.handle(bad)
    assert response.status == 400
    assert orjson.loads(response.body)["code"] == 400
    assert emulator.seen == []


def test_a_custom_payload_wants_its_channel_named(provider: Aelyst, emulator: Emulator) -> None:
    emulator.says("telegram", ANN, "hi")
    request = next(provider.send(outbound(REF, Text("Hi")), None))
    for channel_id, status in ((None, 400), (90, 200), (87, 400)):
        body = {"channelId": channel_id, "message": {"type": "custom_payload", "payload": {"text": "Hi"}}}
        asked = Request(method="POST", path=request.path, headers=request.headers, body=orjson.dumps(body))
        assert emulator.handle(asked).status == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/contact/id:1/message", 405),
        ("POST", "/contact/id:1/message/5", 405),
        ("GET", "/contact/id:1/message/5", 404),
        ("POST", "/contacts/id:1/message", 404),
        ("POST", "/contact/1/message", 400),
        ("POST", "/contact/phone:%2Bx/message", 400),
    ],
)
def test_paths_and_methods_are_the_pages(
    provider: Aelyst, emulator: Emulator, method: str, path: str, status: int
) -> None:
    request = next(provider.send(outbound(REF, Text("Hi")), None))
    asked = Request(method=method, path=path, headers=request.headers, body=request.body)
    assert emulator.handle(asked).status == status
