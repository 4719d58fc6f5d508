"""What of a statement's values is encrypted on its way in, and of its results decrypted on their way out.

A connection with keys looks each of our statements up here: `plan_of` finds by the names in its text which values are
concerned, and by its list of columns which results. So those who write and read rows know nothing of it, and a
connection without keys does nothing of it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from . import broadcasts, contacts, looking, media, records, rows, timers, tracing, views
from .sealed_columns import (
    SEALED,
    Plan,
    Read,
    Written,
    label_of,
    open_name,
    open_numbered,
    open_place,
    open_tries,
    open_value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_INSERT: Final = re.compile(r"INSERT (?:OR (?:REPLACE|FAIL) )?INTO (\w+) \(([^)]*)\)")
_UPDATE: Final = re.compile(r"UPDATE (\w+)\b.*? SET ")
_MARKED: Final = re.compile(r"(?:(\w+) (?:=|>=|<) )?(?:coalesce\(|nullif\()?(?:\?|\$(\d+)|j\.(\w+))")
"""A value of a statement, and the column that it is compared with, or put into."""
_ARRAYS: Final = re.compile(r"\bj \(([^)]*)\)")
_AMONG: Final = re.compile(r"(\w+) IN \((?:\?|\$1), (?:\?|\$2)\)")
_TABLES: Final = re.compile(rf"\b({'|'.join(SEALED)})\b")


@lru_cache(1024)
def plan_of(sql: str) -> Plan | None:
    """What is to be done for a statement of ours; None: nothing."""
    if sql.startswith("/*"):  # an author's, or one that knows what it does
        return None
    text = " ".join(sql.split())
    written, read = tuple(_written(text)), _read(text)
    return Plan(written, read) if written or read else None


def _written(text: str) -> Iterator[Written]:
    if "?" not in text and "$" not in text:
        return
    if inserted := _INSERT.match(text):
        table, columns = inserted[1], inserted[2].split(", ")
        for first in range(0, len(columns) * (1 + text.count("), (")), len(columns)):
            yield from _of_table(table, {column: index for index, column in enumerate(columns, first)})
        return
    places = _places(text)
    if updated := _UPDATE.match(text):
        yield from _of_table(updated[1], places)
        return
    for table in dict.fromkeys(_TABLES.findall(text)):
        for name in SEALED[table].names:
            if name in places:
                yield Written(places[name], label_of(table, name), None)
            if (among := _AMONG.search(text)) and among[1] == name:
                yield from (Written(index, label_of(table, name), None) for index in (0, 1))
    if text.startswith("DELETE FROM secrets"):  # from one name to another
        yield Written(2, label_of("secrets", "name"), None)


def _of_table(table: str, places: Mapping[str, int]) -> Iterator[Written]:
    sealed = SEALED.get(table)
    if sealed is None:
        return
    for name in sealed.names:
        if name in places:
            yield Written(places[name], label_of(table, name), None)
    for value in sealed.values:
        if value in places:
            if table == "threads" and "id" not in places:  # a thread that the database numbers
                continue
            row = tuple(places[column] for column in sealed.row)
            yield Written(places[value], label_of(table, value), row)


def _places(text: str) -> dict[str, int]:
    """By the names of columns, which values they meet."""
    arrays = _ARRAYS.search(text)
    names = arrays[1].split(", ") if arrays else []
    places: dict[str, int] = {}
    marks = 0
    for column, number, array in _MARKED.findall(text):
        if array:
            index = names.index(array) if array in names else -1
        else:
            index = int(number) - 1 if number else marks
            marks += not number
        if column and index >= 0:
            places.setdefault(column, index)
    return places


_ALIASES: Final = {"i": "inbox", "o": "outbox", "t": "threads", "r": "timers", "m": "media", "c": "contacts"}
_COLUMN: Final = re.compile(r"\b(?:([a-z])\.)?(\w+)")


class _List(NamedTuple):
    """The columns of a result, as statements have them, and what stands behind them.

    `tables` are by their names there, "" where they have none.
    """

    text: str
    tables: Mapping[str, str] = _ALIASES
    behind: str = ""


_IDENTITIES: Final = {"": "identities", "i": "identities", "c": "conflicts"}
_EVENTS: Final = {"": "inbox", "w": "inbox", "o": "inbox"}
_LISTS: Final = (
    _List(records.THREAD),
    _List(records.INBOX),
    _List(records.OUTBOX),
    _List(timers.TIMER),
    _List(media.MEDIUM),
    _List(contacts.CARD_THREAD),
    _List(tracing.EVENT),
    _List(tracing.EVENT_LINE),
    _List(tracing.MESSAGE),
    _List(tracing.TRY, {"": "attempts"}),
    _List(views.EVENT),
    _List(views.MESSAGE),
    _List(views.SUMMARY),
    _List(views.SAID),
    _List(views.IN_LETTER),
    _List(views.IN_LETTER_LINE),
    _List(views.OUT_LETTER),
    _List(views.OUT_LETTER_LINE),
    _List(views.LETTER_PLACE, _EVENTS),
    _List(views.UNCONFIRMED),
    _List(views.RAW, _EVENTS),
    _List(looking.CANDIDATE),
    _List(looking.TO_COME),
    _List(rows.KNOWN),
    _List(rows.TRIED),
    _List(rows.CONTENTS, _EVENTS),
    _List(rows.ERASED_EVENT, _EVENTS),
    _List(rows.BESIDE, _EVENTS),
    _List(rows.SPOKEN),
    _List(rows.PLACE_OF, {"": "threads"}),
    _List(rows.LOCKED),
    _List(rows.FAMILY),
    _List(broadcasts.BROADCAST_COLUMNS, {"": "broadcasts"}, " FROM broadcasts"),
    _List(broadcasts.RECIPIENT_COLUMNS, {"": "recipients"}, " FROM recipients"),
    _List(rows.SPENT_BUDGET, {"": "step_spending"}, " FROM step_spending"),
    _List(rows.STANDING, {"s": "step_spending"}, " FROM unnest"),
    _List(rows.SECRETS, {"": "secrets"}, " FROM secrets"),
    _List(rows.EARLY, {"": "early_statuses"}),
    _List(rows.OWNER, _IDENTITIES),
    _List(rows.ASSERTED, _IDENTITIES),
    _List(rows.CONTRADICTED, _IDENTITIES),
    _List(records.STEP, {"": "steps"}),
)


def _read(text: str) -> tuple[Read, ...]:
    """The longest list of columns that a statement has."""
    if f"SELECT {views.HISTORY}" in text:
        return (Read(5, "content", (0,), open_value),)
    found: _List | None = None
    for one in _LISTS:
        columns = " ".join(one.text.split())
        is_there = any(f"{word} {columns}{one.behind}" in text for word in ("SELECT", "SELECT DISTINCT", "RETURNING"))
        if is_there and (found is None or len(one.text) > len(found.text)):
            found = one
    if found is None:
        return ()
    read = _reads(found)
    if found.text is views.OUT_LETTER:
        read = (*read, Read(12, label_of("attempts", "reason"), (0,), open_tries))
    return read


def _reads(columns: _List) -> tuple[Read, ...]:
    items = [*_items(" ".join(columns.text.split()))]
    where = {item: index for index, item in enumerate(items)}
    names: list[Read] = []
    values: list[Read] = []
    for index, item in enumerate(items):
        if " IS " in item:  # whether there is a value
            continue
        for alias, column in _COLUMN.findall(item):
            table = columns.tables.get(alias, "")
            sealed = SEALED.get(table)
            if sealed is None:
                continue
            label = label_of(table, column)
            if column in sealed.names:
                names.append(Read(index, label, (), open_place if "||" in item else open_name))
                break
            if column in sealed.values:
                is_numbered = "|| ' ' ||" in item
                row = () if is_numbered else _row_places(table, alias, where)
                values.append(Read(index, label, row, open_numbered if is_numbered else open_value))
                break
    return (*names, *values)


def _row_places(table: str, alias: str, where: Mapping[str, int]) -> tuple[int, ...]:
    """Where the columns are that tell the row."""
    prefix = f"{alias}." if alias else ""
    places = []
    for column in SEALED[table].row:
        if (name := f"{prefix}{column}") in where:
            places.append(where[name])
        else:  # the thread of another row
            assert (table, column) == ("threads", "id"), f"no {name} among {[*where]}"
            places.append(next(index for item, index in where.items() if item.endswith(".thread_id")))
    return tuple(places)


def _items(text: str) -> Iterator[str]:
    """The parts of a list between commas that stand in no parentheses."""
    depth, item = 0, ""
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            yield item.strip()
            item = ""
        else:
            item += letter
    yield item.strip()
