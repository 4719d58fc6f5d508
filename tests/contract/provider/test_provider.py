"""What every provider does with what it documents: the tables of its cases, line by line."""

from __future__ import annotations

import copy
import re
from random import Random
from typing import TYPE_CHECKING

import orjson
import pytest
from pydantic import SecretStr

from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError, Unmappable
from bridge.events import decode_event, encode_event
from bridge.messages import Text
from bridge.providers.port import SECRET_HEADERS, Credential, Sent
from tests.contract.provider.cases import BASE_URL, CREATED_AT, answer, exchange, outbound, webhook
from tests.contract.provider.roster import every, every_provider

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.providers.port import Outbound, Provider, Request, Response
    from tests.contract.provider.cases import (
        Answered,
        Authenticated,
        Call,
        Failure,
        ProviderCases,
        Quarantined,
        Received,
        Refused,
        Spoken,
    )

HOSTILE = (
    "../../x",
    "a/b",
    "a?b=c",
    "a#b",
    "a%2e%2e",
    "a b",
    "a\nb",
    "ü",
    "..",
    ".",
    "%00",
    "id:1/../2",
    "@evil",
    "\\",
)


def sent(cases: ProviderCases, case: Spoken) -> tuple[list[Request], Sent | SendError]:
    provider = cases.build(case.settings)
    return exchange(provider.send(case.outbound, cases.credential), case.answers or cases.accepted)


def secrets(cases: ProviderCases) -> list[str]:
    found = [value.get_secret_value() for value in cases.settings.values() if isinstance(value, SecretStr)]
    return [*found, *([cases.credential.token] if cases.credential else [])]


def assert_calls(requests: Sequence[Request], calls: Sequence[Call]) -> None:
    assert len(requests) == len(calls)
    for request, call in zip(requests, calls, strict=True):
        assert (request.method, request.path) == (call.method, call.path)
        assert dict(request.query) == dict(call.query)
        assert dict(request.headers) == dict(call.headers)
        body = orjson.loads(request.body) if request.body is not None else None
        assert body == call.json


def assert_outcome(found: object, expected: Sent | Credential | Failure) -> None:
    if isinstance(expected, Sent | Credential):
        assert found == expected
        return
    assert type(found) is expected.error, found
    assert isinstance(found, SendError)
    assert found.reason
    assert found.code == expected.code
    assert getattr(found, "retry_after", None) == expected.retry_after
    assert getattr(found, "unauthorised", False) is expected.unauthorised
    assert getattr(found, "pause", False) is expected.pause


@every(lambda cases: cases.received)
def test_a_webhook_becomes_its_events(cases: ProviderCases, case: Received) -> None:
    given = webhook(case.webhook, case.channel)
    found = list(cases.build(case.settings).parse(given))
    assert found == list(case.expected)
    for inbound in found:
        assert inbound.event.raw, "the webhook's own JSON goes with the event"


@every(lambda cases: cases.received)
def test_parsing_is_repeatable_and_its_events_can_be_stored(cases: ProviderCases, case: Received) -> None:
    given = webhook(case.webhook, case.channel)
    before = copy.deepcopy(given.json)
    once, again = (list(cases.build(case.settings).parse(given)) for _ in range(2))
    assert once == again
    assert given.json == before, "parsing changes nothing in the webhook"
    for inbound in once:
        assert decode_event(inbound.event.tag, encode_event(inbound.event)) == inbound.event


@every(lambda cases: cases.quarantined)
def test_what_is_not_documented_is_quarantined(cases: ProviderCases, case: Quarantined) -> None:
    with pytest.raises(Unmappable, match=re.escape(case.reason)):
        cases.build().parse(webhook(case.webhook, case.channel))


@every(lambda cases: cases.spoken)
def test_a_message_becomes_exactly_its_calls(cases: ProviderCases, case: Spoken) -> None:
    requests, outcome = sent(cases, case)
    assert_calls(requests, case.calls)
    assert isinstance(outcome, Sent)


@every(lambda cases: cases.spoken)
def test_a_retry_is_the_same_request_to_the_byte(cases: ProviderCases, case: Spoken) -> None:
    assert sent(cases, case) == sent(cases, case)


@every(lambda cases: cases.spoken)
def test_what_is_sent_is_within_the_capabilities(cases: ProviderCases, case: Spoken) -> None:
    message = case.outbound.message
    assert message.kind in cases.build(case.settings).capabilities(case.outbound.thread.channel).kinds | {"raw"}


@every_provider
def test_every_kind_a_channel_can_carry_has_a_case(cases: ProviderCases) -> None:
    provider = cases.build()
    channels = {case.outbound.thread.channel for case in cases.spoken}
    claimed = {kind for channel in channels for kind in provider.capabilities(channel).kinds}
    assert claimed <= {case.outbound.message.kind for case in cases.spoken}


@every(lambda cases: cases.answered)
def test_an_answer_has_its_outcome(cases: ProviderCases, case: Answered) -> None:
    message = case.outbound or cases.spoken[0].outbound
    _, outcome = exchange(cases.build().send(message, cases.credential), case.answers)
    assert_outcome(outcome, case.outcome)


@every(lambda cases: cases.refused)
def test_what_cannot_be_sent_is_rejected_before_any_request(cases: ProviderCases, case: Refused) -> None:
    requests, outcome = exchange(cases.build().send(case.outbound, cases.credential), cases.accepted)
    assert requests == []
    assert isinstance(outcome, Rejected)
    assert case.reason in outcome.reason


@every(lambda cases: cases.authenticated)
def test_a_credential_is_obtained_as_documented(cases: ProviderCases, case: Authenticated) -> None:
    conversation = cases.build(case.settings).authenticate(case.now)
    assert conversation is not None
    requests, outcome = exchange(conversation, case.answers)
    assert_calls(requests, case.calls)
    assert_outcome(outcome, case.outcome)


@every_provider
def test_a_fixed_credential_needs_no_exchange(cases: ProviderCases) -> None:
    assert cases.authenticated or cases.build().authenticate(CREATED_AT) is None


@every_provider
def test_answers_nobody_documents_are_never_taken_for_success(cases: ProviderCases) -> None:
    message = cases.spoken[0].outbound
    undocumented = [(status, body) for status in (200, 201, 204) for body in (b"", b"<html>ok</html>", b"[]", b"null")]
    for status, body in undocumented:
        outcome = answered(cases.build(), message, cases.credential, [answer(status, body=body)])
        assert isinstance(outcome, OutcomeUnknown), (status, body)
    for status in (500, 502, 503, 504):
        outcome = answered(cases.build(), message, cases.credential, [answer(status, body=b"<html>broken</html>")])
        assert isinstance(outcome, OutcomeUnknown | NotSent), status
    for status in (301, 302, 307, 308):
        outcome = answered(cases.build(), message, cases.credential, [answer(status, location="https://evil/")])
        assert isinstance(outcome, SendError), status


def answered(
    provider: Provider, message: Outbound, credential: Credential | None, answers: Sequence[Response]
) -> object:
    return exchange(provider.send(message, credential), answers)[1]


@every_provider
def test_no_credential_is_ever_shown(cases: ProviderCases) -> None:
    provider = cases.build()
    shown = [repr(provider), str(provider), repr(cases.credential)]
    for case in cases.answered:
        message = case.outbound or cases.spoken[0].outbound
        error = answered(provider, message, cases.credential, case.answers)
        shown += [repr(error), str(error)]
    for refused in cases.refused:
        error = answered(provider, refused.outbound, cases.credential, cases.accepted)
        shown += [repr(error), str(error)]
    assert_absent(secrets(cases), shown)


@every(lambda cases: cases.spoken)
def test_credentials_travel_only_in_secret_headers(cases: ProviderCases, case: Spoken) -> None:
    requests, _ = sent(cases, case)
    secret_headers = cases.build().secret_headers | SECRET_HEADERS
    assert all(name == name.lower() for name in secret_headers)
    for request in requests:
        open_headers = [value for name, value in request.headers.items() if name.lower() not in secret_headers]
        assert_absent(secrets(cases), [request.path, repr(request.query), repr(request.body), *open_headers])


@every_provider
def test_a_conversation_id_cannot_bend_the_path(cases: ProviderCases) -> None:
    provider = cases.build()
    for hostile in HOSTILE:
        message = outbound(cases.ref(hostile), Text("hi"))
        requests, _ = exchange(provider.send(message, cases.credential), cases.accepted)
        for request in requests:
            assert re.fullmatch(r"(/[A-Za-z0-9._~%:@+!$&'()*,;=-]+)+", request.path), request.path
            assert not {".", ".."} & set(request.path.split("/")), request.path


@every_provider
def test_two_messages_in_flight_do_not_touch_each_other(cases: ProviderCases) -> None:
    ends = (cases.spoken[0].outbound, cases.spoken[-1].outbound)
    provider = cases.build()
    in_flight = [provider.send(message, cases.credential) for message in ends]
    assert [next(each) for each in in_flight] == [next(cases.build().send(each, cases.credential)) for each in ends]


@every_provider
def test_a_provider_says_who_it_is(cases: ProviderCases) -> None:
    provider = cases.build()
    assert provider.name == cases.provider.name == cases.emulator(lambda: CREATED_AT, Random(1)).name
    assert provider.base_url == BASE_URL
    assert provider.auth
    assert "none" not in provider.auth


def assert_absent(hidden: Iterable[str], shown: Iterable[str]) -> None:
    text = "\n".join(shown)
    assert not [each for each in hidden if each in text]
