"""Letters with styles, in the dialect of a channel: split so that each part has all its marks."""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from bridge.messages import Text
from bridge.planning.dialects import BARE, NONE, Style
from bridge.planning.markdown import read_markdown
from bridge.planning.plain import BLANK, Degraded
from bridge.planning.split import fragments, graphemes, past_lines, past_space, seam
from bridge.text.equal_text import is_blank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.planning.capabilities import Capabilities
    from bridge.planning.dialects import Dialect
    from bridge.planning.markdown import Run
    from bridge.planning.split import Size

_INLINE: Final = (Style.BOLD, Style.ITALIC, Style.STRIKE, Style.CODE)
_AROUND: Final = (Style.QUOTE, Style.BLOCK, *_INLINE)
_URL: Final = re.compile(r"https?://[^\s<>]+")
_SHARE: Final = 4
"""Marks that take more than this part of a message are left out: they would crowd out the words."""


class Marked:
    """A text with styles, as one dialect writes it."""

    def __init__(self, runs: Sequence[Run], dialect: Dialect, limit: int | None, size: Size) -> None:
        """`limit` is the most that `size` may count in a message (None: no limit)."""
        self._dialect = dialect
        self._limit = limit
        self._size = size
        self._turns: dict[tuple[Style, Style], str] = {}
        self._letters, self._styles = _letters(runs, limit, size)
        self.lost = NONE
        """The styles that the dialect does not show here."""
        self.changed = 0
        """The characters that stand for others, which would be marks."""
        self._fit_styles()

    @property
    def crowds(self) -> bool:
        """Whether the marks leave too little room for words."""
        marks = (self._size(self._turn(NONE, style) + self._turn(style, NONE)) for style in set(self._styles))
        most = max(marks, default=0) + max(map(len, self._dialect.escapes.values()), default=0)
        return self._limit is not None and most * _SHARE > self._limit

    def pieces(self) -> list[str]:
        """The text in messages, each within the limit, none blank; a mark that a seam cuts is closed and reopened."""
        letters, limit = self._letters, sys.maxsize if self._limit is None else self._limit
        widths = self._widths()
        closing = max((self._size(self._turn(style, NONE)) for style in set(self._styles)), default=0)
        pieces: list[str] = []
        start = past_space(letters, 0)
        while start < len(letters):
            ahead = self._size(self._turn(NONE, self._styles[start])) - self._size(self._before(start))
            end = seam(letters, start, limit - ahead - closing, widths, past_space(letters, start))
            last = end
            while last > start and letters[last - 1].isspace():
                last -= 1
            if last > start:
                pieces.append(self._written(start, last))
            in_block = end < len(letters) and Style.BLOCK in self._styles[end]
            start = past_lines(letters, end, limit) if in_block else past_space(letters, end)
        return pieces

    def _fit_styles(self) -> None:
        """Drop the styles that the dialect cannot write where they are."""
        for style in set(self._styles):
            self.lost |= style & ~Style.VERBATIM
        for style in self._dialect.marks:
            self.lost &= ~style
        if self._dialect.at_words:
            for style in _INLINE:
                self._drop_inside_words(style)
        self._close_up()

    def _drop_inside_words(self, style: Style) -> None:
        """Take a style off the runs that begin or end inside of a word."""
        letters, styles = self._letters, self._styles
        start = None
        for at in range(len(letters) + 1):
            inside = at < len(letters) and style in styles[at]
            if inside and start is None:
                start = at
            elif not inside and start is not None:
                before = start > 0 and letters[start - 1][-1].isalnum()
                if before or (at < len(letters) and letters[at][0].isalnum()):
                    self.lost |= style
                    styles[start:at] = [other & ~style for other in styles[start:at]]
                start = None

    def _close_up(self) -> None:
        """White space has the styles that go on behind it: a mark stands beside a letter."""
        letters, styles, before, gap = self._letters, self._styles, NONE, 0
        for at in range(len(letters) + 1):
            after = styles[at] if at < len(letters) else NONE
            if at < len(letters) and letters[at].isspace() and Style.BLOCK not in after:
                continue
            if gap < at:
                around = self._shared(before, after) & ~Style.BLOCK
                if any("\n" in letter for letter in letters[gap:at]):
                    around &= ~self._dialect.in_line
                styles[gap:at] = [around] * (at - gap)
            before, gap = after, at + 1

    def _shared(self, one: Style, other: Style) -> Style:
        """The outer styles that both have."""
        shared = NONE
        for style in _AROUND:
            if style in one and style in other:
                shared |= style
            elif (one | other) & style:
                break
        return shared

    def _turn(self, before: Style, after: Style) -> str:
        """The marks between a letter and the next."""
        marks = self._turns.get((before, after))
        if marks is None:
            shared = self._shared(before, after)
            known = [(style, self._dialect.marks[style]) for style in _AROUND if style in self._dialect.marks]
            closing = [shut for style, (_, shut) in known if style in before & ~shared]
            opening = [begin for style, (begin, _) in known if style in after & ~shared]
            marks = self._turns[before, after] = "".join((*reversed(closing), *opening))
        return marks

    def _before(self, at: int) -> str:
        return self._turn(self._styles[at - 1] if at else NONE, self._styles[at])

    def _widths(self) -> list[int]:
        """The room that each letter takes, with the marks before it."""
        escapes = self._dialect.escapes
        widths = [self._size(escapes.get(letter, letter)) for letter in self._letters]
        for at, (before, after) in enumerate(pairwise((NONE, *self._styles))):
            if before != after:
                widths[at] += self._size(self._turn(before, after))
        return widths

    def _written(self, start: int, end: int) -> str:
        """The letters from `start` to `end` as one message."""
        written, before = [], NONE
        for at in range(start, end):
            style = self._styles[at]
            if style != before:
                written.append(self._turn(before, style))
            letter = self._letters[at]
            escaped = self._dialect.escapes.get(letter, letter)
            if letter in self._dialect.lookalikes and self._could_be_mark(at, start, end):
                escaped = self._dialect.lookalikes[letter]
                self.changed += 1
            written.append(escaped)
            before = style
        return "".join((*written, self._turn(before, NONE)))

    def _could_be_mark(self, at: int, start: int, end: int) -> bool:
        """Whether the channel could take a letter for a mark: not between two letters, nor between two spaces."""
        letter, style = self._letters[at], self._styles[at]
        before = self._letters[at - 1] if at > start else "\n"
        after = self._letters[at + 1] if at + 1 < end else "\n"
        if letter == ">":
            return "\n" in before and not style
        if Style.VERBATIM in style or (style & (Style.CODE | Style.BLOCK) and letter != "`"):
            return False
        if Style.BLOCK in style:
            return letter in {before, after}
        if any(other in style and letter in marks for other, marks in self._dialect.marks.items()):
            return True  # it would end its own style
        beside = (self._styles[at - 1] if at > start else NONE, self._styles[at + 1] if at + 1 < end else NONE)
        if any(other != style for other in beside):
            return True  # it stands beside a mark
        in_word = before[-1].isalnum() and after[0].isalnum()
        return not (in_word or (before.isspace() and after.isspace()))


def degrade_markdown(text: str, capabilities: Capabilities) -> Degraded:
    """Markdown in the channel's dialect, split to its length."""
    if "text" not in capabilities.kinds or capabilities.text == 0:
        return Degraded(dropped="text: not carried here")
    marked = marked_up(text, capabilities.dialect, capabilities.text, capabilities.size)
    pieces = marked.pieces()
    if is_blank("".join(pieces)):
        return Degraded(dropped=f"text: {BLANK}")
    notes = []
    if marked.lost:
        lost = ", ".join(str(style.name).lower() for style in Style if style in marked.lost)
        notes.append(f"markdown: {lost}: shown without marks")
    if marked.changed:
        notes.append(f"markdown: {marked.changed} characters would be marks here, and look-alikes stand for them")
    if len(pieces) > 1:
        notes.append(f"text: split into {len(pieces)} messages")
    return Degraded(parts=tuple(map(Text, pieces)), notes=tuple(notes))


def marked_up(text: str, dialect: Dialect, limit: int | None, size: Size) -> Marked:
    """Markdown in a dialect, without marks where they would leave too little room for words."""
    marked = Marked(read_markdown(text, dialect.bullet), dialect, limit, size)
    return Marked(read_markdown(text, BARE.bullet), BARE, limit, size) if marked.crowds else marked


def _letters(runs: Sequence[Run], limit: int | None, size: Size) -> tuple[list[str], list[Style]]:
    """The graphemes of a text, each with the styles of its first character."""
    text = "".join(words for words, _ in runs)
    of_characters = [style for words, style in runs for _ in words]
    for url in _URL.finditer(text):
        for at in range(*url.span()):
            if not of_characters[at] & (Style.BLOCK | Style.CODE):
                of_characters[at] |= Style.VERBATIM
    longest = max((limit or len(text)) // 2, 1)
    letters = [piece for grapheme in graphemes(text) for piece in fragments(grapheme, longest, size)]
    styles, at = [], 0
    for letter in letters:
        style = of_characters[at]
        styles.append(style & (Style.VERBATIM | Style.QUOTE) if Style.VERBATIM in style else style)
        at += len(letter)
    return letters, styles
