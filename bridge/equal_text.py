"""Equal text: the one form in which the words of contacts and authors are compared, in linear and bounded time."""

from __future__ import annotations

import unicodedata
from typing import Final, Literal

import regex

_UNSEEN: Final = regex.compile(r"[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Emoji_Modifier}\u20e3]+")
"""Marks of direction, joining and width, soft hyphens, skin tones, and the mark that makes a keycap of a digit."""
_TOO_MANY_MARKS: Final = regex.compile(r"([\p{M}\uff9e\uff9f]{30})[\p{M}\uff9e\uff9f]+")
"""Unicode's stream-safe format ends a run of marks at 30; to sort a longer one takes quadratic time."""
_DASH: Final = regex.compile(r"\p{Pd}")
_DIGIT: Final = regex.compile(r"\p{Nd}")
_EDGE: Final = r"[\s\p{Po}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Pc}\p{Sk}\p{So}~--[/\\#@%&‰§°]]"
_LEADING: Final = regex.compile(rf"\A{_EDGE}+", regex.VERSION1)
_TRAILING: Final = regex.compile(rf"(?r){_EDGE}+\Z", regex.VERSION1)
"""Outer punctuation and pictures. What begins a path, a tag or an address, and what follows a number, has a meaning."""
_PLAIN_EDGE: Final = "".join(filter(_LEADING.fullmatch, map(chr, range(128))))
"""The same of ASCII: to strip these takes a twentieth of the time."""
_BLANK: Final = regex.compile(r"[\s\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]*")
_APOSTROPHES: Final = str.maketrans(dict.fromkeys("`´‘’‛ʹʻʼ′׳＇", "'"))  # noqa: RUF001 - as typed
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
    bare = _TRAILING.sub("", _LEADING.sub("", spelled))
    return bare or spelled


def spelling(text: str) -> str:
    """A text as `fold` makes it, with its outer punctuation and pictures."""
    if len(text) > _LONGEST:
        return text
    if text.isascii():
        text = text.replace("`", "'")
    else:
        text = normalized("NFKC", _UNSEEN.sub("", text.translate(_APOSTROPHES)))
        # A Turkish capital has its dot apart, and a Turkish small letter none: both are typed as a plain i.
        text = text.casefold().replace("i\u0307", "i").replace("\u0131", "i")
        text = with_plain_digits(_DASH.sub("-", normalized("NFKC", text)))
    return " ".join(text.casefold().split())


def with_plain_digits(text: str) -> str:
    """A text with the digits of every script as 0-9."""
    if text.isascii() or len(text) > _LONGEST:
        return text
    return _DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)


def normalized(form: Literal["NFC", "NFD", "NFKC"], text: str) -> str:
    """A text in a normal form, for comparison: of more than 30 marks on one letter the rest is left out."""
    return unicodedata.normalize(form, _TOO_MANY_MARKS.sub(r"\1", text))


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing of a text."""
    if "!" <= text[:1] <= "~":  # most texts: a look at the rest costs as much as all else that is asked of them
        return False
    return not text or text.isspace() or _BLANK.fullmatch(text) is not None
