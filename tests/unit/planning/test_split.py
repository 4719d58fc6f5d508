"""Where long text is cut, and that no letter is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.planning.split import cut_text, graphemes, split_text
from bridge.units import utf16_length


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("One two three", None, ["One two three"]),
        ("One two three", 13, ["One two three"]),
        (" One two", 8, [" One two"]),
        ("One two three", 8, ["One two", "three"]),
        ("One two. Three four five", 20, ["One two. Three four", "five"]),
        ("One two three. Four five", 20, ["One two three.", "Four five"]),
        ('He said "Stop it!" Then he left', 25, ['He said "Stop it!"', "Then he left"]),
        ("one two\nthree. four five", 20, ["one two\nthree.", "four five"]),
        ("1. Alpha\n2. Beta\n3. Gamma", 20, ["1. Alpha\n2. Beta", "3. Gamma"]),
        ("xx 123. Gam delta", 11, ["xx 123. Gam", "delta"]),
        ("**** ab cd.", 7, ["**** ab", "cd."]),
        ("one two\n\nthree four\nfive", 14, ["one two", "three four", "five"]),
        ("你好。我很好。谢谢", 7, ["你好。我很好。", "谢谢"]),
        ("我说 你好。」他走了吗我不知道", 14, ["我说", "你好。」他走了吗我不知道"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("see https://x/abcdefgh", 18, ["see", "https://x/abcdefgh"]),
        ("👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 10, ["👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦"]),
        ("a\u0301\u0302b", 2, ["a\u0301", "\u0302b"]),
        ("bba\u0301\u0302", 4, ["bb", "a\u0301\u0302"]),
        ("🇩🇪🇫🇷🇮🇹", 5, ["🇩🇪🇫🇷", "🇮🇹"]),
        ("     ", 2, ["  "]),
    ],
)
def test_long_text_is_split_where_it_hurts_least(text: str, limit: int | None, pieces: list[str]) -> None:
    assert split_text(text, limit) == pieces


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a bcd", 3, "a…"), ("abc", 1, None), ("🇩🇪🇫🇷", 3, "🇩🇪…")],
)
def test_cut_text_ends_in_an_ellipsis(text: str, limit: int, short: str | None) -> None:
    assert cut_text(text, limit) == short


letters = st.sampled_from(
    ["a", "b", "5", " ", "\n", ". ", "。", "é", "e\u0301", "👨‍👩‍👧‍👦", "🇩🇪", "한", "क्षि", " \u0301", "\r\n"]
)
prose = st.lists(letters, min_size=1, max_size=60).map("".join)


@pytest.mark.slow
@settings(max_examples=150)
@given(prose, st.integers(11, 40))
def test_splitting_loses_no_grapheme(text: str, limit: int) -> None:
    pieces = split_text(text, limit)
    assert all(0 < len(piece) <= limit for piece in pieces)
    seen = [each for piece in pieces for each in graphemes(piece) if not each.isspace()]
    assert seen == [each for each in graphemes(text) if not each.isspace()]


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("😀😀😀", 4, ["😀😀", "😀"]),
        ("one 😀 two", 6, ["one 😀", "two"]),
        ("abcd", 4, ["abcd"]),
        ("👩‍👩‍👧" * 2, 8, ["👩‍👩‍👧", "👩‍👩‍👧"]),
        ("a👩‍👩‍👧", 8, ["a", "👩‍👩‍👧"]),
        ("😀", 1, ["😀"]),
    ],
)
def test_a_channel_may_count_utf16_units(text: str, limit: int, pieces: list[str]) -> None:
    assert split_text(text, limit, utf16_length) == pieces


def test_a_cut_title_fits_in_utf16_units() -> None:
    assert cut_text("😀😀😀", 5, utf16_length) == "😀😀…"
