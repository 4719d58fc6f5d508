"""Finds the reply that a message asks for: by words in it, or by a likeness of the whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import regex
from rapidfuzz import fuzz, process

from bridge import Message, fold

from .model import EVERY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge import Event

    from .model import Replies, Reply

_WORD: Final = re.compile(r"\w+")
_UNSPACED: Final = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+")
"""Scripts that write no spaces between words."""
_LONGEST: Final = 1000
"""A longer text is a letter, and no question that a list of words answers."""
_LONGEST_LIKE: Final = 200
_SHORTEST_LIKE: Final = 5
"""In a shorter word, another letter is another word."""

Found = dict[str, Any]


def exact(file: Replies) -> Iterator[tuple[str, str, str]]:
    """Texts that ask for a reply when they are the whole message: text, reply and language."""
    for name, reply in file.all.items():
        for language, text in (*reply.words.each(), *reply.like.each(), *_titles(reply)):
            yield text, name, language


def _titles(reply: Reply) -> Iterator[tuple[str, str]]:
    return iter(reply.title.root.items() if reply.title else ())


class Finder:
    """Two filters over the words of a file."""

    def __init__(self, file: Replies) -> None:
        """Reads the words once."""
        self._words: dict[str, tuple[str, str]] = {}  # the longest first
        self._like: dict[str, tuple[str, str]] = {}
        self._similarity = file.similarity
        words = [(word, name, lang) for name, reply in file.all.items() for lang, word in reply.words.each()]
        for word, name, language in sorted(words, key=lambda entry: -len(entry[0])):
            self._words.setdefault(_sought(word), (name, language))
        for text, name, language in exact(file):
            if len(folded := fold(text)) >= _SHORTEST_LIKE:
                self._like.setdefault(folded, (name, language))

    def by_words(self, event: Event) -> Found | None:
        """The reply whose longest word or phrase is in a message."""
        text = _text_of(event, _LONGEST)
        if not text:
            return None
        heard = spaced(text)
        return next((_found(reply) for word, reply in self._words.items() if word in heard), None)

    def by_likeness(self, event: Event) -> Found | None:
        """The reply with the text that a message is most like."""
        heard = fold(_text_of(event, _LONGEST_LIKE))
        if len(heard) < _SHORTEST_LIKE or not self._like:
            return None
        likeliest, score = "", float(self._similarity)
        for scorer in (fuzz.ratio, fuzz.token_sort_ratio):  # letters in their order; words in any order
            if best := process.extractOne(heard, self._like.keys(), scorer=scorer, score_cutoff=score):
                likeliest, score = best[0], best[1]
        return _found(self._like[likeliest]) if likeliest else None


def spaced(text: str) -> str:
    """A text's words with a space around each; a run of a script without spaces is one word."""
    parted = _UNSPACED.sub(r" \g<0> ", fold(text))
    return f" {' '.join(_WORD.findall(parted))} "


def _sought(word: str) -> str:
    """A word as it is looked for: whole, unless its script has no spaces."""
    form = spaced(word)
    bare = form.strip()
    return bare if _UNSPACED.fullmatch(bare) else form


def _found(reply: tuple[str, str]) -> Found:
    name, language = reply
    return {"reply": name, "language": language or None}


def _text_of(event: Event, longest: int) -> str:
    """The words of a message or the caption of a medium; "" where they are too many."""
    if not isinstance(event, Message):
        return ""
    text = event.text or (event.media.caption if event.media else "")
    return text if len(text) <= longest else ""


def captures(name: str, language: str) -> Mapping[str, object]:
    """What a rule finds that asks for one reply."""
    return _found((name, "" if language == EVERY else language))
