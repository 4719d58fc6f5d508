"""Checks answers: each returns the value to keep, or raises Wrong with the phrase that tells why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import phonenumbers

from bridge import fold

from .dates import dates_in

if TYPE_CHECKING:
    from .model import Question
    from .texts import Voice

_EMAIL: Final = re.compile(r"[^\s@<>()\[\],;:\"]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,63}")
_NUMBER: Final = re.compile(r"(?<![\w.,])[-+]?\d{1,12}(?:[.,]\d{1,2})?(?!\w|[.,]\d)")
"""No more than two decimals: 1.000 is a thousand to some, and one to others."""
_LONGEST: Final = 500


class Wrong(Exception):
    """No answer; the text is the name of our own phrase about it."""


def read_answer(question: Question, said: str, voice: Voice) -> Any:  # noqa: ANN401 - JSON
    """The value of an answer. Raises Wrong."""
    text = " ".join(said.split())
    if not text or len(text) > _LONGEST:
        raise Wrong(question.kind)
    match question.kind:
        case "name":
            return _name(text)
        case "email":
            return _email(text)
        case "phone":
            return _phone(text, voice.file.country)
        case "number":
            return _number(text, question)
        case "date":
            return _date(text, question, voice)
        case "choice":
            raise Wrong("choice")  # what fits one is none of these words
        case _:
            return text


def _name(text: str) -> str:
    letters = sum(letter.isalpha() for letter in text)
    if not letters or len(text) > 100 or any(letter.isdigit() or letter in "@/<>{}" for letter in text):  # noqa: PLR2004
        raise Wrong("name")
    return text


def _email(text: str) -> str:
    text = text.strip("<>.,;")
    if _EMAIL.fullmatch(text) is None:
        raise Wrong("email")
    user, _, host = text.rpartition("@")
    return f"{user}@{host.lower()}"


def _phone(text: str, country: str | None) -> str:
    """In the form E.164."""
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        raise Wrong("phone") from None
    if not phonenumbers.is_valid_number(number):
        raise Wrong("phone")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _number(text: str, question: Question) -> float | int:
    numbers = _NUMBER.findall(fold(text))
    if len(numbers) != 1:
        raise Wrong("number")
    value = float(numbers[0].replace(",", "."))
    too_small = question.min is not None and value < question.min
    too_big = question.max is not None and value > question.max
    if too_small or too_big:
        raise Wrong("number")
    return int(value) if value.is_integer() else value


def span_of(question: Question) -> str:
    """The bounds of a number, as its phrase has them: " (1-8)"."""
    if question.min is None and question.max is None:
        return ""
    bounds = ["" if bound is None else f"{bound:g}" for bound in (question.min, question.max)]
    return f" ({'-'.join(bounds) if all(bounds) else ('>= ' if bounds[0] else '<= ') + ''.join(bounds)})"


def _date(text: str, question: Question, voice: Voice) -> str:
    """In ISO form."""
    day = next(dates_in(text, voice, past=question.must == "past"), None)
    if day is None:
        raise Wrong("date")
    if question.must in {"future", "open"} and day < voice.today:
        raise Wrong("future")
    if question.must == "past" and day > voice.today:
        raise Wrong("past")
    if question.must == "open" and voice.clock is not None and not voice.clock.opens_on(day):
        raise Wrong("open")
    return day.isoformat()
