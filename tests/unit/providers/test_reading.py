"""Reading what gateways write: times, ids, and what an HTTP status means where nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.providers.port import Response
from bridge.providers.reading import happened_at, identifier, part, text
from bridge.providers.refusals import by_status
from bridge.testing.contract.provider import RECEIVED_AT
from bridge.units import moment

NOON = datetime(2025, 10, 10, 5, 0, tzinfo=UTC)
RECEIVED = moment(RECEIVED_AT)


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ("2025-10-10T05:00:00Z", NOON),
        ("2025-10-10T12:00:00+07:00", NOON),
        ("2025-10-10T05:00:00", NOON),
        (1_760_072_400, NOON),
        (1_760_072_400.0, NOON),
        (1_760_072_400_000, NOON),
        ("0001-01-01T00:00:00+14:00", RECEIVED),
        ("9999-12-31T23:59:59-14:00", RECEIVED),
        ("1999-12-31T23:59:59Z", RECEIVED),
        ("2025-10-12T05:00:00Z", RECEIVED),
        ("soon", RECEIVED),
        (0, RECEIVED),
        (-1, RECEIVED),
        (True, RECEIVED),
        (1e300, RECEIVED),
        (2**63, RECEIVED),
        (None, RECEIVED),
        ([], RECEIVED),
    ],
)
def test_a_time_is_read_or_is_the_arrivals(told: object, at: datetime) -> None:
    assert happened_at(RECEIVED_AT, told) == at
    assert happened_at(RECEIVED_AT, told).tzinfo is UTC


def test_the_first_sensible_time_counts() -> None:
    assert happened_at(RECEIVED_AT, "", 0, "2025-10-10T05:00:00Z", 1_700_000_000) == NOON


@pytest.mark.parametrize(
    ("told", "found"),
    [("a", "a"), ("", ""), ("  ", ""), (5, "5"), (-5, "-5"), (True, ""), (1.5, ""), (None, ""), ([], ""), ({}, "")],
)
def test_an_id_is_a_text_or_a_whole_number(told: object, found: str) -> None:
    assert identifier({"id": told}, "id") == found


@settings(max_examples=50, deadline=None)
@given(st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.lists(st.integers()), st.just({"a": 1})))
def test_nothing_breaks_the_reading(told: Any) -> None:
    values = {"x": told}
    assert text(values, "x") == (told if isinstance(told, str) else "")
    assert part(values, "x") == (told if isinstance(told, dict) else {})
    assert happened_at(RECEIVED_AT, told).tzinfo is UTC
    assert text({}, "x") == identifier({}, "x") == ""


@pytest.mark.parametrize(
    ("status", "headers", "error", "pause", "wait"),
    [
        (401, {}, NotSent, True, None),
        (403, {"retry-after": "9"}, NotSent, True, None),
        (408, {}, NotSent, False, None),
        (425, {}, NotSent, False, None),
        (429, {"retry-after": "9"}, NotSent, False, 9),
        (503, {"retry-after": "9"}, NotSent, False, 9),
        (503, {}, OutcomeUnknown, False, None),
        (500, {}, OutcomeUnknown, False, None),
        (200, {}, OutcomeUnknown, False, None),
        (302, {}, Rejected, False, None),
        (400, {}, Rejected, False, None),
        (404, {}, Rejected, False, None),
        (422, {}, Rejected, False, None),
    ],
)
def test_a_status_has_its_meaning(
    status: int,
    headers: dict[str, str],
    error: type[Exception],
    pause: bool,  # noqa: FBT001 - a column of the table
    wait: float | None,
) -> None:
    found = by_status(Response(status=status, headers=headers), "because", check="the key")
    assert type(found) is error
    assert found.code == str(status)
    assert "because" in found.reason
    assert getattr(found, "pause", False) is pause
    assert getattr(found, "retry_after", None) == wait
    assert ("check the key" in found.reason) is pause


def test_a_long_explanation_is_cut() -> None:
    assert len(by_status(Response(status=400), "x" * 5000, check="").reason) < 400
