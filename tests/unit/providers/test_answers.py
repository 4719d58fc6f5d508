"""Reading a gateway's answer: when it wants to be asked again, and whether it is an object."""

from __future__ import annotations

import pytest

from bridge.providers.answers import json_object, retry_after
from bridge.providers.port import Response

NOW = "Fri, 10 Oct 2025 09:00:00 GMT"


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("5", 5.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("999999999", 999_999_999.0),
        ("Fri, 10 Oct 2025 09:01:30 GMT", 90.0),
        ("Fri, 10 Oct 2025 08:59:00 GMT", 0.0),
        ("Fri, 10 Oct 2025 09:01:30 -0000", None),
        ("Fri, 40 Oct 2025 09:01:30 GMT", None),
        ("", None),
        ("-1", None),
        ("+5", None),
        ("1e9", None),
        ("5 s", None),
        ("5x", None),
        ("9999999999", None),
        ("\u0665", None),
        ("nan", None),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_nothing_else(asked: str, seconds: float | None) -> None:
    assert retry_after(Response(status=429, headers={"retry-after": asked, "date": NOW})) == seconds


def test_without_the_answers_own_date_a_date_says_nothing() -> None:
    assert retry_after(Response(status=429, headers={"retry-after": "Fri, 10 Oct 2025 09:01:30 GMT"})) is None
    assert retry_after(Response(status=429)) is None


@pytest.mark.parametrize(
    ("body", "found"),
    [(b'{"a": 1}', {"a": 1}), (b"{}", {}), (b"[]", None), (b"null", None), (b"", None), (b"{", None), (b"\xff", None)],
)
def test_only_an_object_is_an_object(body: bytes, found: object) -> None:
    assert json_object(Response(status=200, body=body)) == found
