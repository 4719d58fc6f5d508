"""Messages as JSON, as people write them in files: read, or refused with where and why."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import pytest

from bridge import messages
from bridge.messages import Button, Buttons, Image, Text, decode_message, encode_message, is_plain_text

AT: Final = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", sorted({field.name for field in fields(Text)} - {"text"}))
def test_a_text_with_anything_beside_its_words_is_not_plain(name: str) -> None:
    more: dict[str, Any] = {"format": "markdown", "at": AT, "expires": AT}
    assert is_plain_text(Text("a"))
    assert not is_plain_text(replace(Text("a"), **{name: more.get(name, ["x"])}))


def test_a_message_comes_back_from_its_json() -> None:
    said = Buttons("Which?", [Button("a", "A")], header=Image("https://x/1.png"), fallback=(Text("Which? A"),))
    read = decode_message(encode_message(said))
    assert isinstance(read, Buttons)
    assert encode_message(read) == encode_message(said)


@pytest.mark.parametrize(
    "beside",
    [
        *(
            {},
            {"reply_to": "m-1"},
            {"tag": "HUMAN_AGENT"},
            {"at": datetime(2026, 1, 1, tzinfo=UTC)},
            {"format": "markdown"},
        ),
        *({"at": datetime(2026, 1, 1, tzinfo=UTC)}, {"expires": timedelta(0)}, {"fallback": (Text("b"),)}),
    ],
)
def test_a_text_keeps_what_it_has_beside_its_words(beside: dict[str, Any]) -> None:
    said = Text("a", **beside)
    assert decode_message(encode_message(said)) == said


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([1], "not a JSON object"),
        ({}, "kind: one of audio, "),
        ({"kind": ["text"]}, "kind: one of audio, "),
        ({"kind": "text"}, "text: "),
        ({"kind": "text", "text": ""}, "text: Text needs a text"),
        ({"kind": "text", "text": "a", "bold": True}, "bold: "),
        ({"kind": "text", "text": "a", "fallback": 5}, "fallback: want a list of messages"),
        ({"kind": "text", "text": "a", "fallback": None}, "fallback: want a list of messages"),
        ({"kind": "text", "text": "a", "fallback": [{"kind": "text"}]}, "text: "),
        ({"kind": "text", "text": "a", "expires": 1e300}, "expires: 1e+300 is no number of seconds"),
        ({"kind": "text", "text": "a", "expires": False}, "expires: want a time, or seconds from now"),
        ({"kind": "text", "text": "a", "at": "2026-01-01T00:00:00"}, "at= needs a time zone"),
        ({"kind": "buttons", "text": "a", "buttons": 5}, "buttons: "),
    ],
)
def test_what_is_no_message_is_refused_with_where_and_why(values: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        decode_message(orjson.dumps(values))
    assert reason in str(caught.value)


def test_a_message_is_read_where_a_test_has_frozen_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """As freezegun does, and with the first message of its kind."""

    class Frozen(datetime):
        """Pydantic knows no such class."""

    monkeypatch.setattr(messages, "datetime", Frozen)
    messages._adapter.cache_clear()
    read = decode_message({"kind": "text", "text": "hi", "at": "2026-01-01T00:00:00+00:00"})
    assert read.at == datetime(2026, 1, 1, tzinfo=UTC)
