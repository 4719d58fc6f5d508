"""What is Aelyst's own: conversations, limits by channel, signed webhooks, and statuses that are asked for."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError, WebhookError
from bridge.events import Echo, Message, Status, ThreadRef
from bridge.messages import Button, Buttons, Template, Text
from bridge.planning.choices import answer as chosen
from bridge.planning.plan import plan
from bridge.providers.aelyst import Aelyst, AelystSettings, wire
from bridge.providers.aelyst.emulator import Emulator, sign
from bridge.providers.port import Sent, Webhook
from bridge.providers.schemes import Signed
from bridge.providers.signatures import INBOUND, verifier_for
from bridge.testing.contract.provider import ACCOUNT, CREATED_AT, RECEIVED_AT, answer, exchange, outbound
from bridge.units import SECOND
from tests.contract.provider.aelyst_cases import CASES

if TYPE_CHECKING:
    from bridge.messages import Outgoing
    from bridge.providers.port import Hook, Inbound, Provider

DAY = 24 * 3600 * SECOND
ANN = "40211907"
REF = ThreadRef(ACCOUNT, "aelyst", "whatsapp", f"87:{ANN}")


@pytest.fixture
def emulator() -> Emulator:
    return Emulator(lambda: CREATED_AT, Random(3))


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


# Conversations


@pytest.mark.parametrize(
    ("text", "channel_id", "path"),
    [
        ("87:40211907", 87, "/contact/id:40211907"),
        ("87:phone:+60", 87, "/contact/phone:%2B60"),
        ("id:7", None, "/contact/id:7"),
        ("email:a@b.c", None, "/contact/email:a%40b.c"),
        ("87:a:b", 87, "/contact/id:a%3Ab"),
        ("id:../x?y#z", None, "/contact/id:..%2Fx%3Fy%23z"),
    ],
)
def test_a_conversation_names_channel_and_contact(text: str, channel_id: int | None, path: str) -> None:
    found = wire.conversation(text)
    assert found is not None
    assert (found.channel_id, found.path) == (channel_id, path)


@given(st.text())
def test_whatever_a_conversation_says_the_path_stays_inside_its_contact(text: str) -> None:
    found = wire.conversation(text)
    assert found is None or found.path.count("/") == 2
    assert found is None or found.path.isascii()


def test_the_settings_take_a_secret_token_and_nothing_unknown() -> None:
    given: dict[str, Any] = {"provider": "aelyst", "base_url": "https://api.example/v1", "token": SecretStr("t")}
    assert AelystSettings.model_validate({**given, "workspace": "sales"}).workspace == "sales"
    wrong: list[dict[str, Any]] = [
        {"token": "written out"},
        {"token": SecretStr("a\nb")},
        {"token": SecretStr("é")},
        {"api_key": SecretStr("t")},
    ]
    for change in wrong:
        with pytest.raises(ValidationError):
            AelystSettings.model_validate({**given, **change})


# What a channel carries


@pytest.mark.parametrize(
    ("channel", "has", "has_not"),
    [
        ("whatsapp", {"template", "buttons"}, {"raw"}),
        ("facebook", {"raw", "buttons"}, {"template"}),
        ("instagram", {"buttons"}, {"raw", "template"}),
        ("telegram", {"raw"}, {"template"}),
        ("viber", {"raw"}, {"template"}),
        ("line", {"raw"}, {"template"}),
        ("tiktok", {"text", "image"}, {"raw", "template", "buttons"}),
    ],
)
def test_a_channel_carries_what_is_known_of_it(
    provider: Aelyst, channel: str, has: set[str], has_not: set[str]
) -> None:
    kinds = provider.capabilities(channel).kinds
    assert has <= kinds
    assert not has_not & kinds


@pytest.mark.parametrize("channel", ["facebook", "instagram"])
def test_a_tag_opens_a_closed_window_only_where_the_page_says_so(provider: Aelyst, channel: str) -> None:
    late = {"now": CREATED_AT, "last_heard": CREATED_AT - 2 * DAY}
    tagged = Text("Shipped", tag="POST_PURCHASE_UPDATE")
    assert plan(tagged, provider.capabilities(channel), **late).parts
    assert plan(Text("Shipped"), provider.capabilities(channel), **late).dropped
    assert plan(tagged, provider.capabilities("whatsapp"), **late).dropped
    assert plan(Template("t", language="en"), provider.capabilities("whatsapp"), **late).parts


def test_a_pressed_quick_reply_comes_back_as_the_key_we_gave_it(provider: Aelyst, emulator: Emulator) -> None:
    question = Buttons("Sure?", [Button("k-yes", "Yes"), Button("k-no", "No")])
    made = plan(question, provider.capabilities("whatsapp"), now=CREATED_AT, last_heard=CREATED_AT)
    (part,) = made.parts
    assert isinstance(sent(provider, emulator, part), Sent)
    (seen,) = emulator.seen
    said = parsed(provider, emulator.presses(seen.channel, ANN, seen.choices[1])).event
    assert isinstance(said, Message)
    found = chosen(said, made.choices)
    assert found is not None
    assert found.key == "k-no"


# Webhooks


def test_its_webhooks_are_signed_as_the_door_wants_them(emulator: Emulator) -> None:
    verifier = verifier_for(INBOUND.validate_python({"auth": "hmac", "keys": [SecretStr(emulator.signing_key)]}))
    hook = emulator.says("whatsapp", ANN, "café ✓")

    def posted(body: bytes) -> None:
        verifier.verify(Signed(headers=list(hook.headers.items()), body=body, now=CREATED_AT))

    posted(hook.body)
    with pytest.raises(WebhookError):
        posted(hook.body + b" ")


def test_a_signature_is_the_one_of_the_known_vector() -> None:
    assert sign(b'{"some":"payload"}', "secret-key") == "Bq1g+eoWPzyDxcVsyqSfJaTHxwAIVJPuJ/kAf+Ef0QA="


def test_our_message_and_a_persons_come_back_as_echoes_of_the_same_thread(provider: Aelyst, emulator: Emulator) -> None:
    outcome = sent(provider, emulator, Text("Hello"))
    assert isinstance(outcome, Sent)
    ours = parsed(provider, emulator.echo(emulator.seen[0]))
    theirs = parsed(provider, emulator.agent_says("whatsapp", ANN, "I take over"))
    assert isinstance(ours.event, Echo)
    assert isinstance(theirs.event, Echo)
    assert (ours.event.id, ours.event.text, ours.event.human) == (outcome.message_id, "Hello", False)
    assert (theirs.event.text, theirs.event.human) == ("I take over", True)
    assert ours.conversation_id == theirs.conversation_id == REF.conversation_id


def test_a_voice_note_comes_as_an_audio(provider: Aelyst, emulator: Emulator) -> None:
    event = parsed(provider, emulator.sends("telegram", "ann", "voice", "https://files.example/v.ogg")).event
    assert isinstance(event, Message)
    assert event.kind == "audio"


def test_a_contact_by_name_is_the_same_number_everywhere(provider: Aelyst) -> None:
    hooks = [Emulator(lambda: CREATED_AT, Random(seed)).says("line", "ann", "hi") for seed in (1, 2)]
    one, other = (parsed(provider, hook) for hook in hooks)
    assert one.conversation_id == other.conversation_id
    assert one.conversation_id is not None
    assert one.conversation_id.removeprefix("92:").isdigit()


@pytest.mark.parametrize("channel", ["sms", ""])
def test_there_is_no_webhook_from_a_channel_it_does_not_have(emulator: Emulator, channel: str) -> None:
    with pytest.raises(ValueError, match="a channel is one of"):
        emulator.says(channel, ANN, "hi")
    with pytest.raises(ValueError, match="a medium is one of"):
        emulator.sends("line", ANN, "smell", "https://files.example/x")


# Statuses, which are asked for


def test_the_fate_of_a_message_can_be_asked_for(provider: Aelyst, emulator: Emulator) -> None:
    outcome = sent(provider, emulator, Text("Hi"))
    assert isinstance(outcome, Sent)
    assert outcome.message_id is not None

    def fates() -> list[Inbound]:
        assert outcome.message_id is not None
        response = emulator.handle(provider.status_request(REF, outcome.message_id))
        return list(provider.read_status(response, REF, outcome.message_id, RECEIVED_AT))

    assert fates() == [], "pending is no fate yet"
    for value in ("sent", "delivered", "read"):
        assert emulator.status(emulator.seen[0], value) is None
    found = fates()
    assert [each.event.value for each in found if isinstance(each.event, Status)] == ["sent", "delivered", "read"]
    assert {each.event.message_id for each in found if isinstance(each.event, Status)} == {outcome.message_id}
    assert {each.conversation_id for each in found} == {REF.conversation_id}
    assert [each.key for each in found] == [each.key for each in fates()], "asked again, they are the same events"
    assert len({each.key for each in found}) == 3


def test_a_failed_message_says_why(provider: Aelyst) -> None:
    told = [{"value": "failed", "timestamp": 1760086800, "message": "No such number"}]
    response = answer(200, {"messageId": 5, "status": told})
    (found,) = provider.read_status(response, REF, "5", RECEIVED_AT)
    assert isinstance(found.event, Status)
    assert (found.event.value, found.event.error) == ("failed", "No such number")
    assert found.event.at.timestamp() == 1760086800


@pytest.mark.parametrize("status", [None, 5, "sent", {}, [None], ["sent"], [{"value": "seen"}], [{"value": []}], [{}]])
def test_statuses_nobody_documents_are_no_fate(provider: Aelyst, status: Any) -> None:
    response = answer(200, {"messageId": "5", "status": status})
    assert provider.read_status(response, REF, "5", RECEIVED_AT) == []


@pytest.mark.parametrize(
    ("status", "json", "error"),
    [
        (200, {"messageId": 6, "status": [{"value": "read"}]}, OutcomeUnknown),
        (200, {}, OutcomeUnknown),
        (404, {"code": 404, "message": "Not found"}, Rejected),
        (429, {"code": 429, "message": "Too Many Requests"}, NotSent),
        (401, {"code": 401, "message": "UN_AUTHORIZED"}, NotSent),
    ],
)
def test_an_answer_about_something_else_is_an_error(
    provider: Aelyst, status: int, json: Any, error: type[SendError]
) -> None:
    with pytest.raises(error):
        provider.read_status(answer(status, json), REF, "5", RECEIVED_AT)


def test_nobody_is_asked_about_a_thread_that_is_none_of_aelysts(provider: Aelyst) -> None:
    with pytest.raises(Rejected):
        provider.status_request(ThreadRef(ACCOUNT, "aelyst", "whatsapp", "ann"), "5")
    request = provider.status_request(REF, "5/../6")
    assert (request.method, request.path) == ("GET", "/contact/id:40211907/message/5%2F..%2F6")
