"""Splits text to a channel's length: between sentences or words, never inside a grapheme."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from bridge.planning.fences import CodeBlock, CodeBlocks, has_fences
from bridge.text.late_regex import late

Size: TypeAlias = Callable[[str], int]
"""Counts a text as a channel does."""

_GRAPHEME: Final = late(r"\p{RI}{1,2}[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*|\X")
"""A flag by itself: in a run of flags `\\X` counts back to the first one at each."""
_OPEN_ENDS: Final = frozenset(".!?…؟۔।॥")
"""Marks that end a sentence where a space follows."""
_SHUT_ENDS: Final = frozenset("。！？｡")
"""Marks that end a sentence without a space after them."""
_MAY_END: Final = re.compile(f"[\\s{''.join(_SHUT_ENDS)}]")
_CLOSERS: Final = frozenset("\"')]}»”’」』）*_")
"""Marks between the end of a sentence and its space."""
_WORD, _SENTENCE, _LINE, _PARAGRAPH = range(1, 5)


def graphemes(text: str) -> list[str]:
    """The letters that a reader sees: extended grapheme clusters of Unicode's UAX #29."""
    if text.isascii() and "\r" not in text:
        return list(text)
    return _GRAPHEME.findall(text)


def split_text(text: str, limit: int | None, size: Size = len) -> list[str]:
    """One or more pieces of at most `limit` (None: no limit), as `size` counts; none of them empty.

    A piece ends with a paragraph, line or sentence that ends in its second half, else between two words, else
    between two graphemes. White space at a seam is left out. A grapheme longer than `limit` is cut.
    A code block is closed at the end of a piece and opened again in the next; the indentation of its lines is kept.
    """
    if limit is None or (len(text) <= limit and size(text) <= limit):
        return [text]
    longest = limit // 2 if has_fences(text) else limit
    letters = [piece for grapheme in graphemes(text) for piece in fragments(grapheme, longest, size)]
    widths = list(map(size, letters))
    pieces: list[str] = []
    start, parted = past_space(letters, 0), None
    blocks = CodeBlocks(letters, limit, size)
    while start < len(letters):
        end, cut = _end(letters, widths, blocks, start, limit - size(parted.opening if parted else ""))
        last = end if cut is None else min(end, cut.code_end)
        while last > start and letters[last - 1].isspace():
            last -= 1
        if last > start:
            opening, closing = parted.opening if parted else "", cut.closing if cut else ""
            pieces.append(opening + "".join(letters[start:last]) + closing)
        parted = cut if cut is not None and past_space(letters, end) < cut.code_end else None
        start = past_lines(letters, end, limit) if parted else past_space(letters, cut.end if cut else end)
    return pieces or [text[:limit]]


def _end(
    letters: list[str], widths: list[int], blocks: CodeBlocks, start: int, room: int
) -> tuple[int, CodeBlock | None]:
    """The end of the piece that begins at `start`, and the code block that it parts, for which it leaves room."""
    least = past_space(letters, start)
    if (own := blocks.parted(least + 1)) and own.start == start:
        least = own.code
    end = seam(letters, start, room, widths, least)
    cut = blocks.parted(end)
    if cut is not None:
        end = seam(letters, start, room - blocks.closing_size, widths, least)
        cut = blocks.parted(end)
    if cut is not None and end <= cut.code and cut.start > start:  # nothing of its code is here
        return cut.start, None
    return end, cut


def cut_text(text: str, limit: int | None, size: Size = len) -> str | None:
    """The text in at most `limit`, as `size` counts, an ellipsis at a cut; None when nothing is left."""
    if limit is None or (len(text) <= limit and size(text) <= limit):
        return text
    kept, room = "", limit - 1
    for grapheme in graphemes(text):
        room -= size(grapheme)
        if room < 0:
            break
        kept += grapheme
    kept = kept.rstrip()
    return kept + "…" if kept else None


def fragments(grapheme: str, limit: int, size: Size) -> list[str]:
    """A grapheme, in pieces if it is longer than a whole message."""
    if len(grapheme) == 1 or (length := size(grapheme)) <= limit:
        return [grapheme]
    step = limit if length == len(grapheme) else max(limit // 2, 1)
    return [grapheme[at : at + step] for at in range(0, len(grapheme), step)]


def past_space(letters: list[str], start: int) -> int:
    """The first letter from `start` on that is no white space."""
    while start < len(letters) and letters[start].isspace():
        start += 1
    return start


def past_lines(letters: list[str], start: int, limit: int) -> int:
    """Past white space, but not past the indentation of a line, unless that is a quarter of a message."""
    line = past = past_space(letters, start)
    while line > start and "\n" not in letters[line - 1]:
        line -= 1
    return line if line > start and (past - line) * 4 <= limit else past


def seam(letters: list[str], start: int, limit: int, widths: list[int], least: int) -> int:
    """The best end for the piece that begins at `start`: behind `least`, unless there is no room for as much.

    `widths` are what the letters take of `limit`.
    """
    end, room = start, limit
    while end < len(letters) and (end == start or widths[end] <= room):
        room -= widths[end]
        end += 1
    if end == len(letters):
        return end
    if not _MAY_END.search("".join(letters[start : end + 1])):
        return end
    latest: dict[int, int] = {}
    for at in range(end, least, -1):
        # Most letters are neither, and a call for each takes long.
        if (letters[at].isspace() or letters[at - 1] in _SHUT_ENDS) and (strength := _strength(letters, at)):
            latest.setdefault(strength, at)
            if strength == _PARAGRAPH:
                break
        if latest and (at - start) * 2 < end - start:
            break
    for strength in (_PARAGRAPH, _LINE, _SENTENCE):
        at = latest.get(strength, start)
        if (at - start) * 2 >= end - start:
            return at
    return max(latest.values(), default=end)


def _strength(letters: list[str], at: int) -> int:
    """The strength of a seam before `letters[at]`; 0 inside a word."""
    if not letters[at].isspace():
        return _SENTENCE if letters[at - 1] in _SHUT_ENDS and letters[at] not in _CLOSERS else 0
    if "\n" in letters[at]:
        return _PARAGRAPH if at + 1 < len(letters) and "\n" in letters[at + 1] else _LINE
    mark = at - 1
    while mark > 0 and letters[mark] in _CLOSERS:
        mark -= 1
    # "12. Title" is a line of a list, not the end of a sentence.
    ends = letters[mark] in _SHUT_ENDS or (letters[mark] in _OPEN_ENDS and not (mark and letters[mark - 1].isdigit()))
    return _SENTENCE if ends else _WORD
