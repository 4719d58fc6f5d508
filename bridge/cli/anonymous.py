"""Words, names and numbers of people replaced, the same by the same, in the shape that they had."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_PIECE: Final = re.compile(
    r"(?P<link>https?://\S+)|(?P<mail>[\w.+-]+@[\w-]+\.[\w.-]+)|(?P<word>[^\W\d_]+)|(?P<number>\d+)"
)
_SHORT: Final = 4
"""Digits of a number that names nobody: a size, a year, the number of a choice."""
_WORDS: Final = (
    *("a", "of", "sun", "lamp", "river", "garden", "blanket", "mountain", "orchestra", "lighthouse"),
    *("k", "it", "tea", "moss", "stone", "winter", "picture", "notebook", "carpenter", "wheelbarrow"),
)
_LETTERS: Final = "bcdfghjklmnpqrstvwz"
_VOWELS: Final = "aeiou"
_NAMES: Final = ("ann", "bob", "carl", "dora", "eve", "fritz", "gina", "hugo")
"""Of the people of a captured test; later ones are numbered."""


def person_name(number: int) -> str:
    """The name of one of the people of a captured test."""
    return _NAMES[number] if number < len(_NAMES) else f"person{number}"


class Replacements:
    """Replaces pieces of texts, each always by the same. What is `kept` stays, as do short numbers."""

    def __init__(self, kept: Collection[str] = ()) -> None:
        """`kept` are words, in any case."""
        self._kept = {word.casefold() for word in kept}
        self._made: dict[str, str] = {}

    def text(self, text: str, only: Collection[str] | None = None) -> str:
        """A text with its pieces replaced; with `only`, words are replaced if they are among these."""

        def replaced(match: re.Match[str]) -> str:
            piece = match[0]
            kind = match.lastgroup or ""
            if kind == "word" and (
                piece.casefold() in self._kept or (only is not None and piece.casefold() not in only)
            ):
                return piece
            return piece if kind == "number" and len(piece) <= _SHORT else self._replacement(kind, piece)

        return _PIECE.sub(replaced, text)

    def _replacement(self, kind: str, piece: str) -> str:
        known = piece.casefold()
        if known not in self._made:
            self._made[known] = _MAKE[kind](known, len(self._made))
        made = self._made[known]
        if piece.isupper():
            return made.upper()
        return made.capitalize() if piece[:1].isupper() else made

    def same(self, then: str, now: str) -> bool:
        """Whether two texts are the same, but for pieces that were replaced."""
        pairs = zip(_PIECE.split(then), _PIECE.split(now), strict=False)
        count = len(_PIECE.split(then)) == len(_PIECE.split(now))
        return count and all((one or "") == (other or "") or self._stands_for(one, other) for one, other in pairs)

    def _stands_for(self, then: str | None, now: str | None) -> bool:
        return then is not None and now is not None and self._made.get(then.casefold()) == now.casefold()

    def values(self, values: Any, only: Collection[str] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """All texts in a JSON value."""
        if isinstance(values, str):
            return self.text(values, only)
        if isinstance(values, list):
            return [self.values(item, only) for item in values]
        if isinstance(values, dict):
            return {key: self.values(value, only) for key, value in values.items()}
        return values


def words(*texts: str) -> Iterator[str]:
    """The words of texts, folded."""
    for text in texts:
        for match in _PIECE.finditer(text):
            if match.lastgroup == "word":
                yield match[0].casefold()


def _word(word: str, number: int) -> str:
    """A word of the same length; after some plain ones it is made up."""
    for plain in _WORDS[number % 2 :: 2] if number < len(_WORDS) else ():
        if len(plain) == len(word):
            return plain
    letters = []
    for place in range(len(word)):
        number, digit = divmod(number * 7 + place + 3, 95)
        letters.append(_VOWELS[digit % 5] if place % 2 else _LETTERS[digit % 19])
    return "".join(letters)


def _number(digits: str, number: int) -> str:
    """A number with as many digits, as it begins: a country has its form."""
    return digits[:2] + f"{5_550_000_000_000 + number}"[-len(digits) + 2 :].rjust(len(digits) - 2, "5")


_MAKE: Final[dict[str, Callable[[str, int], str]]] = {
    "link": lambda link, number: f"https://example.org/{number}{_suffix(link)}",
    "mail": lambda _, number: f"somebody{number}@example.org",
    "word": _word,
    "number": _number,
}


def _suffix(link: str) -> str:
    """The ending of a file, which tells its kind."""
    found = re.search(r"\.[A-Za-z0-9]{2,4}$", link.partition("?")[0])
    return found[0] if found else ""
