"""Equal text: the one form in which the words of contacts and authors are compared, in linear and bounded time."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal

from bridge.text.unicode_classes import BLANK, DASHES, EDGE, MARK, UNSEEN

_UNSEEN: Final = re.compile(f"{UNSEEN}+")
_MARKS: Final = re.compile(f"{MARK}+")
_MOST_MARKS: Final = 30
"""Unicode's stream-safe format ends a run of marks there; to sort a longer one takes quadratic time."""
_DIGIT: Final = re.compile(r"\d")
_EDGE: Final = re.compile(f"{EDGE}*")
_PLAIN_EDGE: Final = "".join(filter(_EDGE.fullmatch, map(chr, range(128))))
"""The same of ASCII: to strip these takes a twentieth of the time."""
_BLANK: Final = re.compile(f"{BLANK}*")
_SHAPES: Final = str.maketrans(
    dict.fromkeys("`´‘’‛ʹʻʼ′׳＇", "'")  # noqa: RUF001 - as typed
    | dict.fromkeys(DASHES, "-")
)
_LONGEST: Final = 8192
"""A longer text equals only itself: it is no command, title or number that a person typed."""


def fold(text: str) -> str:
    """A text as rules, choices and commands compare it.

    Width, case, invisible marks, spare white space, outer punctuation and outer pictures do not count, nor do the
    shapes of apostrophes, dashes and digits. A text of marks or pictures alone keeps them.
    """
    spelled = spelling(text)
    if spelled.isascii():
        return spelled.strip(_PLAIN_EDGE) or spelled
    end = len(spelled) - _edge(spelled[::-1])
    return spelled[_edge(spelled) : end] or spelled


def _edge(text: str) -> int:
    """How much of a text's beginning is outer punctuation and pictures."""
    found = _EDGE.match(text)
    assert found is not None
    return found.end()


def spelling(text: str) -> str:
    """A text as `fold` makes it, with its outer punctuation and pictures."""
    if len(text) > _LONGEST:
        return text
    if text.isascii():
        text = text.replace("`", "'")
    else:
        text = normalized("NFKC", _UNSEEN.sub("", text.translate(_SHAPES)))
        # A Turkish capital has its dot apart, and a Turkish small letter none: both are typed as a plain i.
        text = text.casefold().replace("i\u0307", "i").replace("\u0131", "i")
        text = with_plain_digits(normalized("NFKC", text))
    return " ".join(text.casefold().split())


def with_plain_digits(text: str) -> str:
    """A text with the digits of every script as 0-9."""
    if text.isascii() or len(text) > _LONGEST:
        return text
    return _DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)


def normalized(form: Literal["NFC", "NFD", "NFKC"], text: str) -> str:
    """A text in a normal form, for comparison: of more than 30 marks on one letter the rest is left out."""
    if _MARKS.search(text[_MOST_MARKS :: _MOST_MARKS + 1]):  # each longer run has one of these places
        text = _MARKS.sub(lambda run: run[0][:_MOST_MARKS], text)
    return unicodedata.normalize(form, text)


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing of a text."""
    if "!" <= text[:1] <= "~":  # most texts: a look at the rest costs as much as all else that is asked of them
        return False
    return not text or text.isspace() or _BLANK.fullmatch(text) is not None
