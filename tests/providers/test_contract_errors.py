"""Every documented error, reached through its gateway's emulator, becomes the outcome that is right for it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from bridge.errors import NotSent, SendError
from tests.providers.cases import CREATED_AT, exchange
from tests.providers.errors import DOCUMENTED, Documented
from tests.providers.roster import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.providers.port import Response


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
