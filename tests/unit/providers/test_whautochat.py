"""WhautoChat beyond the contract: registrations of webhooks, phone numbers, plans, and how strict its emulator is."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.events import Echo, Message
from bridge.messages import Button, Buttons, Card, Cards, Image, Menu, Raw, Row, Section, Template, Text
from bridge.planning.plan import plan
from bridge.providers.port import Request, Response
from bridge.providers.whautochat import WhautoChat, WhautoChatSettings, wire
from bridge.providers.whautochat.emulator import Emulator
from bridge.providers.whautochat.outbound import phone_number
from bridge.providers.whautochat.webhooks import Registration
from bridge.testing.contract.provider import CREATED_AT, answer, exchange, webhook
from bridge.units import PerPeriod
from tests.contract.provider.whautochat_cases import CASES, HEADERS, SIZES, to

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from bridge.messages import Outgoing
    from bridge.providers.port import Outbound

RIGHT: dict[str, Any] = {"provider": "whautochat", "api_key": SecretStr("k"), "workspace_id": "w"}
OURS = Registration(name="bridge", url="https://bot.example/webhooks/shop/s3cret")


def emulator() -> Emulator:
    return Emulator(lambda: CREATED_AT, Random(7))


def provider() -> WhautoChat:
    built = CASES.build()
    assert isinstance(built, WhautoChat)
    return built


def done(conversation: Generator[Request, Response, Any], answers: Any) -> Any:
    outcome = exchange(conversation, answers)[1]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def test_the_thirteen_events_are_those_of_the_page() -> None:
    assert len(wire.EVENTS) == len(set(wire.EVENTS)) == 13
    assert {"incoming_website_message", "outgoing_telegram_message", "contact_tag_removed"} < set(wire.EVENTS)


def test_the_endpoints_are_the_nine_of_the_page() -> None:
    assert sum(map(len, wire.ENDPOINTS.values())) == 9


def test_an_account_is_limited_as_documented_unless_it_says_otherwise() -> None:
    assert WhautoChatSettings.model_validate(RIGHT).rate == PerPeriod(100, 60)
    assert WhautoChatSettings.model_validate({**RIGHT, "rate": "5/s"}).rate == PerPeriod(5, 1)


@pytest.mark.parametrize(
    "wrong", [{"api_key": SecretStr("a\nb")}, {"workspace_id": ""}, {"template_as": "x"}, {"y": 1}]
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WhautoChatSettings.model_validate({**RIGHT, **wrong})


@pytest.mark.parametrize(
    ("conversation_id", "phone"),
    [
        ("+6281200012345", "+6281200012345"),
        ("+62 812-0001.2345", "+6281200012345"),
        ("+1 (555) 010/2030", "+15550102030"),
        ("6281200012345", None),
        ("cnt_3302", None),
        ("+", None),
        ("+62x812000", None),
        ("", None),
    ],
)
def test_a_phone_number_begins_with_a_plus(conversation_id: str, phone: str | None) -> None:
    assert phone_number(conversation_id) == phone


def test_a_number_is_no_phone_on_another_channel() -> None:
    requests, _ = exchange(provider().send(to("telegram", Text("hi"), "+6281200012345"), None), CASES.accepted)
    assert orjson.loads(requests[0].body or b"")["contact"] == {"id": "+6281200012345"}


def test_a_raw_that_names_its_recipient_keeps_it() -> None:
    raw = Raw({"recepient": {"phoneNumber": "+62811"}, "textMessage": "x"})
    requests, _ = exchange(provider().send(to("whatsapp", raw), None), CASES.accepted)
    assert "contact" not in orjson.loads(requests[0].body or b"")


@pytest.mark.parametrize("name", ["contact", "recepient", "workspace", "template"])
def test_a_templates_parameter_cannot_take_the_place_of_a_field(name: str) -> None:
    built = CASES.build({"template_as": "object"})
    _, outcome = exchange(built.send(to("whatsapp", Template("t", params={name: "x"})), None), CASES.accepted)
    assert isinstance(outcome, Rejected)
    assert name in outcome.reason


ROWS = Menu("Pick one", "Sizes", [Section("All", [Row("s", "Small"), Row("l", "Large")])])


@pytest.mark.parametrize("channel", wire.ENDPOINTS)
@pytest.mark.parametrize(
    "message",
    [
        Text("word " * 1500),
        Image("https://x/a.png", caption="look"),
        Buttons("Which?", SIZES, header="Sizes", footer="Choose"),
        Buttons("Which?", [Button(str(number), f"Number {number}") for number in range(12)]),
        ROWS,
        Cards([Card("Shirt", buttons=SIZES, image="https://x/a.png"), Card("Shoe")]),
    ],
    ids=lambda message: message.kind,
)
def test_whatever_is_planned_is_taken(channel: str, message: Outgoing) -> None:
    whauto = emulator()
    planned = plan(message, provider().capabilities(channel), now=CREATED_AT, last_heard=CREATED_AT)
    assert planned.parts
    for part in planned.parts:
        done(provider().send(to(channel, part), None), whauto.handle)
    assert len(whauto.seen) == len(planned.parts)
    shown = "\n".join(f"{seen.text}\n{seen.url}\n{seen.choices}" for seen in whauto.seen)
    for word in ("Small", "Large") if message.kind in {"menu", "cards"} else ():
        assert word in shown


def test_nothing_is_planned_for_the_live_chat() -> None:
    planned = plan(Text("hi"), provider().capabilities("website"), now=CREATED_AT, last_heard=CREATED_AT)
    assert planned.dropped


def test_a_press_answers_the_message_with_the_button() -> None:
    whauto = emulator()
    sent = done(provider().send(to("messenger", Buttons("Which?", SIZES)), None), whauto.handle)
    (pressed,) = provider().parse(webhook(orjson.loads(whauto.presses("messenger", "cnt_3302", SIZES[1]).body)))
    assert isinstance(pressed.event, Message)
    assert (pressed.event.text, pressed.event.reply_to) == ("Large", sent.message_id)


@pytest.mark.parametrize(("by", "human"), [("Ravi", True), ("", True), ("API", False)])
def test_an_agents_message_is_a_human_echo(by: str, human: bool) -> None:  # noqa: FBT001 - a column of the table
    (inbound,) = provider().parse(webhook(orjson.loads(emulator().echo("whatsapp", "c", "hi", by).body)))
    assert isinstance(inbound.event, Echo)
    assert inbound.event.human is human


GOOD: dict[str, Any] = {"contact": {"id": "c"}, "workspace": {"id": "ws_demo"}, "textMessage": "hi"}
MEDIUM = {"contact": {"id": "c"}, "workspace": {"id": "ws_demo"}, "mediaUrl": "https://x", "mimeType": "image/png"}
CARDS = {"contact": {"id": "c"}, "workspace": {"id": "ws_demo"}, "elements": [{"title": "t", "buttons": []}]}
NAMED = {"contact": {"id": "c"}, "workspace": {"id": "ws_demo"}, "template": "t"}
GONE = object()
BAD: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("whatsapp/sendtext", GOOD, {"recepient": {"phoneNumber": "+62811"}}, "not both"),
    ("whatsapp/sendtext", GOOD, {"contact": GONE}, "either contact or recepient"),
    ("whatsapp/sendtext", GOOD, {"contact": GONE, "recipient": {"phoneNumber": "+62811"}}, "either"),
    ("messenger/sendtext", GOOD, {"contact": GONE, "recepient": {"phoneNumber": "+62811"}}, "WhatsApp only"),
    ("whatsapp/sendtext", GOOD, {"contact": {"id": "c", "name": "x"}}, "contact.id"),
    ("whatsapp/sendtext", GOOD, {"contact": GONE, "recepient": {"phoneNumber": ""}}, "recepient.phoneNumber"),
    ("whatsapp/sendtext", GOOD, {"workspace": {"id": "other"}}, "Workspace"),
    ("whatsapp/sendtext", GOOD, {"workspace": GONE}, "workspace.id"),
    ("whatsapp/sendtext", GOOD, {"textMessage": ""}, "textMessage"),
    ("whatsapp/sendtext", GOOD, {"textMessage": 5}, "textMessage"),
    ("whatsapp/sendtext", GOOD, {"template": {"name": "t"}}, "template is not allowed"),
    ("whatsapp/sendtext", GOOD, {"scheduleDateTime": "tomorrow"}, "scheduleDateTime"),
    ("whatsapp/sendtext", GOOD, {"scheduleDateTime": "2025-10-10T10:00:00"}, "scheduleDateTime"),
    ("whatsapp/sendmedia", MEDIUM, {"mimeType": GONE}, "mimeType"),
    ("messenger/sendmedia", MEDIUM, {"caption": "look"}, "caption is not allowed"),
    ("whatsapp/sendtemplate", NAMED, {"template": None}, "template"),
    ("whatsapp/sendtemplate", NAMED, {"template": {"language": "id"}}, "template"),
    ("whatsapp/sendtemplate", NAMED, {"scheduleDateTime": "2025-10-10T10:00:00Z"}, "scheduleDateTime is not allowed"),
    ("telegram/sendtemplate", GOOD, {}, "buttons is required"),
    ("telegram/sendtemplate", GOOD, {"buttons": ["Yes"]}, "buttons"),
    ("messenger/sendtemplate", CARDS, {"elements": []}, "elements"),
    ("instagram/sendtemplate", CARDS, {"elements": [{"title": "t"}]}, "an element"),
    ("instagram/sendtemplate", CARDS, {"elements": [{"title": "t", "buttons": [{"title": "x"}]}]}, "buttons"),
]


@pytest.mark.parametrize(("endpoint", "right", "bent", "error"), BAD)
def test_the_emulator_refuses_what_its_schema_does_not_have(
    endpoint: str, right: dict[str, Any], bent: dict[str, Any], error: str
) -> None:
    told = {name: value for name, value in {**right, **bent}.items() if value is not GONE}
    whauto = emulator()
    request = Request(method="POST", path=f"/v1/messages/{endpoint}", headers=HEADERS, body=orjson.dumps(told))
    response = whauto.handle(request)
    assert response.status == 200, "an error is told in a MessageResponse, and that comes with 200"
    assert error in orjson.loads(response.body)["error"]
    assert whauto.seen == []


def test_the_emulator_takes_what_its_schemas_have() -> None:
    for endpoint, told in (
        ("whatsapp/sendtext", GOOD),
        ("whatsapp/sendmedia", MEDIUM),
        ("instagram/sendtemplate", CARDS),
        ("whatsapp/sendtemplate", NAMED),
        ("telegram/sendtemplate", {**GOOD, "buttons": []}),
    ):
        request = Request(method="POST", path=f"/v1/messages/{endpoint}", headers=HEADERS, body=orjson.dumps(told))
        assert orjson.loads(emulator().handle(request).body)["error"] == "", endpoint


def test_there_is_no_text_on_telegram_and_no_medium_on_instagram() -> None:
    for endpoint in ("telegram/sendtext", "instagram/sendmedia", "website/sendtext"):
        request = Request(method="POST", path=f"/v1/messages/{endpoint}", headers=HEADERS, body=orjson.dumps(GOOD))
        assert emulator().handle(request).status == 404


def test_a_webhook_is_registered_listed_replaced_and_deleted() -> None:
    whauto, hooks = emulator(), provider().webhooks
    assert done(hooks.list(), whauto.handle) == ()
    made = done(hooks.register(OURS), whauto.handle)
    assert made.id
    assert done(hooks.list(), whauto.handle) == (made,)
    assert (made.name, made.url, made.events, made.active) == (OURS.name, OURS.url, OURS.events, True)
    asleep = Registration(id=made.id, name="bridge", url=OURS.url, events=("contact_created",), active=False)
    assert done(hooks.replace(asleep), whauto.handle) == asleep
    assert done(hooks.list(), whauto.handle) == (asleep,)
    assert done(hooks.delete(made.id), whauto.handle) is None
    assert done(hooks.list(), whauto.handle) == ()
    assert done(hooks.delete(made.id), whauto.handle) is None, "what is gone already is gone"


def test_a_registration_is_the_documented_call() -> None:
    (request,), _ = exchange(provider().webhooks.register(OURS), [answer(200, {"id": "w"})])
    assert (request.method, request.path, dict(request.headers)) == ("POST", "/v1/webhooks", HEADERS)
    told = orjson.loads(request.body or b"")
    events = [event for event in wire.EVENTS if not event.startswith("contact")]
    assert told == {"name": "bridge", "serverUrl": OURS.url, "active": True, "events": events}


def test_long_lists_are_read_page_by_page() -> None:
    whauto, hooks = emulator(), provider().webhooks
    for number in range(101):
        done(hooks.register(Registration(name=str(number), url="https://x")), whauto.handle)
    requests, found = exchange(hooks.list(), whauto.handle)
    assert isinstance(found, tuple)
    assert [each.name for each in found] == [str(number) for number in range(101)]
    assert [dict(request.query) for request in requests] == [
        {"limit": "50", "page": "1"},
        {"limit": "50", "page": "2"},
        {"limit": "50", "page": "3"},
    ]


@pytest.mark.parametrize(
    "wrapped", [lambda items: items, *(lambda items, n=n: {n: items} for n in ("webhooks", "items"))]
)
def test_a_list_is_read_bare_or_wrapped(wrapped: Callable[[Any], Any]) -> None:
    items = [{"id": 5, "name": "n", "serverUrl": "https://x", "events": ["contact_created", 1]}, "junk"]
    (found,) = done(provider().webhooks.list(), [answer(200, body=orjson.dumps(wrapped(items)))])
    assert found == Registration(id="5", name="n", url="https://x", events=("contact_created",))


def listed(page: Response) -> Any:
    conversation = provider().webhooks.list()
    next(conversation)
    for _ in range(100):
        try:
            conversation.send(page)
        except StopIteration as end:
            return end.value
    return None


def test_a_server_that_repeats_its_page_is_no_endless_list() -> None:
    assert len(listed(answer(200, [{"id": str(number)} for number in range(50)]))) == 50


def test_the_url_of_a_registration_is_not_shown() -> None:
    assert "s3cret" not in repr(OURS)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (answer(401, {"error": "Invalid API key"}), NotSent),
        (answer(429, retry_after="3"), NotSent),
        (answer(400, {"message": "no"}), Rejected),
        (answer(500), OutcomeUnknown),
        (answer(200, body=b"ok"), OutcomeUnknown),
        (answer(200, {"name": "without id"}), OutcomeUnknown),
    ],
)
def test_what_is_no_registration_is_an_error(given: Response, error: type[Exception]) -> None:
    for conversation in (provider().webhooks.list(), provider().webhooks.register(OURS)):
        with pytest.raises(error):
            done(conversation, [given])
    if given.status != 200:
        with pytest.raises(error):
            done(provider().webhooks.delete("w"), [given])


@pytest.mark.parametrize("name", ["", ".", "..", " "])
def test_a_registration_without_a_name_is_not_asked_for(name: str) -> None:
    with pytest.raises(Rejected):
        next(provider().webhooks.delete(name))


def test_a_registrations_id_cannot_bend_the_path() -> None:
    assert next(provider().webhooks.delete("../a?b")).path == "/v1/webhooks/..%2Fa%3Fb"


def test_an_unknown_event_is_not_registered() -> None:
    with pytest.raises(Rejected, match="no_such"):
        next(provider().webhooks.register(Registration(name="n", url="https://x", events=("no_such",))))


KINDS = st.sampled_from([Image("https://x"), Text("hi"), Buttons("?", SIZES), Cards([Card("x")]), Raw({"a": 1})])


@settings(max_examples=50, deadline=None)
@given(
    channel=st.sampled_from([*wire.CHANNELS, "line", ""]),
    message=KINDS,
    conversation_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
)
def test_every_request_names_one_recipient_and_its_workspace(
    channel: str, message: Outgoing, conversation_id: str
) -> None:
    outbound: Outbound = to(channel, message, conversation_id)
    requests, outcome = exchange(provider().send(outbound, None), CASES.accepted)
    if not requests:
        assert isinstance(outcome, Rejected)
        return
    told = orjson.loads(requests[0].body or b"")
    assert len(told.keys() & {"contact", "recepient"}) == 1
    assert told["workspace"] == {"id": "ws_demo"}
