"""Dates as people write them: 24 December, 24.12., 2026-12-24, Monday, tomorrow."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from babel.dates import get_day_names, get_month_names

from bridge import fold

from .phrases import PHRASES
from .texts import locale_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .texts import Voice

_ISO: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_NUMERIC: Final = re.compile(r"(\d{1,2})[./-](\d{1,2})(?:[./-](\d{4}|\d{2}))?")
_DAY_FIRST: Final = re.compile(
    r"(?:[^\W\d-]+(?:-[^\W\d]+)?,? )?(\d{1,2})(?:\.|st|nd|rd|th)? (?:de |of )?([^\W\d]+)\.?(?: (?:de )?(\d{4}))?"
)
_MONTH_FIRST: Final = re.compile(
    r"(?:[^\W\d-]+(?:-[^\W\d]+)?,? )?([^\W\d]+)\.? (\d{1,2})(?:st|nd|rd|th)?(?:,? (\d{4}))?"
)
_CENTURY: Final = 100
_FARTHEST: Final = 150
"""Years from today: nobody means a later or an earlier day."""
_WEEK: Final = 7


def dates_in(said: str, voice: Voice, *, past: bool) -> Iterator[date]:
    """What a text may mean as a date, the likeliest first; without its year the next one, or the last if `past`.

    Of 3/4 the day comes first, but where the contact's language is American. Names are those of the contact's
    language, of the file's first one, and English.
    """
    text, today = fold(said), voice.today
    languages = tuple(dict.fromkeys((voice.language, voice.file.default, "en")))
    yield from _relative(text, today, voice, languages)
    for year, month, day in _written(text, voice, languages):
        if (found := _day(year, month, day, today, past=past)) is not None:
            yield found


def _relative(text: str, today: date, voice: Voice, languages: Iterable[str]) -> Iterator[date]:
    """Today, tomorrow, or the next Monday."""
    for name, days in (("today", 0), ("tomorrow", 1)):
        if text in {fold(voice.own(name)), *(fold(PHRASES[name].get(language, "")) for language in languages)}:
            yield today + timedelta(days=days)
    for language in languages:
        for weekday, names in _names(get_day_names, language):
            if text in names:
                yield today + timedelta(days=(weekday - today.weekday() - 1) % _WEEK + 1)


def _written(text: str, voice: Voice, languages: Iterable[str]) -> Iterator[tuple[str | None, str, str]]:
    """Year, month and day, in every order that may be meant."""
    if match := _ISO.fullmatch(text):
        yield match[1], match[2], match[3]
    if match := _NUMERIC.fullmatch(text):
        orders = [(match[2], match[1]), (match[1], match[2])]
        for month, day in reversed(orders) if voice.language.endswith("-US") else orders:
            yield match[3], month, day
    for pattern, day_group, month_group in ((_DAY_FIRST, 1, 2), (_MONTH_FIRST, 2, 1)):
        if match := pattern.fullmatch(text):
            for language in languages:
                for number, names in _names(get_month_names, language):
                    if match[month_group] in names:
                        yield match[3], str(number), match[day_group]


def _names(table: Any, language: str) -> Iterator[tuple[int, set[str]]]:  # noqa: ANN401 - of Babel
    """The names of weekdays or months by number, long and short."""
    wide = table("wide", locale=locale_of(language))
    short = table("abbreviated", locale=locale_of(language))
    for number, name in wide.items():
        yield number, {fold(name), fold(short[number]).rstrip(".")}


def _day(year: str | None, month: str, day: str, today: date, *, past: bool) -> date | None:
    number = today.year if year is None else int(year)
    if number < _CENTURY:
        number += today.year // _CENTURY * _CENTURY
        number -= _CENTURY * (past and number > today.year)
    if abs(number - today.year) > _FARTHEST:
        return None
    try:
        found = date(number, int(month), int(day))
        if year is None and found < today and not past:
            return found.replace(year=number + 1)
        if year is None and found > today and past:
            return found.replace(year=number - 1)
    except ValueError:
        return None
    return found
