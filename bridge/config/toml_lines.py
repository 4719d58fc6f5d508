"""The line of each key of a TOML text, which the standard library's parser does not tell."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from bridge.config.problems import KeyPath

_Piece: TypeAlias = "tuple[str, str, int]"
"""Kind, text and line."""

_PIECE: Final = re.compile(
    r"""(?P<skip>[ \t\r\ufeff]+|\#[^\n]*)
      | (?P<end>\n)
      | (?P<text>\"{3}(?:[^\\]|\\.)*?\"{3,5}|'{3}.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')
      | (?P<mark>[\[\]{}=,.])
      | (?P<bare>[^\s\[\]{}=,."'\#]+)""",
    re.VERBOSE | re.DOTALL,
)


def toml_lines(text: str) -> dict[KeyPath, int]:
    """The line of each table, key and item of a text that is TOML, counted from 1."""
    tokens: list[_Piece] = []
    line = 1
    for match in _PIECE.finditer(text):
        if match.lastgroup != "skip":
            tokens.append((str(match.lastgroup), match[0], line))
        line += match[0].count("\n")
    reader = _Reader(tokens)
    reader.document()
    return reader.lines


class _Reader:
    """Reads the tokens of a valid text from the left, and notes the places of keys."""

    def __init__(self, tokens: list[_Piece]) -> None:
        self._tokens = [*tokens, ("end", "", tokens[-1][2] if tokens else 1)]
        self._at = 0
        self._arrays: dict[KeyPath, int] = {}
        """The last index of each array of tables."""
        self.lines: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        while self._at < len(self._tokens):
            kind, word, line = self._tokens[self._at]
            if kind == "end":
                self._at += 1
            elif word == "[":
                table = self._header()
                self.lines.setdefault(table, line)
            else:
                self._pair(table)

    def _header(self) -> KeyPath:
        start = self._at
        while self._word() == "[":
            self._at += 1
        names = self._key("]")
        is_array = self._tokens[start + 1][1] == "["
        self._at += 2 if is_array else 1
        path: KeyPath = ()
        for position, name in enumerate(names):
            path = (*path, name)
            if is_array and position == len(names) - 1:
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                path = (*path, self._arrays[path])
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._tokens[self._at][2]
        path = table
        for name in self._key("="):
            path = (*path, name)
            self.lines.setdefault(path, line)
        self._at += 1
        self._value(path)

    def _key(self, until: str) -> list[str]:
        names = []
        while (word := self._word()) != until:
            if word != ".":
                names.append(str(tomllib.loads(f"key = {word}")["key"]) if word[0] in "\"'" else word)
            self._at += 1
        return names

    def _value(self, path: KeyPath) -> None:
        match self._word():
            case "[":
                self._array(path)
            case "{":
                self._at += 1
                while self._word_after_lines() != "}":
                    if self._word() == ",":
                        self._at += 1
                    else:
                        self._pair(path)
                self._at += 1
            case _:
                while self._word() not in {",", "]", "}"} and self._tokens[self._at][0] != "end":
                    self._at += 1

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while (word := self._word_after_lines()) != "]":
            if word == ",":
                self._at += 1
                continue
            self.lines[(*path, index)] = self._tokens[self._at][2]
            self._value((*path, index))
            index += 1
        self._at += 1

    def _word(self) -> str:
        return self._tokens[self._at][1]

    def _word_after_lines(self) -> str:
        while self._tokens[self._at][0] == "end":
            self._at += 1
        return self._word()
