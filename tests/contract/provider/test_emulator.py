"""Every provider beside its own emulator: what one says the other understands, and nothing else passes."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, get_args

import orjson
import pytest

from bridge.errors import OutcomeUnknown, SendError
from bridge.events import Message, Postback, Status, StatusValue
from bridge.messages import Button, Text
from bridge.providers.port import Request, Sent, Webhook
from tests.contract.provider.cases import CREATED_AT, RECEIVED_AT, exchange, outbound
from tests.contract.provider.roster import every, every_provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.providers.port import Emulator, Hook, Inbound, Provider
    from tests.contract.provider.cases import ProviderCases, Spoken


def emulator_of(cases: ProviderCases) -> Emulator:
    return cases.emulator(lambda: CREATED_AT, Random(7))


def parsed(provider: Provider, hook: Hook) -> Inbound:
    """The one event that a webhook of an emulator holds."""
    json: dict[str, Any] = orjson.loads(hook.body)
    given = Webhook(channel=hook.channel, body=hook.body, json=json, received_at=RECEIVED_AT)
    (inbound,) = provider.parse(given)
    return inbound


def spoken_to(cases: ProviderCases, case: Spoken, emulator: Emulator, bend: Callable[[Request], Request]) -> object:
    provider = cases.build(case.settings)
    return exchange(provider.send(case.outbound, cases.credential), lambda request: emulator.handle(bend(request)))[1]


@every(lambda cases: cases.spoken)
def test_what_is_sent_is_taken_and_seen(cases: ProviderCases, case: Spoken) -> None:
    emulator = emulator_of(cases)
    outcome = spoken_to(cases, case, emulator, lambda request: request)
    assert isinstance(outcome, Sent), outcome
    assert len(emulator.seen) == 1
    assert len(emulator.requests) == len(case.calls)
    seen = emulator.seen[0]
    thread = case.outbound.thread
    assert (seen.channel, seen.conversation_id) == (thread.channel, thread.conversation_id)
    assert {name: getattr(seen, name) for name in case.seen} == dict(case.seen)


INSTEAD: tuple[Any, ...] = (None, 1, "x", [], {}, [None], [{}])
BENDS: dict[str, Callable[[Request], Request]] = {
    "no headers": lambda request: replace(request, headers={}),
    "wrong credentials": lambda request: replace(
        request,
        headers={name: "wrong" if "type" not in name.lower() else value for name, value in request.headers.items()},
    ),
    "another path": lambda request: replace(request, path="/nowhere"),
    "another method": lambda request: replace(request, method="PATCH"),
    "no body": lambda request: replace(request, body=None),
    "no JSON": lambda request: replace(request, body=b"\xff{"),
    "no object": lambda request: replace(request, body=b"[]"),
    "an empty object": lambda request: replace(request, body=b"{}"),
    "an unknown field": lambda request: replace(
        request, body=orjson.dumps({**orjson.loads(request.body or b"{}"), "no_such_field": 1})
    ),
}


@every_provider
@pytest.mark.parametrize("bend", BENDS.values(), ids=BENDS.keys())
def test_the_emulator_is_strict(cases: ProviderCases, bend: Callable[[Request], Request]) -> None:
    emulator = emulator_of(cases)
    outcome = spoken_to(cases, cases.spoken[0], emulator, bend)
    assert isinstance(outcome, SendError), outcome
    assert not isinstance(outcome, OutcomeUnknown), "its refusal is one the provider documents"
    assert emulator.seen == []
    assert emulator.requests


@every(lambda cases: cases.spoken)
def test_the_emulator_survives_any_field_gone_or_retyped(cases: ProviderCases, case: Spoken) -> None:
    requests, _ = exchange(
        cases.build(case.settings).send(case.outbound, cases.credential), case.answers or cases.accepted
    )
    for request in requests:
        body = orjson.loads(request.body or b"{}")
        for name in body:
            for instead in INSTEAD:
                emulator = emulator_of(cases)
                emulator.handle(replace(request, body=orjson.dumps({**body, name: instead})))
                emulator.handle(replace(request, body=orjson.dumps({k: v for k, v in body.items() if k != name})))
                assert len(emulator.requests) == 2


@every_provider
def test_what_a_contact_says_arrives(cases: ProviderCases) -> None:
    provider, emulator = cases.build(), emulator_of(cases)
    inbound = parsed(provider, emulator.says(cases.channel, cases.contact, "order 7 ✓"))
    assert isinstance(inbound.event, Message)
    assert (inbound.event.kind, inbound.event.text) == ("text", "order 7 ✓")


@every_provider
def test_what_a_contact_presses_arrives(cases: ProviderCases) -> None:
    event = parsed(
        cases.build(), emulator_of(cases).presses(cases.channel, cases.contact, Button("k-1", "Track it"))
    ).event
    assert type(event) is cases.presses
    if isinstance(event, Postback):
        assert (event.key, event.title) == ("k-1", "Track it")
    else:
        assert isinstance(event, Message)
        assert event.text == "Track it"


@every_provider
def test_what_a_contact_sends_arrives(cases: ProviderCases) -> None:
    for kind in cases.media:
        hook = emulator_of(cases).sends(cases.channel, cases.contact, kind, "https://files.example/a", "look")
        event = parsed(cases.build(), hook).event
        assert isinstance(event, Message)
        assert event.kind == kind
        assert event.media is not None
        assert event.media.url == "https://files.example/a"
        assert "look" in (event.media.caption, event.text)


@every_provider
def test_where_a_contact_is_arrives(cases: ProviderCases) -> None:
    event = parsed(cases.build(), emulator_of(cases).locates(cases.channel, cases.contact, -6.2, 106.8)).event
    assert isinstance(event, Message)
    assert event.kind == cases.locates
    if cases.locates == "location":
        assert event.location is not None
        assert (event.location.latitude, event.location.longitude) == (-6.2, 106.8)


@every_provider
def test_the_fate_of_a_message_arrives(cases: ProviderCases) -> None:
    emulator = emulator_of(cases)
    assert isinstance(outcome := spoken_to(cases, cases.spoken[0], emulator, lambda request: request), Sent)
    for value in get_args(StatusValue):
        hook = emulator.status(emulator.seen[0], value)
        assert (hook is not None) == (value in cases.statuses), value
        if hook is not None:
            event = parsed(cases.build(), hook).event
            assert isinstance(event, Status)
            assert event.value == value
            assert event.message_id in {outcome.message_id, cases.spoken[0].outbound.key}


@every_provider
def test_two_doings_of_one_contact_are_two_events_of_one_thread(cases: ProviderCases) -> None:
    provider, emulator = cases.build(), emulator_of(cases)
    once, again = (parsed(provider, emulator.says(cases.channel, cases.contact, "hi")) for _ in range(2))
    other = parsed(provider, emulator.says(cases.channel, "another", "hi"))
    assert once.key != again.key
    assert (once.channel, once.conversation_id) == (again.channel, again.conversation_id)
    assert once.conversation_id != other.conversation_id


@every_provider
def test_an_answer_reaches_the_one_who_asked(cases: ProviderCases) -> None:
    provider, emulator = cases.build(), emulator_of(cases)
    asked = parsed(provider, emulator.says(cases.channel, cases.contact, "hi"))
    assert asked.conversation_id is not None
    message = outbound(cases.ref(asked.conversation_id, asked.channel), Text("hello"), asked.address)
    _, outcome = exchange(provider.send(message, cases.credential), emulator.handle)
    assert isinstance(outcome, Sent), outcome
    assert [(seen.channel, seen.conversation_id, seen.text) for seen in emulator.seen] == [
        (asked.channel, asked.conversation_id, "hello")
    ]


@every_provider
def test_an_emulator_is_repeatable(cases: ProviderCases) -> None:
    one, other = (emulator_of(cases).says(cases.channel, cases.contact, "hi") for _ in range(2))
    assert one == other
