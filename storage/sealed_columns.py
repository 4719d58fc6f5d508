"""Which columns are encrypted, and how a row is that has some.

Of most values the row is known by its number. Names are those values by which rows are looked up.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from bridge.store.encryption import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
    "steps": Table(("thread_id", "run", "position", "call"), ("result",), key=("thread_id", "run", "position", "call")),
    "contacts": Table(("id",), ("content",)),
    "identities": Table((), (), ("value",), key=("account", "kind", "value")),
    "conflicts": Table((), (), ("value",), key=("contact_id", "account", "kind", "value")),
    "broadcasts": Table(("id",), ("content",)),
    "recipients": Table(
        ("broadcast_id", "number"), ("contact", "fields"), ("conversation",), key=("broadcast_id", "number")
    ),
    "step_spending": Table((), (), ("name",), key=("account", "name")),
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
_MARK: Final = MARK.encode()
_WITHOUT: Final[Mapping[str, bytes | None]] = {
    "threads.contact": None,
    "threads.choices": b"[]",
    "threads.address": b"{}",
    "threads.person": None,
    "threads.named": b"",
    "threads.lost": None,
    "contacts.content": b'{"fields":{},"tags":[]}',
}
"""What stands for a value that is of another row. Any other makes a dead letter of what needs it."""
_LONG_KEY: Final = re.compile(r"(postback \S+) (.+) (\S*)", re.DOTALL)
"""The name of a secret with a conversation in it: see bridge.engine.turns.signing."""


TEXTS: Final = frozenset(
    {
        *("threads.note", "inbox.error", "inbox.trace", "outbox.error", "outbox.delivery_error"),
        *("recipients.contact", "attempts.reason", "media.url", "early_statuses.error", "secrets.value"),
    }
)
"""Values that are texts; the others are bytes."""
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


def open_value(sealer: Sealer, label: str, row: str, value: Any) -> Any:  # noqa: ANN401 - text or bytes
    """A value of the row. One that is refused counts as missing where a conversation can go on without it."""
    opened = sealer.open(label, row, value)
    is_refused = opened is value and label in _WITHOUT and value.startswith(_MARK)
    return _WITHOUT[label] if is_refused else opened


def open_name(sealer: Sealer, label: str, row: str, value: Any) -> Any:  # noqa: ANN401
    """A name, which is of no row."""
    del row
    return opened_name(sealer, label, value)


def open_place(sealer: Sealer, label: str, row: str, value: Any) -> Any:  # noqa: ANN401
    """A thread as people read it: its channel and its conversation."""
    del row
    channel, colon, conversation = value.partition(":")
    return f"{channel}{colon}{opened_name(sealer, label, conversation)}"


def open_numbered(sealer: Sealer, label: str, row: str, value: Any) -> Any:  # noqa: ANN401
    """A value behind the number of its row."""
    del row
    number, space, text = value.partition(" ")
    return f"{number}{space}{sealer.open(label, number, text)}"


def open_tries(sealer: Sealer, label: str, row: str, value: Any) -> Any:  # noqa: ANN401
    """The tries of a message as JSON."""
    tries = orjson.loads(value)
    for one in tries:
        one["reason"] = sealer.open(label, _row([row, one["attempt"]]), one["reason"])
    return orjson.dumps(tries).decode()


class Read(NamedTuple):
    """A column of a result: where it is, how it is opened, and where the row's own columns are."""

    at: int
    label: str
    row: tuple[int, ...]
    how: Callable[[Sealer, str, str, Any], Any]


class Written(NamedTuple):
    """A value of a statement: where it is, and where those are that tell its row; None: it is a name."""

    at: int
    label: str
    row: tuple[int, ...] | None


class Plan(NamedTuple):
    """What is encrypted of a statement's values, and decrypted of its results."""

    written: tuple[Written, ...]
    read: tuple[Read, ...]

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


@lru_cache
def columns_of(table: str) -> tuple[str, ...]:
    """What tells a row, and all that is encrypted of it."""
    sealed = SEALED[table]
    return tuple(dict.fromkeys((*sealed.key, *sealed.row, *sealed.names, *sealed.values)))


def change_of(table: str, old: Row, new: Row) -> Row:
    """The names and values of a row as it is to be, and behind them the key that it has; columns as `columns_of`."""
    columns, sealed = columns_of(table), SEALED[table]
    return (*(new[columns.index(name)] for name in (*sealed.names, *sealed.values)), *old[: len(sealed.key)])


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
    stale = {index for index in where if not sealer.is_current(row[index])}
    return tuple(sealed[index] if index in stale else value for index, value in enumerate(row))


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
    written = [Written(columns.index(name), label_of(table, name), None) for name in sealed.names]
    row = tuple(columns.index(name) for name in sealed.row)
    written += [Written(columns.index(name), label_of(table, name), row) for name in sealed.values]
    read = [Read(one.at, one.label, (), open_name) for one in written if one.row is None]
    read += [Read(one.at, one.label, row, open_value) for one in written if one.row is not None]
    return Plan(tuple(written), tuple(read))
