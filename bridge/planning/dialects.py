"""Dialects: the marks that a channel shows as bold, italics and so on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Style(IntFlag):
    """The looks of a letter. The lower one is around the higher one."""

    QUOTE = 1
    BLOCK = 2
    """A block of code: its white space counts."""
    BOLD = 4
    ITALIC = 8
    STRIKE = 16
    CODE = 32
    VERBATIM = 64
    """A link: it has no marks, and no letter of it changes."""


NONE: Final = Style(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dialect:
    """How a channel writes styles: what stands before and after their letters.

    Without a mark a style is not shown. `bullet` begins a line of a list. The styles `in_line` end with their line.
    `at_words`: a mark counts only where no letter or digit is on its outer side. `escapes` are written for their
    characters everywhere, `lookalikes` where the channel could take the character for a mark.
    """

    name: str
    marks: Mapping[Style, tuple[str, str]] = field(default_factory=dict)
    bullet: str = "• "
    in_line: Style = NONE
    at_words: bool = False
    escapes: Mapping[str, str] = field(default_factory=dict)
    lookalikes: Mapping[str, str] = field(default_factory=dict)


BARE: Final = Dialect(name="bare")
"""Words alone, for messages that are too short for marks."""

PLAIN: Final = Dialect(name="plain", marks=MappingProxyType({Style.QUOTE: ("│ ", "")}), in_line=Style.QUOTE)
"""No marks but a line beside a quote."""

WHATSAPP: Final = Dialect(
    name="whatsapp",
    marks=MappingProxyType(
        {
            Style.QUOTE: ("> ", ""),
            Style.BLOCK: ("```\n", "\n```"),
            Style.BOLD: ("*", "*"),
            Style.ITALIC: ("_", "_"),
            Style.STRIKE: ("~", "~"),
            Style.CODE: ("`", "`"),
        }
    ),
    bullet="- ",
    in_line=Style.QUOTE | Style.BOLD | Style.ITALIC | Style.STRIKE | Style.CODE,
    at_words=True,
    lookalikes=MappingProxyType({"*": "∗", "_": "＿", "~": "∼", "`": "‵", ">": "›"}),  # noqa: RUF001 - so they look
)
"""The marks that WhatsApp's phones read in any text (faq.whatsapp.com, "How to format your messages")."""

TELEGRAM_HTML: Final = Dialect(
    name="telegram-html",
    marks=MappingProxyType(
        {
            Style.QUOTE: ("<blockquote>", "</blockquote>"),
            Style.BLOCK: ("<pre>", "</pre>"),
            Style.BOLD: ("<b>", "</b>"),
            Style.ITALIC: ("<i>", "</i>"),
            Style.STRIKE: ("<s>", "</s>"),
            Style.CODE: ("<code>", "</code>"),
        }
    ),
    escapes=MappingProxyType({"&": "&amp;", "<": "&lt;", ">": "&gt;"}),
)
"""Telegram's HTML (core.telegram.org/bots/api, "HTML style"), for a provider that sends `parse_mode` itself."""
