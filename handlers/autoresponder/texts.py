"""Texts with values in them: `{name}`, or `{name|friend}` where a value may be missing."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time

from bridge import fold

from .phrases import PHRASES

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from .hours import Clock
    from .model import Phrase, Replies

OWN: Final = frozenset({"name", "phone", "today", "time", "opens", "closes"})
"""Values that every text may have."""
_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME: Final = re.compile(r"([a-z_][a-z0-9_]*)(?:\|(.*))?", re.DOTALL)
_WEEK: Final = timedelta(days=6)
_MOST_DEEP: Final = 3
"""Values that hold values."""


def names_in(text: str) -> Iterator[str]:
    """The names of the values in a text. Raises ValueError: a brace stands alone, or holds no name."""
    for match in _PIECE.finditer(text):
        if match[0] in {"{", "}"}:
            raise ValueError(f"a {match[0]} stands alone; a brace that is to be read is written twice")
        if match[1] is not None:
            if (named := _NAME.fullmatch(match[1])) is None:
                raise ValueError(f"{match[0]} is no name of a value, like {{name}} or {{name|friend}}")
            yield named[1]


def says_something(text: str, sure: Container[str]) -> bool:
    """Whether a reader sees anything where no value is known but the `sure` ones."""

    def least(match: re.Match[str]) -> str:
        named = _NAME.fullmatch(match[1]) if match[1] is not None else None
        return "x" if named is None or named[1] in sure else named[2] or ""

    return bool(fold(_PIECE.sub(least, text)))


def locale_of(language: str) -> Locale:
    """How a language writes dates; English, where that is not known."""
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


@dataclass(frozen=True, slots=True)
class Voice:
    """One language, one contact, one moment: it fills texts. `known` are the contact's fields, and what was found."""

    file: Replies
    language: str
    now: datetime
    known: Mapping[str, Any]
    contact: Mapping[str, str]
    clock: Clock | None
    depth: int = 0

    @property
    def today(self) -> date:
        """The date at the place of the hours."""
        return self.now.date()

    def fill(self, phrase: Phrase) -> str:
        """A text in the contact's language, with its values."""
        return self._filled(phrase.of(self.language, self.file.default))

    def own(self, name: str) -> str:
        """One of our own phrases."""
        if name in self.file.phrases:
            return self.fill(self.file.phrases[name])
        texts = PHRASES[name]
        return self._filled(texts.get(self.language) or texts.get(self.language.partition("-")[0]) or texts["en"])

    def _filled(self, text: str) -> str:
        return _PIECE.sub(self._piece, text)

    def _piece(self, match: re.Match[str]) -> str:
        named = _NAME.fullmatch(match[1]) if match[1] is not None else None
        if named is None:
            return match[0][:1]
        return self._value(named[1]) or named[2] or ""

    def _value(self, name: str) -> str:
        """A value as a reader sees it; "" where it is not known."""
        if name in self.known:
            return self._shown(name, self.known[name])
        if name in self.file.values:
            deeper = replace(self, depth=self.depth + 1)
            return deeper.fill(self.file.values[name]) if self.depth < _MOST_DEEP else ""
        match name:
            case "today":
                return format_date(self.today, "full", locale_of(self.language))
            case "time":
                return format_time(self.now, "HH:mm", locale=locale_of(self.language))
            case "opens" | "closes":
                return self._change(opens=name == "opens")
            case _:
                return self.contact.get(name, "")

    def _change(self, *, opens: bool) -> str:
        """When it opens or closes next: "17:00" today, "Monday 08:00" within a week, else with its date."""
        if self.clock is None:
            return ""
        change = self.clock.changes(self.now)
        if change is not None and self.clock.is_open(self.now) == opens:
            change = self.clock.changes(change)
        if change is None:
            return ""
        days = change.date() - self.today
        pattern = "HH:mm" if not days else "EEEE HH:mm" if days <= _WEEK else "EEEE d MMMM HH:mm"
        return format_datetime(change, pattern, locale=locale_of(self.language))

    def _shown(self, name: str, value: object) -> str:
        """A kept value in words: a date in full, a choice by its title."""
        question = self.file.questions.get(name)
        if question is None or not isinstance(value, str):
            return f"{value:g}" if isinstance(value, float) else str(value)
        if question.kind == "date":
            return format_date(date.fromisoformat(value), "full", locale_of(self.language))
        titles = {choice.of(self.file.default, self.file.default): choice for choice in question.choices}
        return self.fill(titles[value]) if value in titles else value
