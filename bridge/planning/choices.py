"""What a contact may choose in a thread, how it is numbered, and which choice an answer in words or digits means."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

import regex

from bridge.events import Postback
from bridge.planning.split import cut_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.events import Message

_UNSEEN: Final = regex.compile(r"[\p{Cf}\p{Variation_Selector}\u20e3]")
"""Marks of direction and joining, and what makes a keycap of a digit."""
_ACCENT: Final = regex.compile(r"(?<=[\p{Latin}\p{Greek}\p{Cyrillic}])\p{Mn}+")
_ORNAMENT: Final = regex.compile(r"[\p{So}\p{Sk}]|(?<=\p{L})[\p{Pd}'’](?=\p{L})")  # noqa: RUF001 - as typed
"""Pictures beside the words, and hyphens and apostrophes within them."""
_EDGES: Final = " .,;:!?…。、¿¡()[]\"'«»“”‘’*_~"  # noqa: RUF001 - as typed
_NUMBER: Final = re.compile(r"[(\[#]?\s?(\d{1,4})\s?[.)\]:,、。]*")
_LINE: Final = re.compile(r"(\d{1,4})[.)] (.+)")
_MISSPELLABLE: Final = regex.compile(r"[\p{L}\p{M}--\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]{4,}", regex.VERSION1)
"""Words in which another letter is a slip: not short ones, not numbers, not scripts whose letters are words."""
_LONG_WORD: Final = 8
_SHORT_WORD: Final = 4
_MOST_SLIPS: Final = 2
_LONGEST: Final = 64
"""Characters beyond which nobody is typing a title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Something the contact may still choose in a thread: how it was numbered (or None), and what comes back."""

    number: int | None
    key: str
    title: str


def answer(event: Message, choices: Sequence[Choice]) -> Postback | None:
    """The Postback an answer in text stands for, or None when it is none, or not certainly one.

    In this order: the number of a choice, in the digits of any script ("2", "2.", "(2)", its emoji), or a title in any
    case, also with its number before it; a title but for accents, pictures, spaces and marks around it; a title with a
    slip or two of the finger. Wherever two keys are meant equally well the answer is None: a wrong purchase is worse
    than asking again. The Postback keeps the event's id, contact, time, raw webhook and reply_to.
    """
    if not choices or event.kind != "text":
        return None
    said = _folded(event.text)
    choice = _meant(said, choices) if said else None
    if choice is None:
        return None
    return Postback(
        id=event.id,
        contact=event.contact,
        at=event.at,
        raw=event.raw,
        key=choice.key,
        title=choice.title,
        reply_to=event.reply_to,
    )


def next_choices(
    standing: Sequence[Choice],
    offered: Sequence[Sequence[Choice]],
    *,
    answered: str | None = None,
    asked: bool = False,
) -> tuple[Choice, ...]:
    """The choices open in a thread after a turn that begins with `standing`; `offered` are those of its plans.

    The last plan with choices replaces all others: a number or a title means the list that the contact saw last.
    Without one, `standing` stays open until it is answered or the turn asks another question (`asked`). `answered`
    is the key of the turn's Postback, pressed or typed; a key outside `standing` closes nothing. After a question,
    `offered` begins with the plan of that question.
    """
    for choices in reversed(offered):
        if choices:
            return tuple(choices)
    if asked or any(choice.key == answered for choice in standing):
        return ()
    return tuple(standing)


def number_choices(titles: Sequence[str]) -> list[int]:
    """A number for each title, from 1 up; a title that is a number itself has that one, so that typing it is safe."""
    own: dict[int, int] = {}
    for at, title in enumerate(titles):
        value = title_number(title)
        if value is not None and value not in own.values():
            own[at] = value
    free = (number for number in count(1) if number not in own.values())
    return [own[at] if at in own else next(free) for at in range(len(titles))]


def title_number(title: str) -> int | None:
    """The number a title is, if it is nothing else ("5", "5 ★")."""
    return _number(_plain(_folded(title)))


def shorten_titles(titles: Sequence[str], limit: int | None) -> list[str] | None:
    """The titles in at most `limit` characters; None when two would read the same, or one would be gone."""
    short = [cut for title in titles if (cut := cut_text(title, limit)) is not None]
    return short if len({_folded(title) for title in short}) == len(titles) else None


def _meant(said: str, choices: Sequence[Choice]) -> Choice | None:
    number = _number(said)
    line = _LINE.fullmatch(said)
    hits = [
        choice
        for choice in choices
        if (number is not None and choice.number == number)
        or (title := _folded(choice.title)) == said
        or (line and int(line[1]) == choice.number and (line[2] == title or line[2].startswith(f"{title} — ")))
    ]
    if hits:
        return _only(hits)
    plain = _plain(said)
    titles = [(choice, _plain(_folded(choice.title))) for choice in choices]
    closed_up = plain.replace(" ", "")
    hits = [choice for choice, title in titles if title.replace(" ", "") == closed_up]
    if hits or not _SHORT_WORD <= len(plain) <= _LONGEST:
        return _only(hits)
    return _misspelt(plain, titles)


def _only(hits: Sequence[Choice]) -> Choice | None:
    return hits[0] if len({choice.key for choice in hits}) == 1 else None


def _misspelt(said: str, titles: Sequence[tuple[Choice, str]]) -> Choice | None:
    """The one choice that `said` misspells, if every other title is clearly farther away."""
    near = [(choice, slips) for choice, title in titles if (slips := _slips(said, title)) is not None]
    choice = _only([each for each, _ in near])
    if choice is None:
        return None
    most = min(slips for _, slips in near) + 1
    for other, title in titles:
        if other.key != choice.key and abs(len(title) - len(said)) <= most and _distance(said, title) <= most:
            return None
    return choice


def _slips(said: str, title: str) -> int | None:
    """How many slips of the finger make `said` of the title; None when it reads like something else.

    Word by word, and only in words that begin alike: "unsubscribe" is no misspelt "subscribe", nor is "dont" a "do".
    """
    words, wanted = said.split(), title.split()
    if len(words) != len(wanted):
        return None
    total = 0
    for word, want in zip(words, wanted, strict=True):
        if word == want:
            continue
        if word[0] != want[0] or not (_MISSPELLABLE.fullmatch(word) and _MISSPELLABLE.fullmatch(want)):
            return None
        if len(word) == len(want) == _SHORT_WORD and sorted(word) != sorted(want):
            return None  # another letter makes another word of a short one: card, cart
        allowed = _MOST_SLIPS if min(len(word), len(want)) >= _LONG_WORD else 1
        if abs(len(word) - len(want)) > allowed or (slips := _distance(word, want)) > allowed:
            return None
        total += slips
    return total if total <= _MOST_SLIPS else None


def _distance(one: str, other: str) -> int:
    """Letters missing, added, mistaken or swapped with their neighbour (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            steps = min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                steps = min(steps, before[j - 2] + 1)
            row.append(steps)
        before, last = last, row
    return last[-1]


def _number(text: str) -> int | None:
    match = _NUMBER.fullmatch(text)
    return int(match[1]) if match else None


def _folded(text: str) -> str:
    """Text without case, width, invisible marks and spare white space."""
    if not text.isascii():
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        text = _UNSEEN.sub("", folded)
    return " ".join(text.casefold().split())


def _plain(folded: str) -> str:
    """What is left of folded text in a hurry: no accents, pictures, hyphens or marks around it, digits as 0-9."""
    bare = unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFD", folded)))
    bare = "".join(str(int(each)) if each.isdecimal() else each for each in _ORNAMENT.sub("", bare))
    return " ".join(bare.split()).strip(_EDGES) or folded
