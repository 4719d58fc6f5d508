"""What a broadcast says: columns in their places, the closest message for a channel, and mistakes in words."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.engine.broadcasts.wording import Wording
from bridge.messages import Buttons, Template, Text

HELLO = {"kind": "text", "text": "Hello {name}"}


def test_columns_are_filled_in_wherever_a_text_stands() -> None:
    buttons = [{"key": "yes:{no}", "title": "{name}"}]
    wording = Wording.read({"kind": "buttons", "text": "{{{name}}}", "buttons": buttons})
    message = wording.message("konnek", "whatsapp", {"name": "Ann", "no": "7"})
    assert isinstance(message, Buttons)
    assert (message.text, message.buttons[0].key, message.buttons[0].title) == ("{Ann}", "yes:7", "Ann")


@pytest.mark.parametrize(
    ("provider", "channel", "text"),
    [("konnek", "whatsapp", "whatsapp"), ("konnek", "telegram", "konnek"), ("aelyst", "whatsapp", "default")],
)
def test_the_closest_message_is_taken(provider: str, channel: str, text: str) -> None:
    named = {"default": "default", "konnek": "konnek", "konnek:whatsapp": "whatsapp"}
    wording = Wording.read({place: {"kind": "text", "text": words} for place, words in named.items()})
    assert wording.message(provider, channel, {}) == Text(text)


def test_a_template_takes_columns_as_params() -> None:
    wording = Wording.read(
        {"konnek": {"kind": "template", "name": "sale", "language": "en", "params": {"1": "{name}"}}}
    )
    message = wording.message("konnek", "whatsapp", {"name": "Ann"})
    assert isinstance(message, Template)
    assert message.params == {"1": "Ann"}
    with pytest.raises(ValueError, match="no message is for aelyst:whatsapp"):
        wording.message("aelyst", "whatsapp", {"name": "Ann"})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("Hello", "want a message"),
        ({}, "want a message"),
        ({"kind": "text", "text": "Hello {"}, "stands alone"),
        ({"kind": "text", "text": "Hello {first name}"}, "no name of a value"),
        ({"kind": "nothing"}, "kind: one of"),
        ({"konek": HELLO}, "konek: want one of default, "),
        ({"konnek": "Hello"}, "konnek: not a JSON object"),
        ({"kind": "image", "path": "/etc/passwd"}, "path: unknown key"),
        ({"kind": "text", "text": "a\0b"}, "NUL"),
    ],
)
def test_a_mistake_is_told_before_anything_is_stored(content: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Wording.read(content)


@pytest.mark.parametrize(("columns", "reason"), [({}, "there are no columns"), ({"name": " "}, "is blank")])
def test_a_column_that_is_missing_or_blank_is_a_mistake(columns: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Wording.read(HELLO).message("konnek", "whatsapp", columns)
