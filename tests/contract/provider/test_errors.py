"""Every documented error, reached through its gateway's emulator, becomes the outcome that is right for it."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest

from bridge.errors import NotSent, SendError
from bridge.log import outcome_of
from bridge.testing.contract.provider import CREATED_AT, exchange
from tests.contract.provider.documented_errors import DOCUMENTED, Documented
from tests.contract.provider.roster import PROVIDERS, every

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.providers.port import Response
    from bridge.testing.contract.provider import Answered, ProviderCases

CODE: Final = re.compile(r"-?\d+")


@pytest.mark.parametrize("error", DOCUMENTED, ids=lambda error: error.name)
def test_a_documented_error_has_its_outcome(error: Documented, record_property: Callable[[str, object], None]) -> None:
    cases = PROVIDERS[error.provider]
    emulator = cases.emulator(lambda: CREATED_AT, Random(7))
    answers: list[Response] = []

    def answer(request: object) -> Response:
        answers.append(error.reach(emulator, request))  # type: ignore[arg-type] # exchange hands on what was yielded
        return answers[-1]

    _, outcome = exchange(cases.build().send(cases.spoken[0].outbound, cases.credential), answer)
    (answered,) = answers
    assert answered.status == error.status
    assert error.answer in answered.body.decode()
    assert answered == emulator.requests[-1][1]
    assert isinstance(outcome, SendError)
    assert type(outcome) is error.outcome
    assert error.pause == (isinstance(outcome, NotSent) and outcome.pause)
    if error.at_least is not None:
        assert (getattr(outcome, "retry_after", None) or 0) >= error.at_least
    if error.provider == "ginalne":
        assert error.answer in outcome.reason, "the page's own words reach the person who reads the dead letter"
    record_property("documented error", (error.provider, f"{error.status} {error.answer}", in_words(outcome)))


SECRET: Final = ("+6281234500099", "Dewi", "parcel")
"""What a gateway may repeat of a message: a contact, a name, a text."""


def planted(response: Response) -> Response:
    """The same answer from a gateway that repeats in every text what it was given."""
    said = f" {' '.join(SECRET)}"

    def plant(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plant(each) for name, each in value.items()}
        if isinstance(value, list):
            return [plant(each) for each in value]
        return value + said if isinstance(value, str) and not CODE.fullmatch(value) else value

    try:
        body = orjson.dumps(plant(orjson.loads(response.body)))
    except orjson.JSONDecodeError:
        body = response.body + said.encode()
    return replace(response, body=body)


def test_what_a_gateway_says_of_a_contact_is_kept_with_the_message_and_never_logged() -> None:
    keeps = set()
    for error in DOCUMENTED:
        cases = PROVIDERS[error.provider]
        emulator = cases.emulator(lambda: CREATED_AT, Random(7))
        flow = cases.build().send(cases.spoken[0].outbound, cases.credential)
        _, outcome = exchange(flow, lambda request, e=error, at=emulator: planted(e.reach(at, request)))  # type: ignore[misc] # bound now
        assert type(outcome) is error.outcome
        assert not [word for word in SECRET if word in outcome_of(outcome)], error.name
        if SECRET[0] in outcome.reason:
            keeps.add(error.provider)
    assert keeps == {"aelyst", "ginalne", "konnek", "whautochat"}, "the plant does not grow"


@every(lambda cases: cases.answered)
def test_of_no_answer_a_word_is_logged(cases: ProviderCases, case: Answered) -> None:
    flow = cases.build().send(case.outbound or cases.spoken[0].outbound, cases.credential)
    _, outcome = exchange(flow, [planted(each) for each in case.answers])
    if isinstance(outcome, SendError):
        assert not [word for word in SECRET if word in outcome_of(outcome)]


def in_words(outcome: SendError) -> str:
    """An outcome as the table shows it."""
    what = {"Rejected": "rejected", "NotSent": "not sent", "OutcomeUnknown": "unknown"}[type(outcome).__name__]
    wait = getattr(outcome, "retry_after", None)
    more = [f"not before {wait:g} s"] if wait else []
    if isinstance(outcome, NotSent) and outcome.unauthorised:
        more.append("new token first")
    if isinstance(outcome, NotSent) and outcome.pause:
        more.append("pauses the account")
    return ", ".join([what, *more])


def test_every_provider_has_its_documented_errors() -> None:
    assert {error.provider for error in DOCUMENTED} == set(PROVIDERS)
    assert len({error.name for error in DOCUMENTED}) == len(DOCUMENTED)
