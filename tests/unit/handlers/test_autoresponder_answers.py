"""Answers to an auto-responder's questions: what is kept, and what is asked again."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_date
from hypothesis import given
from hypothesis import strategies as st

from handlers.autoresponder.answers import Wrong, read_answer, span_of
from handlers.autoresponder.dates import dates_in
from handlers.autoresponder.hours import Clock, Hours
from handlers.autoresponder.model import Question, Replies
from handlers.autoresponder.phrases import PHRASES
from handlers.autoresponder.texts import Voice, locale_of

UTC: Final = ZoneInfo("UTC")
MONDAY = datetime(2026, 11, 30, 9, tzinfo=UTC)
FILE = Replies.model_validate({"replies": {}, "country": "ID"})
CLOCK = Clock(Hours(open="Mo-Fr 08:00-17:00", holidays="ID"), UTC)
LANGUAGES = sorted(PHRASES["name"])
BOUNDS: list[dict[str, float]] = [{"min": 1, "max": 8}, {"min": 1}, {"max": 2.5}, {}]


def voice(language: str = "en") -> Voice:
    return Voice(FILE, language, MONDAY, {}, {}, CLOCK)


def kept(kind: str, said: str, language: str = "en", **more: Any) -> Any:
    question = Question.model_validate({"field": "x", "text": "?", "kind": kind, **more})
    try:
        return read_answer(question, said, voice(language))
    except Wrong as wrong:
        return f"wrong: {wrong}"


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("text", "  two   words ", "two words"),
        ("text", "x" * 501, "wrong: text"),
        ("name", "Ann-Marie O'Neil", "Ann-Marie O'Neil"),
        ("name", "王小明", "王小明"),
        ("name", "R2D2", "wrong: name"),
        ("name", "ann@example.org", "wrong: name"),
        ("name", "!!", "wrong: name"),
        ("email", "Ann.Lee+x@Example.co.ID", "Ann.Lee+x@example.co.id"),
        ("email", "<ann@example.org>,", "ann@example.org"),
        ("email", "ann@example", "wrong: email"),
        ("email", "ann @example.org", "wrong: email"),
        ("email", "a@b@example.org", "wrong: email"),
        ("email", "x@" + "a" * 480 + ".", "wrong: email"),
        ("phone", "0812-3456-7890", "+6281234567890"),
        ("phone", "+49 30 901820", "+4930901820"),
        ("phone", "12", "wrong: phone"),
        ("phone", "call me", "wrong: phone"),
        ("number", "4", 4),
        ("number", "\u0664", 4),
        ("number", "we are 4!", 4),
        ("number", "2,5", 2.5),
        ("number", "-3", -3),
        ("number", "4 or 5", "wrong: number"),
        ("number", "1.000", "wrong: number"),
        ("number", "4x", "wrong: number"),
        ("number", "9" * 400, "wrong: number"),
    ],
)
def test_an_answer_is_kept_in_one_form_or_asked_again(kind: str, said: str, value: Any) -> None:
    assert kept(kind, said) == value


def test_a_number_has_its_bounds_and_tells_them() -> None:
    assert [kept("number", said, min=1, max=8) for said in ("1", "8", "0", "9")] == [1, 8, *["wrong: number"] * 2]
    spans = [span_of(Question.model_validate({"field": "x", "text": "?", "kind": "number", **b})) for b in BOUNDS]
    assert spans == [" (1-8)", " (>= 1)", " (<= 2.5)", ""]


@pytest.mark.parametrize(
    ("said", "language", "day"),
    [
        ("2026-12-24", "en", "2026-12-24"),
        ("24.12.", "de", "2026-12-24"),
        ("24.12.26", "de", "2026-12-24"),
        ("3/4", "en", "2027-04-03"),
        ("3/4", "en-US", "2027-03-04"),
        ("12/25/2026", "en", "2026-12-25"),
        ("Dec 24th, 2026", "en", "2026-12-24"),
        ("24 de diciembre de 2026", "es", "2026-12-24"),
        ("Donnerstag, 24. Dezember", "de", "2026-12-24"),
        ("Monday", "en", "2026-12-07"),
        ("SENIN", "id", "2026-12-07"),
        ("tomorrow!", "id", "2026-12-01"),
        ("besok", "id", "2026-12-01"),
        ("heute", "de", "2026-11-30"),
        ("29 Feb", "en", "wrong: date"),
        ("31.11.2026", "de", "wrong: date"),
        ("1.1.9999", "de", "wrong: date"),
        ("someday", "en", "wrong: date"),
        ("", "en", "wrong: date"),
    ],
)
def test_dates_are_read_as_people_write_them(said: str, language: str, day: str) -> None:
    assert kept("date", said, language) == day


@pytest.mark.parametrize(
    ("must", "said", "day"),
    [
        ("past", "tomorrow", "wrong: past"),
        ("past", "29.11.", "2026-11-29"),
        ("past", "1.12.", "2025-12-01"),
        ("past", "3/4/90", "1990-04-03"),
        ("future", "29.11.2026", "wrong: future"),
        ("future", "30.11.2026", "2026-11-30"),
        ("open", "5.12.2026", "wrong: open"),
        ("open", "25.12.2026", "wrong: open"),
        ("open", "4.12.2026", "2026-12-04"),
        ("open", "4.12.2025", "wrong: future"),
        ("open", "1.12.2170", "wrong: open"),
        ("open", "3.12.2170", "2170-12-03"),
    ],
)
def test_a_date_must_be_where_it_is_asked_for(must: str, said: str, day: str) -> None:
    assert kept("date", said, must=must) == day


@given(st.dates(date(1990, 1, 1), date(2060, 12, 31)), st.sampled_from(LANGUAGES))
def test_a_date_as_its_language_writes_it_is_read_back(day: date, language: str) -> None:
    locale = locale_of(language)
    written = [format_date(day, form, locale) for form in ("d MMMM y", "EEEE, d MMMM y", "MMMM d, y", "y-MM-dd")]
    assert [next(dates_in(text, voice(language), past=False), None) for text in written] == [day] * len(written)


@given(st.text(max_size=60), st.sampled_from(LANGUAGES))
@pytest.mark.slow
def test_any_text_is_an_answer_or_wrong(said: str, language: str) -> None:
    for kind in ("text", "name", "email", "phone", "date", "number"):
        kept(kind, said, language, must="open" if kind == "date" else None)


@pytest.mark.parametrize("name", PHRASES)
def test_a_phrase_of_ours_is_there_in_each_language(name: str) -> None:
    assert sorted(PHRASES[name]) == LANGUAGES


def test_hours_know_the_holidays_of_a_part_of_a_country() -> None:
    corpus_christi = date(2027, 5, 27)
    assert not Clock(Hours(open="Mo-Fr", holidays="DE-BY"), UTC).opens_on(corpus_christi)
    assert Clock(Hours(open="Mo-Fr", holidays="DE-BE"), UTC).opens_on(corpus_christi)


def test_hours_over_midnight_and_over_the_end_of_a_year() -> None:
    clock = Clock(Hours(open="Fr 18:00-02:00; Mo 08:00-09:00", closed=(date(2027, 1, 4),)), UTC)
    assert clock.is_open(datetime(2026, 12, 5, 1, tzinfo=UTC))
    assert not clock.is_open(datetime(2026, 12, 5, 3, tzinfo=UTC))
    assert clock.changes(datetime(2027, 1, 2, 3, tzinfo=UTC)) == datetime(2027, 1, 8, 18, tzinfo=UTC)
    assert clock.changes(datetime(2026, 12, 28, 10, tzinfo=UTC)) == datetime(2027, 1, 1, 18, tzinfo=UTC)
    assert Clock(Hours(open="off"), UTC).changes(datetime(2027, 1, 2, 3, tzinfo=UTC)) is None
