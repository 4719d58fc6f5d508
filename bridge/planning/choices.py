"""Choices: the open options of a thread, their numbers, and the choice that an answer in text means."""

from __future__ import annotations

import re
from itertools import count, repeat
from typing import TYPE_CHECKING, Final

from bridge.events import Postback
from bridge.frozen import changed, dataclass
from bridge.planning.split import Size, cut_text
from bridge.text.equal_text import fold, is_blank, normalized, spelling
from bridge.text.late_regex import late

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.events import Message

_ACCENT: Final = late(r"(?<=[\p{Latin}\p{Greek}\p{Cyrillic}])\p{Mn}+")
_ORNAMENT: Final = late(r"[\p{So}\p{Sk}]|(?<=\p{L})[-'](?=\p{L})")
"""Pictures beside words; hyphens and apostrophes within them."""
_PAUSE: Final = late(r"[.,;:!?…()\"](?=\s)|(?<=\s)[.,;:!?…()\"]|(?<=\p{L})[,;:](?=\p{L})")
"""Marks between words."""
_NUMBER: Final = re.compile(r"#?\s?(\d{1,4})")
_LINE: Final = re.compile(r"(\d{1,4})[.)] (.+)")
_MISSPELLABLE: Final = late(r"(?V1)[\p{L}\p{M}--\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]{4,}")
"""Words in which another letter is a slip: no short ones, no numbers, no scripts of one letter a word."""
_LONG_WORD: Final = 8
_SHORT_WORD: Final = 4
_MOST_SLIPS: Final = 2
_LONGEST: Final = 64
"""A longer text is no misspelt title."""
_MOST_TYPED: Final = 4096
"""A longer text is no answer: titles are shorter, and the work on what a stranger sends stays bounded."""


NO_NUMBER: Final = 0
"""The number of a choice in a list that is no longer the last thing said: only its title answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An open option of a thread: its number, if it has one, and the key that comes back. See NO_NUMBER.

    `whom` is the contact to whom it was offered; None: to anybody.
    """

    number: int | None
    key: str
    title: str
    whom: str | None = None


def answer(event: Message, choices: Sequence[Choice], *, is_alone: bool = False) -> Postback | None:
    """The Postback that an answer in text means; None when it means none, or not certainly one.

    In this order: the number of a choice, in the digits of any script ("2", "2.", "(2)", its emoji), or a title in any
    case, also with its number before it; a title without accents, pictures, spaces and outer marks; a title with one
    or two slips of the finger. An answer that means two keys equally well means none: a wrong purchase is worse than
    another question. The Postback keeps the event's id, contact, time, raw webhook and reply_to. `is_alone`: the
    conversation is one person's, whatever ids they have.
    """
    if not choices or event.kind != "text" or len(event.text) > _MOST_TYPED:
        return None
    own = [choice for choice in choices if is_alone or choice.whom in {None, event.contact.id}]
    choice = None if is_blank(event.text) else _meant(event.text, own)
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
    spoke: bool = False,
    keys_return: bool = False,
) -> tuple[Choice, ...]:
    """The choices open in a thread after a turn that begins with `standing`; `offered` are those of its plans.

    The last plan with choices replaces all others: a number or a title means the list that the contact saw last.
    Without one, `standing` stays open until it is answered or the turn asks another question (`asked`). `answered`
    is the key of the turn's Postback, pressed or typed; a key outside `standing` closes nothing. After a question,
    `offered` begins with the plan of that question. Where our side only `spoke`, bare numbers answer no more, nor do
    titles of native buttons whose presses bring their keys (`keys_return`).
    """
    for choices in reversed(offered):
        if choices:
            return tuple(choices)
    if asked or any(choice.key == answered for choice in standing):
        return ()
    return passed_over(standing, keys_return=keys_return) if spoke else tuple(standing)


def passed_over(standing: Sequence[Choice], *, keys_return: bool) -> tuple[Choice, ...]:
    """Choices that are no longer the last thing said: without numbers, and titles only where they cannot be a number.

    A press that comes back as its title stays possible.
    """
    return tuple(
        choice if choice.number is None else changed(choice, number=NO_NUMBER)
        for choice in standing
        if (not keys_return if choice.number is None else title_number(choice.title) is None)
    )


def number_choices(titles: Sequence[str]) -> list[int]:
    """A number for each title, from 1 up. A title that is a number gets that number, so typing it is safe."""
    own: dict[int, int] = {}
    for index, title in enumerate(titles):
        value = title_number(title)
        if value is not None and value not in own.values():
            own[index] = value
    free = (number for number in count(1) if number not in own.values())
    return [own[index] if index in own else next(free) for index in range(len(titles))]


def title_number(title: str) -> int | None:
    """The number of a title that is only a number ("5", "5 ★")."""
    return _number(fold(title))


def shorten_titles(
    titles: Sequence[str], limit: int | None, size: Size = len, *, places: Sequence[object] = ()
) -> list[str] | None:
    """The titles in at most `limit`, as `size` counts; None when two would read the same, or one would be empty.

    With `places`, one for each title, equal titles in different places do not read the same.
    """
    short = [cut for title in titles if (cut := cut_text(title, limit, size)) is not None]
    if len(short) < len(titles):
        return None
    seen = set(zip(places or repeat(None), map(spelling, short)))  # noqa: B905 - as many places as there are titles
    return short if len(seen) == len(titles) else None


def _meant(typed: str, choices: Sequence[Choice]) -> Choice | None:
    """The choice that a text means: by its line, number or exact title, else by its words, else by a near miss."""
    text, words = spelling(typed), fold(typed)
    number, line = _number(words), _LINE.fullmatch(text)
    hits = [
        choice
        for choice in choices
        if (number and choice.number == number)
        or (title := spelling(choice.title)) == text
        or (
            line
            and choice.number in {int(line[1]), NO_NUMBER}
            and (line[2] == title or line[2].startswith(f"{title} - "))
        )
    ]
    hits = hits or [choice for choice in choices if fold(choice.title) == words]
    if hits:
        return _only(hits)
    plain = _plain(words)
    titles = [(choice, _plain(fold(choice.title))) for choice in choices]
    closed_up = plain.replace(" ", "")
    hits = [choice for choice, title in titles if title.replace(" ", "") == closed_up]
    if hits or not _SHORT_WORD <= len(plain) <= _LONGEST:
        return _only(hits)
    return _misspelt(plain, titles)


def _only(hits: Sequence[Choice]) -> Choice | None:
    return hits[0] if len({choice.key for choice in hits}) == 1 else None


def _misspelt(text: str, titles: Sequence[tuple[Choice, str]]) -> Choice | None:
    """The one choice that `text` misspells, if every other title is clearly farther away."""
    near = [(choice, slips) for choice, title in titles if (slips := _slips(text, title)) is not None]
    choice = _only([candidate for candidate, _ in near])
    if choice is None:
        return None
    most = min(slips for _, slips in near) + 1
    for candidate, title in titles:
        is_close = abs(len(title) - len(text)) <= most and _distance(text, title) <= most
        if candidate.key != choice.key and is_close:
            return None
    return choice


def _slips(text: str, title: str) -> int | None:
    """The number of slips that turn the title into `text`; None when it reads like something else.

    Only words that begin alike count: "unsubscribe" is no misspelt "subscribe", nor is "dont" a "do".
    """
    words, wanted = text.split(), title.split()
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


def _distance(first: str, second: str) -> int:
    """Letters missing, added, mistaken or swapped with their neighbour (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        row = [i]
        for j, wanted in enumerate(second, 1):
            steps = min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == wanted:
                steps = min(steps, before[j - 2] + 1)
            row.append(steps)
        before, last = last, row
    return last[-1]


def _number(text: str) -> int | None:
    match = _NUMBER.fullmatch(text)
    return int(match[1]) if match else None


def _plain(words: str) -> str:
    """Folded text without accents, pictures, hyphens, apostrophes and marks between its words."""
    bare = normalized("NFC", _ACCENT.sub("", normalized("NFD", words)))
    bare = _PAUSE.sub(" ", _ORNAMENT.sub("", bare))
    return fold(bare) or words
