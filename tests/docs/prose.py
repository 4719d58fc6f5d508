"""The prose of a page: its lines, and the sentences of its paragraphs, list items and table cells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_FENCED: Final = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"(`+).+?\1")
_IMAGE: Final = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MARK: Final = re.compile(r"(?:[-*+]|\d+\.) +")
_END: Final = re.compile(r"""(?<!\be\.g)(?<!\bno)(?<=[\w`)"'%])[.!?]+["')]*(?=$| (?:[A-Z0-9"'(]|x\b|threadbridge\b))""")
_WORD: Final = re.compile(r"\w[^\s/]*")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of prose as a reader sees it: each piece of code is the word `x`."""

    number: int
    text: str

    @property
    def is_heading(self) -> bool:
        return self.text.startswith("#")

    @property
    def is_row(self) -> bool:
        return self.text.startswith("|")

    @property
    def parts(self) -> list[str]:
        """The cells of a table row, or the line without the mark of its heading or list."""
        if self.is_row:
            return [cell.strip() for cell in self.text.strip("|").split("|")]
        return [_MARK.sub("", self.text.lstrip("#> "), count=1)]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a line."""

    line: Line
    text: str

    @property
    def words(self) -> int:
        return len(_WORD.findall(self.text))

    def __str__(self) -> str:
        return f"line {self.line.number}, {self.words} words: {self.text}"


def lines_of(text: str) -> Iterator[Line]:
    """The lines of a page in Markdown, without code blocks, comments and blank lines."""
    content = 0  # where the text of the open list item begins: an indented block begins four columns behind it
    lines = _FENCED.sub(lambda block: "\n" * block[0].count("\n"), text).splitlines()
    for number, line in enumerate(lines, 1):
        bare = line.lstrip()
        indent = len(line) - len(bare)
        if indent < content and not _MARK.match(bare):
            content = content if not bare else indent
        if bare and indent < content + 4 and not bare.startswith("<!--"):
            yield Line(number, _as_read(bare))
            if mark := _MARK.match(bare):
                content = indent + len(mark[0])


def _as_read(line: str) -> str:
    return _LINK.sub(r"\1", _IMAGE.sub("", _CODE.sub("x", line))).replace("**", "")


def sentences_of(text: str) -> list[Sentence]:
    """Every sentence of a page, in order."""
    return [Sentence(line, sentence) for line in lines_of(text) for part in line.parts for sentence in split(part)]


def split(text: str) -> list[str]:
    """The sentences of a line or a cell."""
    ends = [match.end() for match in _END.finditer(text)]
    pieces = (text[start:end].strip() for start, end in zip([0, *ends], [*ends, len(text)], strict=True))
    return [piece for piece in pieces if piece]
