"""Patterns of button keys: literal parts, and fields between them."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.routing.filters import KeyPattern


@pytest.mark.parametrize(
    ("pattern", "key", "fields"),
    [
        ("help", "help", {}),
        ("help", "helpx", None),
        ("size:{size}", "size:l", {"size": "l"}),
        ("size:{size}", "size:", None),
        ("size:{size}", "Size:l", None),
        ("buy:{sku}:{n}", "buy:tea:2", {"sku": "tea", "n": "2"}),
        ("buy:{sku}:{n}", "buy:tea:2:3", {"sku": "tea", "n": "2:3"}),
        ("buy:{sku}:{n}", "buy::2", None),
        ("buy:{sku}:{n}", "buy:::2", {"sku": ":", "n": "2"}),
        ("{a}.{b}!", "x.y!", {"a": "x", "b": "y"}),
        ("{a}.{b}!", "x.!", None),
        ("{a}xx", "axx", {"a": "a"}),
        ("{a}xx", "xx", None),
        ("ab{x}bc", "abc", None),
        ("{{{x}}}", "{1}", {"x": "1"}),
        ("a.c:{x}", "abc:1", None),
        ("line:{x}", "line:a\nb", {"x": "a\nb"}),
    ],
)
def test_literal_parts_match_exactly_and_fields_reach_to_the_next_one(
    pattern: str, key: str, fields: dict[str, str] | None
) -> None:
    assert KeyPattern(pattern).match(key) == fields


LITERALS = st.text("abc:.{}", min_size=1, max_size=3)


@given(
    parts=st.lists(st.tuples(LITERALS, st.text("xyz01 ü", min_size=1, max_size=5)), min_size=1, max_size=4),
    end=LITERALS,
)
@example(parts=[("{", "x")], end="}")
@settings(max_examples=80, deadline=None)
def test_a_formatted_key_gives_its_fields_back(parts: list[tuple[str, str]], end: str) -> None:
    escaped = [literal.replace("{", "{{").replace("}", "}}") for literal, _ in parts]
    text = "".join(f"{literal}{{f{number}}}" for number, literal in enumerate(escaped))
    text += end.replace("{", "{{").replace("}", "}}")
    fields = {f"f{number}": value for number, (_, value) in enumerate(parts)}
    assert KeyPattern(text).match(text.format(**fields)) == fields


@given(key=st.text("ab:", max_size=12), pattern=st.sampled_from(["{x}:{y}", "a{x}b{y}", "{x}ab{y}:", "a{x}:b", "{x}"]))
@settings(max_examples=150, deadline=None)
def test_a_key_matches_exactly_when_a_lazy_regular_expression_does(key: str, pattern: str) -> None:
    lazy = re.fullmatch(re.sub(r"\{(.)\}", r"(?P<\1>.+?)", pattern), key)
    assert KeyPattern(pattern).match(key) == (lazy and lazy.groupdict())


def test_a_hostile_key_costs_no_more_than_its_length() -> None:
    pattern = KeyPattern("{a}:{b}:{c}:{d}!")
    assert pattern.match(":" * 200_000) is None
