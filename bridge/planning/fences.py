"""Code blocks between fences (CommonMark, 4.5), which a split closes in one message and opens again in the next."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_FENCE: Final = re.compile(r"^ {0,3}(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
_SHARE: Final = 4
"""Fences that take more than this part of a message are left alone: they would crowd out the code."""


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Where a block lies among the letters of a text, and the two lines around its code."""

    start: int
    code: int
    code_end: int
    end: int
    opening: str
    closing: str


class CodeBlocks:
    """The blocks of a text, in order. A fence that nothing closes is text."""

    def __init__(self, letters: Sequence[str], limit: int, size: Callable[[str], int]) -> None:
        """`letters` are a text, and `limit` is the most that `size` may count in a message."""
        text = "".join(letters)
        offsets = [0, *accumulate(map(len, letters))] if has_fences(text) else []
        self._blocks: list[CodeBlock] = []
        self.closing_size = 0
        for opening, closing in _pairs(text) if offsets else ():
            first, last = opening[1] + opening[2].rstrip() + "\n", "\n" + closing[1]
            if size(first + last) * _SHARE <= limit:
                places = (opening.start(1), min(opening.end() + 1, closing.start()), closing.start(), closing.end(1))
                start, code, code_end, end = (bisect_left(offsets, place) for place in places)
                self._blocks.append(CodeBlock(start, code, code_end, end, first, last))
                self.closing_size = max(self.closing_size, size(last))

    def parted(self, at: int) -> CodeBlock | None:
        """The block that a seam before letter `at` parts."""
        before = bisect_left(self._blocks, at, key=lambda block: block.start)
        return self._blocks[before - 1] if before and at < self._blocks[before - 1].end else None


def has_fences(text: str) -> bool:
    """Whether there may be a block at all."""
    return "```" in text or "~~~" in text


def _pairs(text: str) -> Iterator[tuple[re.Match[str], re.Match[str]]]:
    """The fences that open a block, each with the one that closes it."""
    opening: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        mark, words = fence[1], fence[2]
        if opening is None:
            opening = None if mark[0] == "`" and "`" in words else fence
        elif mark.startswith(opening[1]) and not words.strip():
            yield opening, fence
            opening = None
