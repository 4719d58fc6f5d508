"""Which texts a rule takes for its own, and from which digits a capture is converted."""
# ruff: noqa: RUF001 - marks and letters of many scripts are the matter here

from __future__ import annotations

import re
import time
import unicodedata
from contextlib import suppress

import pytest

from bridge import Router, Turn
from bridge.errors import HandlerError
from bridge.text.equal_text import fold, is_blank
from tests.support.rule_events import found, matched, said


@pytest.mark.parametrize(
    ("rule", "typed"),
    [
        ("stop", "  Stop \n"),
        ("stop", "STOP"),
        ("stop", "Stop."),
        ("stop", "stop!"),
        ("stop", "Stop…"),
        ("stop", "«Stop»"),
        ("stop", "*stop*"),
        ("stop", "(stop)"),
        ("stop", "¡stop!"),
        ("stop", "ｓｔｏｐ"),
        ("stop", "ＳＴＯＰ！"),
        ("stop", "\u200fstop\u200f"),
        ("stop", "\u200bstop"),
        ("stop", "st\u200dop"),
        ("stop", "st\u00adop"),
        ("stop", "\ufeffstop"),
        ("stop", "\u00a0stop\u3000"),
        ("stop", "stop 🙏"),
        ("stop", "🛑🏽 Stop 🇩🇪"),
        ("café", unicodedata.normalize("NFD", "Café")),
        ("dừng lại", unicodedata.normalize("NFD", "Dừng lại")),
        ("중지", unicodedata.normalize("NFD", "중지")),
        ("straße", "STRASSE"),
        ("i\u0307ptal", "İPTAL"),
        ("i\u0307ptal", "iptal"),
        ("açık", "AÇIK"),
        ("don't", "Don’t"),
        ("don't", "don´t"),
        ("बंद", "बंद।"),
        ("बंद", "बं\u200dद"),
        ("order now", "order  now"),
        ("order now", "order\u00a0now"),
        ("e-mail", "e\u2011mail"),
        ("❤️", "❤"),
        ("5", "٥"),
        ("5", "５."),
        ("5", "5️⃣"),
        ("👍", "👍🏽"),
        ("?", "？"),
    ],
)
def test_a_rule_takes_a_text_however_it_is_typed(rule: str, typed: str) -> None:
    router = Router("r")

    @router.message(text=rule)
    async def hit(turn: Turn) -> None: ...

    assert matched(router, said(typed)) == "hit"
    assert fold(fold(typed)) == fold(typed)


@pytest.mark.parametrize(
    ("rule", "typed"),
    [
        ("stop", "stop it"),
        ("stop", "/stop"),
        ("stop", "#stop"),
        ("cafe", "café"),
        ("5", "-5"),
        ("5", "5%"),
        ("2.5", "25"),
        ("👍", "👎"),
        ("?", "!"),
        ("no", "n o"),
    ],
)
def test_a_rule_leaves_a_text_that_says_something_else(rule: str, typed: str) -> None:
    assert fold(rule) != fold(typed)


@pytest.mark.parametrize("digits", ["123", "١٢٣", "۱۲۳", "१२३", "１２３", "๑๒๓"])
def test_a_capture_is_a_number_in_the_digits_of_any_script(digits: str) -> None:
    router = Router("r")

    @router.message(regex=r"^order (?P<no>\d+)$")
    async def order(turn: Turn, no: int) -> None: ...

    @router.message(regex=r"^name (?P<no>\d+)$")
    async def name(turn: Turn, no: str | None) -> None: ...

    assert found(router, said(f"order {digits}")) == {"no": 123}
    assert found(router, said(f"name {digits}")) == {"no": digits}


def test_a_regex_stays_as_written() -> None:
    router = Router("r")

    @router.message(regex="^stop$")
    async def hit(turn: Turn) -> None: ...

    assert matched(router, said("stop")) == "hit"
    assert matched(router, said("Stop.")) is None


@pytest.mark.parametrize("pattern", [r"^(\w+\s?)*$", r"^(a|a)*$", r"^(a+)+$", r"(.*a){20}b", r"^(([a-z])+.)+[A-Z]$"])
def test_a_regex_that_would_take_years_ends_at_once(pattern: str) -> None:
    router = Router("r")

    @router.message(regex=pattern)
    async def hit(turn: Turn) -> None: ...

    began = time.process_time()
    with suppress(HandlerError):
        assert matched(router, said(f"{'a' * 60}!")) is None
    assert time.process_time() - began < 2  # the bound is 0.05 s


def test_a_search_that_takes_too_long_names_its_regex_and_not_the_text() -> None:
    router = Router("r")

    @router.message(regex=r"^(a|a)*$")
    async def hit(turn: Turn) -> None: ...

    with pytest.raises(HandlerError, match=r"takes longer than 0.05 s on a text of 201 characters") as raised:
        matched(router, said(f"{'a' * 200}!"))
    assert repr(r"^(a|a)*$") in str(raised.value)
    assert "aaa" not in str(raised.value)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (re.compile("^stop$", re.IGNORECASE), "STOP", True),
        (re.compile(r"^\w+$", re.ASCII), "é", False),
        (re.compile(r"^\w+$"), "é", True),
        (re.compile("^two$", re.MULTILINE), "one\ntwo", True),
        (re.compile("one.two", re.DOTALL), "one\ntwo", True),
        (re.compile("o n e", re.VERBOSE), "one", True),
        ("(?i)stop", "Stop", True),
    ],
)
def test_a_regex_keeps_its_flags(pattern: re.Pattern[str] | str, text: str, *, fits: bool) -> None:
    router = Router("r")

    @router.message(regex=pattern)
    async def hit(turn: Turn) -> None: ...

    assert (matched(router, said(text)) == "hit") is fits


@pytest.mark.parametrize("text", [" ", "\u200b", "\u3164"])
def test_a_rule_for_a_blank_text_is_a_mistake(text: str) -> None:
    with pytest.raises(HandlerError, match="blank"):
        Router("r").message(text=text)


@pytest.mark.parametrize(
    ("text", "blank"),
    [("", True), (" \n\t", True), ("\u200b\ufeff", True), ("\u00a0\u3164\u2800", True), (".", False), ("👍", False)],
)
def test_what_a_reader_cannot_see_is_blank(text: str, blank: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_blank(text) is blank


def test_a_digit_that_a_later_unicode_has_is_folded_as_it_is() -> None:
    kawi = "\U00011f55"
    assert fold(f"{kawi}!") in {kawi, "5"}
