"""Markdown (CommonMark, with `~~strikethrough~~`) as letters with styles. markdown-it-py reads it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

from bridge.planning.dialects import NONE, Style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

Run: TypeAlias = tuple[str, Style]
"""A text, and the styles of all its letters."""

_STYLES: Final = {"strong": Style.BOLD, "em": Style.ITALIC, "s": Style.STRIKE}
_MARK: Final = re.compile(r"([!-/:-@\[-`{-~])")
_BLANK_LINES: Final = re.compile(r"\n\s*\n")
_RULE: Final = "———"


def escape_markdown(text: str) -> str:
    """A text to put into markdown, in which it reads as it is: a contact's name, a product's.

    White space at its ends and blank lines are left out, for they would end the mark around them.
    """
    return _MARK.sub(r"\\\1", _BLANK_LINES.sub("\n", text.strip()))


def read_markdown(text: str, bullet: str) -> list[Run]:
    """The text as a reader sees it, in runs; `bullet` begins the lines of lists. Line ends and blank lines stay."""
    return _Reader(bullet).read(_parser().parse(text))


@cache
def _parser() -> MarkdownIt:
    """The parser, imported at the first text that needs it.

    Code by indentation and definitions of links are no part of chat: they would swallow what people write.
    """
    from markdown_it import MarkdownIt  # noqa: PLC0415 - a bot without markdown need not pay for it

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20})
    return parser.enable("strikethrough").disable(["code", "reference", "html_block", "html_inline"])


class _Reader:
    """Puts the tokens of a document together."""

    def __init__(self, bullet: str) -> None:
        self._bullet = bullet
        self._runs: list[Run] = []
        self._styles: list[Style] = []
        self._lists = 0
        self._line: int | None = None
        """The line after the last block; None: nothing stands between it and the next one."""

    def read(self, tokens: Sequence[Token]) -> list[Run]:
        """The runs of a document."""
        for token in tokens:
            self._block(token)
        return self._runs

    def _block(self, token: Token) -> None:
        match token.type:
            case "blockquote_open":
                self._styles.append(Style.QUOTE)
            case "heading_open":
                self._begin(token)
                self._styles.append(Style.BOLD)
            case "blockquote_close" | "heading_close":
                self._styles.pop()
            case "bullet_list_open" | "ordered_list_open" | "bullet_list_close" | "ordered_list_close":
                self._lists += token.nesting
            case "list_item_open":
                self._begin(token)
                label = f"{token.info}{token.markup} " if token.info else self._bullet
                self._add("  " * (self._lists - 1) + label)
                self._line = None
            case "paragraph_open":
                self._begin(token)
            case "inline":
                self._inline(token.children or [])
            case "fence":
                self._begin(token)
                self._runs.append((token.content.rstrip("\n"), Style.BLOCK))
            case "hr":
                self._begin(token)
                self._add(_RULE)

    def _begin(self, token: Token) -> None:
        """Begin a block: on a line of its own, with a blank line before it if it had one."""
        first, after = token.map or (0, 0)
        if self._line is not None:
            self._add("\n\n" if first > self._line else "\n")
        self._line = after

    def _inline(self, tokens: Sequence[Token]) -> None:
        links: list[tuple[int, str]] = []
        for token in tokens:
            name, _, end = token.type.rpartition("_")
            if name in _STYLES and end == "open":
                self._styles.append(_STYLES[name])
            elif name in _STYLES:
                self._styles.pop()
            elif token.type == "link_open":
                links.append((len(self._runs), str(token.attrGet("href"))))
            elif token.type == "link_close":
                self._link(*links.pop())
            else:
                self._piece(token)

    def _piece(self, token: Token) -> None:
        match token.type:
            case "softbreak" | "hardbreak":
                self._add("\n")
            case "code_inline":
                self._add(token.content, Style.CODE)
            case "image":
                start = len(self._runs)
                self._inline(token.children or [])
                self._link(start, str(token.attrGet("src")))
            case _:
                self._add(token.content)

    def _link(self, start: int, url: str) -> None:
        """The URL behind the words that began at run `start`, or in their place when they are the same."""
        words = "".join(text for text, _ in self._runs[start:])
        if words in {url, url.removeprefix("mailto:"), ""}:
            del self._runs[start:]
            self._add(words or url, Style.VERBATIM)
            return
        self._add(" (")
        self._add(url, Style.VERBATIM)
        self._add(")")

    def _add(self, text: str, style: Style = NONE) -> None:
        for outer in self._styles:
            style |= outer
        self._runs.append((text, style))
