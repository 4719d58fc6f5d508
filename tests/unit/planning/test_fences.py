"""A code block that a split parts is whole in each message."""

from __future__ import annotations

import re
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.planning.split import Size, split_text
from bridge.units import utf16_length

FENCE: Final = re.compile(r"^ {0,3}(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)


def opened(text: str) -> str:
    """The fence that is open at the end of a message; "" when each is closed."""
    open_fence = ""
    for mark, words in FENCE.findall(text):
        if not open_fence:
            open_fence = "" if mark[0] == "`" and "`" in words else mark
        elif mark.startswith(open_fence) and not words.strip():
            open_fence = ""
    return open_fence


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        (
            "See:\n```py\nif a:\n    b = 12345\n    c = 12345\n```\nDone.",
            40,
            ["See:\n```py\nif a:\n    b = 12345\n```", "```py\n    c = 12345\n```\nDone."],
        ),
        (
            "```\nline one is here, and\n\tline two\n   line three\n```",
            40,
            ["```\nline one is here, and\n\tline two\n```", "```\n   line three\n```"],
        ),
        (
            "Some words ahead of it.\n```py\nabcdefghijklmnopqrstuvwxyz\n```",
            40,
            ["Some words ahead of it.", "```py\nabcdefghijklmnopqrstuvwxyz\n```"],
        ),
        (
            "```\nline one is here\nline two is here\nline three\n```   \nand so on, for long",
            40,
            ["```\nline one is here\n```", "```\nline two is here\nline three\n```", "and so on, for long"],
        ),
        (
            "~~~~\na word, and more\n```\nof words, and more\n~~~~~\nDone.",
            44,
            ["~~~~\na word, and more\n```\n~~~~~", "~~~~\nof words, and more\n~~~~~\nDone."],
        ),
        ("```\nnothing closes this one\nso it is text", 32, ["```\nnothing closes this one", "so it is text"]),
        ("```a`\nb c d e f g h i j k l m n o\n```", 32, ["```a`\nb c d e f g h i j k l m n", "o\n```"]),
        (f"```\n{'x' * 50}\n```", 40, [f"```\n{'x' * 32}\n```", f"```\n{'x' * 18}\n```"]),
        ("```python title=long\none two three four\n```", 40, ["```python title=long\none two three four", "```"]),
    ],
    ids=[
        "with its language and indentation",
        "with any indentation",
        "which begins late begins in the next",
        "at the end of its code needs no next",
        "of other marks",
        "that is none",
        "that is code in a line",
        "of one long word",
        "whose fences are a large part of a message",
    ],
)
def test_a_code_block(text: str, limit: int, pieces: list[str]) -> None:
    assert split_text(text, limit) == pieces


LINES: Final = [
    *("```", "```py", "~~~", "````", " ```", "```   ", "a b c", "    indented", "", "x" * 45, "a. b。c"),
    *("\U0001f600\U0001f600", "\U0001f1e9\U0001f1ea" * 9, "e" + "\u0301" * 60, "\ta\r"),
]


@pytest.mark.slow
@settings(max_examples=100)
@given(
    st.lists(st.sampled_from(LINES), min_size=1, max_size=40).map("\n".join),
    st.integers(48, 100),
    st.sampled_from([len, utf16_length]),
)
def test_a_message_closes_what_it_opens_and_loses_no_letter(text: str, limit: int, size: Size) -> None:
    pieces = split_text(text, limit, size)
    assert all(size(piece) <= limit for piece in pieces)
    assert all(piece.strip() for piece in pieces) or not text.strip()
    assert opened(text) or not any(map(opened, pieces))
    assert words("".join(pieces)) == words(text)


def words(text: str) -> str:
    """A text without white space and without what a fence may have."""
    return "".join(letter for letter in text if letter not in "`~py" and not letter.isspace())
