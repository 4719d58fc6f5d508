"""Recipients in a CSV file, as spreadsheets write them: each with its line, and each flaw with its own."""

from __future__ import annotations

import codecs
import csv
import io
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.engine.broadcasts.composing import Flaw, Row
from bridge.errors import ConfigError, Problem

if TYPE_CHECKING:
    from _csv import Reader
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bridge.events import ThreadRef

_DELIMITERS: Final = ",;\t|"
_CONTACTS: Final = ("to", "phone", "number")
"""Columns that name the contact, the first that is there; without any of these it is the first column."""
_BOMS: Final = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SEPARATOR: Final = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
"""The first line by which a spreadsheet tells its delimiter."""
_ROUNDED: Final = re.compile(r"\d[.,]\d+E\+\d+", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\+?[\d ()-]{6,}")
_NO_NAME: Final = re.compile(r"\W+")


class Recipients(NamedTuple):
    """What a file holds; `columns` are its names as messages have them. None: each row has columns of its own."""

    columns: Sequence[str] | None
    rows: Sequence[Row]
    flaws: Sequence[Flaw]
    threads: Mapping[int, ThreadRef] = MappingProxyType({})
    """The conversations that rows name by their numbers."""


def read_recipients(file: Path, contact: str | None) -> Recipients:
    """The recipients of a file. `contact` is the column that names them.

    Raises:
        ConfigError: its first line names no columns, or it is no text.
        OSError: it cannot be read.
    """
    text, skipped = _text(file), 0
    if told := _SEPARATOR.match(text):
        text, skipped, delimiter = text[told.end() :], 1, told[1]
    else:
        delimiter = max(_DELIMITERS, key=re.sub(r'"[^"]*"', "", text.partition("\n")[0]).count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = _columns(file, next(lines, []))
        place = _place(file, columns, contact)
        return _rows(lines, columns, place, skipped)
    except csv.Error as error:
        raise _refusal(file, lines.line_num + skipped, f"no CSV: {error}") from None


def _rows(lines: Reader, columns: Sequence[str], place: int, skipped: int) -> Recipients:
    rows: list[Row] = []
    flaws: list[Flaw] = []
    number = lines.line_num
    for cells in lines:
        number, at = lines.line_num, number + 1 + skipped
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            flaws.append(Flaw(at, f"{len(cells)} cells, and the first line names {len(columns)} columns"))
            continue
        values: Mapping[str, str] = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
        to = values[columns[place]].removeprefix("'")
        if _ROUNDED.fullmatch(to):
            flaws.append(Flaw(at, f"{to} is a number that a spreadsheet rounded: keep the column as text"))
        elif not to:
            flaws.append(Flaw(at, f"the column {columns[place]} is blank: it names the contact"))
        else:
            rows.append(Row(at, to, values))
    return Recipients(columns, rows, flaws)


def _text(file: Path) -> str:
    data = file.read_bytes()
    encoding = next((name for bom, name in _BOMS.items() if data.startswith(bom)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refusal(file, line, "not UTF-8: save it as “CSV UTF-8”") from None


def _columns(file: Path, cells: Sequence[str]) -> Sequence[str]:
    """The names of the first line, with _ in the place of what a name in a message cannot have."""
    columns = [_NO_NAME.sub("_", cell.strip()).strip("_") for cell in cells]
    if not columns or not all(columns):
        raise _refusal(file, 1, "the first line names the columns, like to,name; each needs a name")
    if any(_NUMBER.fullmatch(cell.strip()) for cell in cells):
        raise _refusal(file, 1, "this is a recipient, and the first line names the columns, like to,name")
    if twice := {name for name in columns if columns.count(name) > 1}:
        raise _refusal(file, 1, f"two columns are called {min(twice)}")
    return columns


def _place(file: Path, columns: Sequence[str], contact: str | None) -> int:
    if contact is None:
        lowered = [name.lower() for name in columns]
        return next((lowered.index(name) for name in _CONTACTS if name in lowered), 0)
    if contact not in columns:
        raise _refusal(file, 1, f"no column is called {contact}: there are {', '.join(columns)}")
    return columns.index(contact)


def _refusal(file: Path, line: int, reason: str) -> ConfigError:
    return ConfigError([Problem(f"{file}:{line}", "", reason)])
