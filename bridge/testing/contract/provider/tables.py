"""Every provider does what its gateway documents: the tables of its cases, line by line."""

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
from bridge.testing.contract.provider.cases import (
    BASE_URL,
    CREATED_AT,
    answer,
    exchange,
    outbound,
    webhook,
)
from bridge.testing.contract.provider.suite import Suite

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.providers.port import Outbound, Provider, Request, Response
    from bridge.testing.contract.provider.cases import (
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
    assert (found.retry_after if isinstance(found, NotSent | OutcomeUnknown) else None) == expected.retry_after
    assert (isinstance(found, NotSent) and found.unauthorised) is expected.unauthorised
    assert (isinstance(found, NotSent) and found.pause) is expected.pause


def outcome_of(
    provider: Provider, message: Outbound, credential: Credential | None, answers: Sequence[Response]
) -> object:
    return exchange(provider.send(message, credential), answers)[1]


def assert_absent(hidden: Iterable[str], shown: Iterable[str]) -> None:
    text = "\n".join(shown)
    assert not [secret for secret in hidden if secret in text]


class ProviderContract(Suite):
    """One provider does what its gateway documents."""

    def test_a_webhook_becomes_its_events(self, received: Received) -> None:
        given = webhook(received.webhook, received.channel)
        found = list(self.cases.build(received.settings).parse(given))
        assert found == list(received.expected)
        for inbound in found:
            assert inbound.event.raw, "the webhook's own JSON goes with the event"

    def test_parsing_is_repeatable_and_its_events_can_be_stored(self, received: Received) -> None:
        given = webhook(received.webhook, received.channel)
        before = copy.deepcopy(given.json)
        once, again = (list(self.cases.build(received.settings).parse(given)) for _ in range(2))
        assert once == again
        assert given.json == before, "parsing changes nothing in the webhook"
        for inbound in once:
            assert decode_event(inbound.event.tag, encode_event(inbound.event)) == inbound.event

    def test_what_is_not_documented_is_quarantined(self, quarantined: Quarantined) -> None:
        with pytest.raises(Unmappable, match=re.escape(quarantined.reason)):
            self.cases.build().parse(webhook(quarantined.webhook, quarantined.channel))

    def test_a_message_becomes_exactly_its_calls(self, spoken: Spoken) -> None:
        requests, outcome = sent(self.cases, spoken)
        assert_calls(requests, spoken.calls)
        assert isinstance(outcome, Sent)

    def test_a_retry_is_the_same_request_to_the_byte(self, spoken: Spoken) -> None:
        assert sent(self.cases, spoken) == sent(self.cases, spoken)

    def test_what_is_sent_is_within_the_capabilities(self, spoken: Spoken) -> None:
        message = spoken.outbound.message
        assert message.kind in self.cases.build(spoken.settings).capabilities(spoken.outbound.thread.channel).kinds | {
            "raw"
        }

    def test_every_kind_a_channel_can_carry_has_a_case(self) -> None:
        provider = self.cases.build()
        channels = {case.outbound.thread.channel for case in self.cases.spoken}
        claimed = {kind for channel in channels for kind in provider.capabilities(channel).kinds}
        assert claimed <= {case.outbound.message.kind for case in self.cases.spoken}

    def test_an_answer_has_its_outcome(self, answered: Answered) -> None:
        message = answered.outbound or self.cases.spoken[0].outbound
        _, outcome = exchange(self.cases.build().send(message, self.cases.credential), answered.answers)
        assert_outcome(outcome, answered.outcome)

    def test_what_cannot_be_sent_is_rejected_before_any_request(self, refused: Refused) -> None:
        requests, outcome = exchange(
            self.cases.build().send(refused.outbound, self.cases.credential), self.cases.accepted
        )
        assert requests == []
        assert isinstance(outcome, Rejected)
        assert refused.reason in outcome.reason

    def test_a_credential_is_obtained_as_documented(self, authenticated: Authenticated) -> None:
        conversation = self.cases.build(authenticated.settings).authenticate(authenticated.now)
        assert conversation is not None
        requests, outcome = exchange(conversation, authenticated.answers)
        assert_calls(requests, authenticated.calls)
        assert_outcome(outcome, authenticated.outcome)

    def test_a_fixed_credential_needs_no_exchange(self) -> None:
        assert self.cases.authenticated or self.cases.build().authenticate(CREATED_AT) is None

    def test_answers_nobody_documents_are_never_taken_for_success(self) -> None:
        message = self.cases.spoken[0].outbound
        undocumented = [
            (status, body) for status in (200, 201, 204) for body in (b"", b"<html>ok</html>", b"[]", b"null")
        ]
        for status, body in undocumented:
            outcome = outcome_of(self.cases.build(), message, self.cases.credential, [answer(status, body=body)])
            assert isinstance(outcome, OutcomeUnknown), (status, body)
        for status in (500, 502, 503, 504):
            outcome = outcome_of(
                self.cases.build(), message, self.cases.credential, [answer(status, body=b"<html>broken</html>")]
            )
            assert isinstance(outcome, OutcomeUnknown | NotSent), status
        for status in (301, 302, 307, 308):
            outcome = outcome_of(
                self.cases.build(), message, self.cases.credential, [answer(status, location="https://evil/")]
            )
            assert isinstance(outcome, SendError), status

    def test_no_credential_is_ever_shown(self) -> None:
        provider = self.cases.build()
        shown = [repr(provider), str(provider), repr(self.cases.credential)]
        for case in self.cases.answered:
            message = case.outbound or self.cases.spoken[0].outbound
            error = outcome_of(provider, message, self.cases.credential, case.answers)
            shown += [repr(error), str(error)]
        for refused in self.cases.refused:
            error = outcome_of(provider, refused.outbound, self.cases.credential, self.cases.accepted)
            shown += [repr(error), str(error)]
        assert_absent(secrets(self.cases), shown)

    def test_credentials_travel_only_in_secret_headers(self, spoken: Spoken) -> None:
        requests, _ = sent(self.cases, spoken)
        secret_headers = self.cases.build().secret_headers | SECRET_HEADERS
        assert all(name == name.lower() for name in secret_headers)
        for request in requests:
            open_headers = [value for name, value in request.headers.items() if name.lower() not in secret_headers]
            assert_absent(secrets(self.cases), [request.path, repr(request.query), repr(request.body), *open_headers])

    def test_a_conversation_id_cannot_bend_the_path(self) -> None:
        provider = self.cases.build()
        for hostile in HOSTILE:
            message = outbound(self.cases.ref(hostile), Text("hi"))
            requests, _ = exchange(provider.send(message, self.cases.credential), self.cases.accepted)
            for request in requests:
                assert re.fullmatch(r"(/[A-Za-z0-9._~%:@+!$&'()*,;=-]+)+", request.path), request.path
                assert not {".", ".."} & set(request.path.split("/")), request.path

    def test_two_messages_in_flight_do_not_touch_each_other(self) -> None:
        ends = (self.cases.spoken[0].outbound, self.cases.spoken[-1].outbound)
        provider = self.cases.build()
        in_flight = [provider.send(message, self.cases.credential) for message in ends]
        assert [next(sending) for sending in in_flight] == [
            next(self.cases.build().send(message, self.cases.credential)) for message in ends
        ]

    def test_a_provider_says_who_it_is(self) -> None:
        provider = self.cases.build()
        assert provider.name == self.cases.provider.name == self.cases.emulator(lambda: CREATED_AT, Random(1)).name
        assert provider.base_url == BASE_URL
        assert provider.auth
        assert "none" not in provider.auth
