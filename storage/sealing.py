"""Which columns are encrypted, and what of a statement's values that concerns.

A connection with keys looks each of our statements up here: `plan_of` finds by the names in its text which values are
encrypted on their way in, and by its list of columns which are decrypted on their way out. So those who write and read
rows know nothing of it, and a connection without keys does nothing of it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from . import contacts, media, records, rows, timers, tracing, views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .records import Row
    from .sealer import Sealer


class Table(NamedTuple):
    """What is encrypted of a table: `values` for one row each, told by `row`; `names` so that they are looked up."""

    row: tuple[str, ...]
    values: tuple[str, ...]
    names: tuple[str, ...] = ()
    key: tuple[str, ...] = ("id",)


SEALED: Final[Mapping[str, Table]] = {
    "threads": Table(
        ("id",),
        ("contact", "state", "choices", "address", "dialog", "note", "members", "person", "named", "lost"),
        ("conversation",),
    ),
    "inbox": Table(("id",), ("event", "raw", "address", "error", "trace")),
    "outbox": Table(("id",), ("message", "given_up", "address", "error", "delivery_error")),
    "attempts": Table(("outbox_id", "attempt"), ("reason", "exchange")),
    "timers": Table(("thread_id", "name", "since"), ("message", "arguments")),
    "steps": Table(
        ("thread_id", "run", "position", "call"), ("result",), key=("thread_id", "run", "position", "call")
    ),
    "contacts": Table(("id",), ("content",)),
    "identities": Table((), (), ("value",), key=("account", "kind", "value")),
    "conflicts": Table((), (), ("value",), key=("contact_id", "account", "kind", "value")),
    "media": Table(("thread_id", "inbox_id"), ("url",)),
    "early_statuses": Table(("inbox_id",), ("error",), key=("account", "message_id", "inbox_id")),
    "secrets": Table(("account", "name"), ("value",), ("name",), key=("account", "name")),
}
_LABELS: Final = {
    "inbox.event": "content",
    "outbox.message": "content",
    "inbox.error": "error",
    "outbox.error": "error",
    "outbox.delivery_error": "error",
    "conflicts.value": "identities.value",
}
"""Columns that a query has in one place. Events and messages have their numbers from one row of them."""
_LONG_KEY: Final = re.compile(r"(postback \S+) (.+) (\S*)", re.DOTALL)
"""The name of a secret with a conversation in it: see bridge.engine.turns.signing."""


WITH_VALUES: Final = tuple(table for table, sealed in SEALED.items() if sealed.values)
"""What a rotation goes through, in this order."""


def label_of(table: str, column: str) -> str:
    """What tells a column from others."""
    name = f"{table}.{column}"
    return _LABELS.get(name, name)


def sealed_name(sealer: Sealer, label: str, name: str) -> str:
    """A name as it is stored."""
    if label == "secrets.name":
        return _LONG_KEY.sub(lambda key: f"{key[1]} {sealer.name(label, key[2])} {key[3]}", name)
    return sealer.name(label, name)


def opened_name(sealer: Sealer, label: str, name: str) -> str:
    """A name as it was."""
    if label == "secrets.name":
        return _LONG_KEY.sub(lambda key: f"{key[1]} {sealer.open_name(label, key[2])} {key[3]}", name)
    return sealer.open_name(label, name)


def _value(sealer: Sealer, label: str, row: str, value: Any) -> Any:  # noqa: ANN401 - text or bytes
    return sealer.open(label, row, value)


def _name(sealer: Sealer, label: str, row: str, value: Any) -> Any:  # noqa: ANN401
    del row
    return opened_name(sealer, label, value)


def _place(sealer: Sealer, label: str, row: str, value: Any) -> Any:  # noqa: ANN401
    """A thread as people read it: its channel and its conversation."""
    del row
    channel, colon, conversation = value.partition(":")
    return f"{channel}{colon}{opened_name(sealer, label, conversation)}"


def _numbered(sealer: Sealer, label: str, row: str, value: Any) -> Any:  # noqa: ANN401
    """A value behind the number of its row."""
    del row
    number, space, text = value.partition(" ")
    return f"{number}{space}{sealer.open(label, number, text)}"


def _tries(sealer: Sealer, label: str, row: str, value: Any) -> Any:  # noqa: ANN401
    """The tries of a message as JSON."""
    tries = orjson.loads(value)
    for one in tries:
        one["reason"] = sealer.open(label, _row([row, one["attempt"]]), one["reason"])
    return orjson.dumps(tries).decode()


class _Read(NamedTuple):
    """A column of a result: where it is, how it is opened, and where the row's own columns are."""

    index: int
    label: str
    row: tuple[int, ...]
    how: Callable[[Sealer, str, str, Any], Any]


class _Written(NamedTuple):
    """A value of a statement: where it is, and where those are that tell its row; None: it is a name."""

    index: int
    label: str
    row: tuple[int, ...] | None


class Plan(NamedTuple):
    """What is encrypted of a statement's values, and decrypted of its results."""

    written: tuple[_Written, ...]
    read: tuple[_Read, ...]

    def seal(self, sealer: Sealer, values: Sequence[Any]) -> Sequence[Any]:
        """The values of the statement as they are stored."""
        sealed: list[Any] | None = None
        for index, label, row in self.written:
            if index >= len(values) or (value := values[index]) is None:
                continue
            if sealed is None:
                sealed = [*values]
            if row is None:
                sealed[index] = sealed_name(sealer, label, value)
            else:
                sealed[index] = sealer.seal(label, _row([values[place] for place in row]), value)
        return values if sealed is None else sealed

    def open(self, sealer: Sealer, row: Row) -> Row:
        """A row of the result as it was."""
        opened = [*row]
        for index, label, places, how in self.read:
            if (value := opened[index]) is not None:
                opened[index] = how(sealer, label, _row([opened[place] for place in places]), value)
        return tuple(opened)


def _row(values: Sequence[Any]) -> str:
    return "\0".join(map(str, values))


def open_row(sealer: Sealer, table: str, columns: Sequence[str], row: Row) -> Row:
    """All of a row, its `columns` by their names, as it was."""
    return _whole(table, tuple(columns)).open(sealer, row)


def seal_row(sealer: Sealer, table: str, columns: Sequence[str], row: Row) -> Row:
    """All of a row, its `columns` by their names, as it is stored."""
    return tuple(_whole(table, tuple(columns)).seal(sealer, row))


def columns_of(table: str) -> tuple[str, ...]:
    """What tells a row, and all that is encrypted of it."""
    sealed = SEALED[table]
    return tuple(dict.fromkeys((*sealed.key, *sealed.row, *sealed.names, *sealed.values)))


def next_place(table: str, rows: Sequence[Row], limit: int) -> list[Any] | None:
    """Where a rotation goes on after rows of a table, at most `limit` of them: a table, and a key in it."""
    if len(rows) == limit:
        return [table, *rows[-1][: len(SEALED[table].key)]]
    following = WITH_VALUES[WITH_VALUES.index(table) + 1 :]
    return [following[0]] if following else None


def renewed(sealer: Sealer, table: str, row: Row) -> Row | None:
    """The columns `columns_of` of a row, with all values under the newest key; None: they are so."""
    columns = columns_of(table)
    where = [columns.index(name) for name in SEALED[table].values]
    if all(sealer.is_current(row[index]) for index in where):
        return None
    sealed = seal_row(sealer, table, columns, open_row(sealer, table, columns, row))
    kept = [old if sealer.is_current(old) else new for old, new in zip(row, sealed, strict=True)]
    return tuple(new if index in where else row[index] for index, new in enumerate(kept))


def named(sealer: Sealer, table: str, row: Row) -> Row | None:
    """The columns `columns_of` of a row with its names encrypted; None: they are so."""
    columns = columns_of(table)
    sealed = list(row)
    for name in SEALED[table].names:
        index = columns.index(name)
        sealed[index] = sealed_name(sealer, label_of(table, name), row[index])
    return tuple(sealed) if sealed != list(row) else None


@lru_cache
def _whole(table: str, columns: tuple[str, ...]) -> Plan:
    sealed = SEALED[table]
    written = [_Written(columns.index(name), label_of(table, name), None) for name in sealed.names]
    row = tuple(columns.index(name) for name in sealed.row)
    written += [_Written(columns.index(name), label_of(table, name), row) for name in sealed.values]
    read = [_Read(one.index, one.label, (), _name) for one in written if one.row is None]
    read += [_Read(one.index, one.label, row, _value) for one in written if one.row is not None]
    return Plan(tuple(written), tuple(read))


_INSERT: Final = re.compile(r"INSERT (?:OR REPLACE )?INTO (\w+) \(([^)]*)\)")
_UPDATE: Final = re.compile(r"UPDATE (\w+)\b.*? SET ")
_MARKED: Final = re.compile(r"(?:(\w+) (?:=|>=|<) )?(?:coalesce\()?(?:\?|\$(\d+)|j\.(\w+))")
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


def _written(text: str) -> Iterator[_Written]:
    if inserted := _INSERT.match(text):
        table, columns = inserted[1], inserted[2].split(", ")
        yield from _of_table(table, {column: index for index, column in enumerate(columns)})
        return
    places = _places(text)
    if updated := _UPDATE.match(text):
        yield from _of_table(updated[1], places)
        return
    for table in dict.fromkeys(_TABLES.findall(text)):
        for name in SEALED[table].names:
            if name in places:
                yield _Written(places[name], label_of(table, name), None)
            if (among := _AMONG.search(text)) and among[1] == name:
                yield from (_Written(index, label_of(table, name), None) for index in (0, 1))
    if text.startswith("DELETE FROM secrets"):  # from one name to another
        yield _Written(2, label_of("secrets", "name"), None)


def _of_table(table: str, places: Mapping[str, int]) -> Iterator[_Written]:
    sealed = SEALED.get(table)
    if sealed is None:
        return
    for name in sealed.names:
        if name in places:
            yield _Written(places[name], label_of(table, name), None)
    for value in sealed.values:
        if value in places:
            if table == "threads" and "id" not in places:  # a thread that the database numbers
                continue
            row = tuple(places[column] for column in sealed.row)
            yield _Written(places[value], label_of(table, value), row)


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
    _List(tracing.MESSAGE),
    _List(tracing.TRY, {"": "attempts"}),
    _List(views.EVENT),
    _List(views.MESSAGE),
    _List(views.SUMMARY),
    _List(views.IN_LETTER),
    _List(views.IN_LETTER_LINE),
    _List(views.OUT_LETTER),
    _List(views.OUT_LETTER_LINE),
    _List(views.LETTER_PLACE, _EVENTS),
    _List(views.UNCONFIRMED),
    _List(views.RAW, _EVENTS),
    _List(rows.KNOWN),
    _List(rows.TRIED),
    _List(rows.CONTENTS, _EVENTS),
    _List(rows.ERASED_EVENT, _EVENTS),
    _List(rows.BESIDE, _EVENTS),
    _List(rows.SPOKEN),
    _List(rows.PLACE_OF, {"": "threads"}),
    _List(rows.LOCKED),
    _List(rows.FAMILY),
    _List(rows.SECRET, {"": "secrets"}, " FROM secrets"),
    _List(rows.EARLY, {"": "early_statuses"}),
    _List(rows.OWNER, _IDENTITIES),
    _List(rows.ASSERTED, _IDENTITIES),
    _List(rows.CONTRADICTED, _IDENTITIES),
    _List(records.STEP, {"": "steps"}),
)


def _read(text: str) -> tuple[_Read, ...]:
    """The longest list of columns that a statement has."""
    if f"SELECT {views.HISTORY}" in text:
        return (_Read(5, "content", (0,), _value),)
    found: _List | None = None
    for one in _LISTS:
        columns = " ".join(one.text.split())
        is_there = any(f"{word} {columns}{one.behind}" in text for word in ("SELECT", "RETURNING"))
        if is_there and (found is None or len(one.text) > len(found.text)):
            found = one
    if found is None:
        return ()
    read = _reads(found)
    if found.text is views.OUT_LETTER:
        read = (*read, _Read(12, label_of("attempts", "reason"), (0,), _tries))
    return read


def _reads(columns: _List) -> tuple[_Read, ...]:
    items = [*_items(" ".join(columns.text.split()))]
    where = {item: index for index, item in enumerate(items)}
    names: list[_Read] = []
    values: list[_Read] = []
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
                names.append(_Read(index, label, (), _place if "||" in item else _name))
                break
            if column in sealed.values:
                is_numbered = "|| ' ' ||" in item
                row = () if is_numbered else _row_places(table, alias, where)
                values.append(_Read(index, label, row, _numbered if is_numbered else _value))
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
