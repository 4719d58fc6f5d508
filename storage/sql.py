"""The author's SQL as tokens: where it has placeholders, which statement it is, and which names it says.

What stands in a literal, a quoted name or a comment is never taken for anything else. Whether the statement makes
sense is the database's to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.errors import HandlerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SPACE: Final = r"(?P<space>\s+|--[^\n]*)"
_NAME: Final = r'"(?:[^"]|"")*+"'
_TEXT: Final = r"'(?:[^']|'')*+'"
_WORD: Final = r"(?P<word>[^\W\d][\w$]*)"
_REST: Final = r"(?P<number>\d[\w.]*)|(?P<end>;)|(?P<other>.)"
_SQLITE: Final = re.compile(
    rf"{_SPACE}|(?P<comment>/\*(?:.*?\*/|.*))"
    rf"|(?P<text>{_TEXT})|(?P<name>{_NAME}|`(?:[^`]|``)*+`|\[[^\]]*\])"
    rf"|(?P<mark>\?(?!\d))|(?P<numbered>\?\d+|[$@:#][\w$]+)|{_WORD}|{_REST}",
    re.DOTALL,
)
_POSTGRES: Final = re.compile(
    rf"{_SPACE}|(?P<comment>/\*)"
    rf"|(?P<text>[eE]'(?:[^'\\]|\\.|'')*+'|(?:[bBxXnN]|[uU]&)?{_TEXT}|(?P<tag>\$(?:[^\W\d]\w*)?\$).*?(?P=tag))"
    rf"|(?P<name>(?:[uU]&)?{_NAME})|(?P<numbered>\$\d+)|(?P<mark>\?)|{_WORD}|{_REST}",
    re.DOTALL,
)
_NESTED: Final = re.compile(r"/\*|\*/")
_QUOTES: Final = frozenset("'\"`[")
_BODIED: Final = frozenset({"TRIGGER", "FUNCTION", "PROCEDURE"})
"""What may have a body of statements."""
_SILENT: Final = frozenset({"space", "comment"})


class Token(NamedTuple):
    """A piece of SQL: a word, a quoted name, a text, a mark (`?`), a numbered placeholder, the end (`;`), the rest."""

    kind: str
    text: str
    start: int

    @property
    def folded(self) -> str:
        """A name as the database compares it; "" for what names nothing."""
        if self.kind == "word":
            return self.text.lower()
        return self.text[1:-1].replace('""', '"') if self.kind == "name" else ""


class Dialect(NamedTuple):
    """How a database reads a text. Without `nests` a comment ends at the first end."""

    tokens: re.Pattern[str]
    nests: bool


SQLITE: Final = Dialect(_SQLITE, nests=False)
POSTGRES: Final = Dialect(_POSTGRES, nests=True)


@dataclass(frozen=True)
class Read:
    """A text of SQL, read."""

    sql: str
    tokens: Sequence[Token]

    @property
    def kind(self) -> str:
        """The word that says what the statement does, in capitals: of `(SELECT 1)` it is SELECT."""
        first = next((token for token in self.tokens if token.text != "("), None)
        return first.text.upper() if first is not None and first.kind == "word" else ""

    @property
    def is_one(self) -> bool:
        """Whether nothing but spaces and comments follows the end of the statement."""
        ends = [place for place, token in enumerate(self.tokens) if token.kind == "end"]
        return not ends or ends[0] == len(self.tokens) - 1

    @cached_property
    def placeholders(self) -> int:
        """How many values it takes."""
        if self.is_numbered:
            return max(int(token.text[1:]) for token in self.tokens if token.kind == "numbered")
        return sum(token.kind == "mark" for token in self.tokens)

    @cached_property
    def is_numbered(self) -> bool:
        """Whether its placeholders have numbers (or names)."""
        return any(token.kind == "numbered" for token in self.tokens)

    def numbered(self) -> str:
        """The text with $1, $2, … for each `?`."""
        pieces, after, number = [], 0, 0
        for token in self.tokens:
            if token.kind == "mark":
                number += 1
                pieces += [self.sql[after : token.start], f"${number}"]
                after = token.start + 1
        return "".join((*pieces, self.sql[after:]))


@lru_cache(maxsize=512)
def read(sql: str, dialect: Dialect) -> Read:
    """A text of SQL. Raises HandlerError where a literal, a name or a comment does not end."""
    return Read(sql, tuple(token for token in _tokens(sql, dialect) if token.kind not in _SILENT))


def _tokens(sql: str, dialect: Dialect) -> Iterator[Token]:
    at = 0
    while at < len(sql):
        match = dialect.tokens.match(sql, at)
        assert match is not None
        kind, end = match.lastgroup or "", match.end()
        if kind == "comment" and dialect.nests:
            end = _end_of_comment(sql, at)
        if kind == "other" and sql[at] in _QUOTES and not (sql[at] == "[" and dialect.nests):
            raise HandlerError(f"SQL that does not end: {sql[at : at + 20]!r} has no closing quote")
        yield Token(kind, sql[at:end], at)
        at = end


def _end_of_comment(sql: str, start: int) -> int:
    """Where a comment ends that may hold others."""
    depth, at = 0, start
    while (match := _NESTED.search(sql, at)) is not None:
        depth += 1 if match[0] == "/*" else -1
        at = match.end()
        if not depth:
            return at
    raise HandlerError("SQL that does not end: a comment has no end")


def split(sql: str, dialect: Dialect) -> list[str]:
    """A text of SQL by the ends in it, each part with its own. The body of a trigger or a function stays whole."""
    parts: list[str] = []
    words: list[str] = []
    after = depth = 0
    for token in read(sql, dialect).tokens:
        word = token.text.upper() if token.kind == "word" else ""
        if word == "BEGIN" and words[:1] == ["CREATE"] and not _BODIED.isdisjoint(words):
            depth += 1
        elif depth and word in {"CASE", "END"}:
            depth += 1 if word == "CASE" else -1
        elif token.kind == "end" and not depth:
            parts.append(sql[after : token.start + 1])
            after, words = token.start + 1, []
            continue
        words.append(word)
    return [*parts, sql[after:]] if words else parts
