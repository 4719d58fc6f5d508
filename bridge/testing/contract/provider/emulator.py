"""Every provider beside its own emulator: each understands the other, and the emulator takes nothing else."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, get_args

import orjson
import pytest
from pydantic import SecretStr

from bridge.engine.ingest import arrivals_of
from bridge.errors import OutcomeUnknown, SendError
from bridge.events import Message, Postback, Status, StatusValue
from bridge.messages import Button, Text
from bridge.providers.port import Request, Sent, Webhook
from bridge.testing.contract.provider.cases import ACCOUNT, CREATED_AT, RECEIVED_AT, exchange, outbound
from bridge.testing.contract.provider.suite import Suite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.providers.port import Emulator, Hook, Inbound, Provider
    from bridge.testing.contract.provider.cases import ProviderCases, Spoken


def emulator_of(cases: ProviderCases) -> Emulator:
    return cases.emulator(lambda: CREATED_AT, Random(7))


def parsed(provider: Provider, hook: Hook) -> Inbound:
    """The one event that a webhook of an emulator holds."""
    (inbound,) = provider.parse(webhook_of(hook))
    return inbound


def webhook_of(hook: Hook) -> Webhook:
    json: dict[str, Any] = orjson.loads(hook.body)
    return Webhook(channel=hook.channel, body=hook.body, json=json, received_at=RECEIVED_AT)


def spoken_to(cases: ProviderCases, case: Spoken, emulator: Emulator, bend: Callable[[Request], Request]) -> object:
    provider = cases.build(case.settings)
    return exchange(provider.send(case.outbound, cases.credential), lambda request: emulator.handle(bend(request)))[1]


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


def another(value: Any) -> Any:
    """Another value of the same type; a list of channels stays."""
    return SecretStr("my-own") if isinstance(value, SecretStr) else "my-own" if isinstance(value, str) else value


def first_to(cases: ProviderCases, emulator: Emulator, settings: Mapping[str, Any]) -> object:
    """The outcome of the first spoken message, sent with these settings."""
    message = replace(cases.spoken[0].outbound, address={})
    return exchange(cases.build(settings).send(message, cases.credential), emulator.handle)[1]


class EmulatorContract(Suite):
    """One provider beside its own emulator: each understands the other."""

    def test_what_is_sent_is_taken_and_seen(self, spoken: Spoken) -> None:
        emulator = emulator_of(self.cases)
        outcome = spoken_to(self.cases, spoken, emulator, lambda request: request)
        assert isinstance(outcome, Sent), outcome
        assert len(emulator.seen) == 1
        assert len(emulator.requests) == len(spoken.calls)
        seen = emulator.seen[0]
        thread = spoken.outbound.thread
        assert (seen.channel, seen.conversation_id) == (thread.channel, thread.conversation_id)
        assert {name: getattr(seen, name) for name in spoken.seen} == dict(spoken.seen)

    @pytest.mark.parametrize("bend", BENDS.values(), ids=BENDS.keys())
    def test_the_emulator_is_strict(self, bend: Callable[[Request], Request]) -> None:
        emulator = emulator_of(self.cases)
        outcome = spoken_to(self.cases, self.cases.spoken[0], emulator, bend)
        assert isinstance(outcome, SendError), outcome
        assert not isinstance(outcome, OutcomeUnknown), "its refusal is one the provider documents"
        assert emulator.seen == []
        assert emulator.requests

    def test_the_emulator_survives_any_field_gone_or_retyped(self, spoken: Spoken) -> None:
        requests, _ = exchange(
            self.cases.build(spoken.settings).send(spoken.outbound, self.cases.credential),
            spoken.answers or self.cases.accepted,
        )
        for request in requests:
            body = orjson.loads(request.body or b"{}")
            for name in body:
                for instead in INSTEAD:
                    emulator = emulator_of(self.cases)
                    emulator.handle(replace(request, body=orjson.dumps({**body, name: instead})))
                    emulator.handle(replace(request, body=orjson.dumps({k: v for k, v in body.items() if k != name})))
                    assert len(emulator.requests) == 2

    def test_what_a_contact_says_arrives(self) -> None:
        provider, emulator = self.cases.build(), emulator_of(self.cases)
        inbound = parsed(provider, emulator.says(self.cases.channel, self.cases.contact, "order 7 ✓"))
        assert isinstance(inbound.event, Message)
        assert (inbound.event.kind, inbound.event.text) == ("text", "order 7 ✓")

    def test_what_a_contact_presses_arrives(self) -> None:
        event = parsed(
            self.cases.build(),
            emulator_of(self.cases).presses(self.cases.channel, self.cases.contact, Button("k-1", "Track it")),
        ).event
        assert type(event) is self.cases.presses
        if isinstance(event, Postback):
            assert (event.key, event.title) == ("k-1", "Track it")
        else:
            assert isinstance(event, Message)
            assert event.text == "Track it"

    def test_what_a_contact_sends_arrives(self) -> None:
        for kind in self.cases.media:
            hook = emulator_of(self.cases).sends(
                self.cases.channel, self.cases.contact, kind, "https://files.example/a", "look"
            )
            event = parsed(self.cases.build(), hook).event
            assert isinstance(event, Message)
            assert event.kind == kind
            assert event.media is not None
            assert event.media.url == "https://files.example/a"
            assert "look" in (event.media.caption, event.text)

    def test_where_a_contact_is_arrives(self) -> None:
        event = parsed(
            self.cases.build(), emulator_of(self.cases).locates(self.cases.channel, self.cases.contact, -6.2, 106.8)
        ).event
        assert isinstance(event, Message)
        assert event.kind == self.cases.locates
        if self.cases.locates == "location":
            assert event.location is not None
            assert (event.location.latitude, event.location.longitude) == (-6.2, 106.8)

    def test_the_fate_of_a_message_arrives(self) -> None:
        emulator = emulator_of(self.cases)
        assert isinstance(
            outcome := spoken_to(self.cases, self.cases.spoken[0], emulator, lambda request: request), Sent
        )
        for value in get_args(StatusValue):
            hook = emulator.status(emulator.seen[0], value)
            assert (hook is not None) == (value in self.cases.statuses), value
            if hook is not None:
                event = parsed(self.cases.build(), hook).event
                assert isinstance(event, Status)
                assert event.value == value
                assert event.message_id in {outcome.message_id, self.cases.spoken[0].outbound.key}

    def test_two_actions_of_one_contact_are_two_events_of_one_thread(self) -> None:
        provider, emulator = self.cases.build(), emulator_of(self.cases)
        once, again = (parsed(provider, emulator.says(self.cases.channel, self.cases.contact, "hi")) for _ in range(2))
        other = parsed(provider, emulator.says(self.cases.channel, "another", "hi"))
        assert once.key != again.key
        assert (once.channel, once.conversation_id) == (again.channel, again.conversation_id)
        assert once.conversation_id != other.conversation_id

    def test_the_same_ids_from_two_people_are_two_events(self) -> None:
        keys = set()
        for contact in (self.cases.contact, "another"):  # two emulators of one seed give the same ids
            hook = emulator_of(self.cases).says(self.cases.channel, contact, "hi")
            (arrival,) = arrivals_of(ACCOUNT, self.cases.build(), webhook_of(hook), lambda _: True)
            keys.add(arrival.key)
        assert len(keys) == 2

    def test_an_answer_reaches_the_one_who_asked(self) -> None:
        provider, emulator = self.cases.build(), emulator_of(self.cases)
        asked = parsed(provider, emulator.says(self.cases.channel, self.cases.contact, "hi"))
        assert asked.conversation_id is not None
        message = outbound(self.cases.ref(asked.conversation_id, asked.channel), Text("hello"), asked.address)
        _, outcome = exchange(provider.send(message, self.cases.credential), emulator.handle)
        assert isinstance(outcome, Sent), outcome
        assert [(seen.channel, seen.conversation_id, seen.text) for seen in emulator.seen] == [
            (asked.channel, asked.conversation_id, "hello")
        ]

    def test_an_emulator_is_repeatable(self) -> None:
        one, other = (emulator_of(self.cases).says(self.cases.channel, self.cases.contact, "hi") for _ in range(2))
        assert one == other

    def test_it_accepts_the_account_it_is_given_and_not_its_sample(self) -> None:
        sample = dict(emulator_of(self.cases).sample_settings)
        mine = {name: another(value) for name, value in sample.items()}
        emulator = self.cases.emulator(lambda: CREATED_AT, Random(1), mine)
        assert emulator.settings == mine
        assert isinstance(first_to(self.cases, emulator, mine), Sent)
        assert len(emulator.seen) == 1
        assert isinstance(first_to(self.cases, emulator, sample), SendError)
        assert len(emulator.seen) == 1

    def test_without_an_account_it_accepts_its_sample(self) -> None:
        emulator = self.cases.emulator(lambda: CREATED_AT, Random(1))
        assert emulator.sample_settings.items() <= emulator.settings.items()
        assert isinstance(first_to(self.cases, emulator, dict(emulator.sample_settings)), Sent)
