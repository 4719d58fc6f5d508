"""An account that moves into a database beside others: which rows are its own, and the numbers they get there.

Every number of a row is raised by the same amount, which is more than any number in the target. So their order stays,
and each refers to the row that it referred to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from bridge.events import Timer, decode_event, encode_event
from bridge.store.copying import INHERITED, CopyRefused

from .records import OPEN, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.store.copying import Key, Row, Table, Value

SEGMENT: Final = 1 << 16
"""Numbers are raised by whole segments: see storage.sqlite.segments."""
SECRETS: Final = f"""
SELECT account, name, value FROM secrets
WHERE account = '' OR (account = {{account}} AND name LIKE '{INHERITED}%')
"""
"""What the account inherits when it moves."""
_PLACES: Final = frozenset(
    {
        ("threads", "spoken"),
        ("threads", "silenced"),
        ("threads", "opted_out"),
        ("threads", "leads_to"),
        ("contacts", "merged_into"),
        ("timers", "held"),
    }
)
"""Columns with the number of a row, beside those whose name says so; 0 is no number."""
MERGED: Final = """
SELECT c.id FROM contacts c JOIN contacts p ON p.id = c.merged_into
WHERE c.merged_into IS NOT NULL AND c.account <> p.account AND {0} IN (c.account, p.account) ORDER BY c.id LIMIT 1
"""
"""A contact of the account that is one person with a contact of another."""
_VIA: Final = {"broadcast_id": "broadcasts", "thread_id": "threads", "inbox_id": "inbox", "outbox_id": "outbox"}
"""Through what a row without an account has one."""
_NAMED: Final = frozenset({"broadcasts"})
"""Tables whose ids are no numbers."""
_TIMER: Final = "timer:"


class Mark(NamedTuple):
    """The mark of an unfinished copy. `account`: "" for all. `is_verified`: its source is being emptied."""

    source: str
    account: str = ""
    shift: int = 0
    is_verified: bool = False


MARK_COLUMNS: Final = "source TEXT NOT NULL, account TEXT NOT NULL, shift BIGINT NOT NULL, is_verified BIGINT NOT NULL"
MARK_VALUES: Final = "source, account, shift, is_verified"


def greatest_numbers(tables: Sequence[Table]) -> str:
    """A query for the greatest numbers that are taken.

    The places of rows that are settled do not count: only open rows are compared by them.
    """
    numbered = [table for table in tables if "id" in table.columns and table.name not in _NAMED]
    ids = [f'SELECT max(id) FROM "{table.name}"' for table in numbered]
    places = [f"SELECT max(seq) FROM {table} WHERE {is_open}" for table, is_open in OPEN.items()]
    return " UNION ALL ".join([*ids, *places])


def inheritance(secrets: Sequence[Row]) -> dict[str, str]:
    """What SECRETS found, by the name that each secret has in its own store."""
    values: dict[str, list[str]] = {}
    for _, name, value in sorted((tuple(map(str, secret)) for secret in secrets), reverse=True):
        values.setdefault(name.removeprefix(INHERITED), []).append(value)
    return {name: " ".join(of_name) for name, of_name in values.items()}


def shift_above(greatest: Sequence[tuple[int | None]]) -> int:
    """By how much numbers are raised where those are taken that `greatest_numbers` found; none are: not at all."""
    taken = max((number or 0 for (number,) in greatest), default=0)
    return (taken // SEGMENT + 1) * SEGMENT if taken else 0


def has_number(table: str, column: str) -> bool:
    """Whether a column has the number of a row, if its value is a number."""
    return column in {"id", "seq"} or column.endswith("_id") or (table, column) in _PLACES


def of_account(table: Table, marked: str, plain: Callable[[str], str]) -> str:
    """The condition for the rows of an account. `plain` keeps a database from looking a column up in an index.

    The rows are read in the order of their keys: an index of the account would mean to sort them for each batch.

    Raises:
        CopyRefused: the rows of the table belong to no account.
    """
    name = f'"{table.name}"'
    if "account" in table.columns:
        condition = f"{plain(f'{name}.account')} = {marked}"
        return f"{condition} AND name NOT LIKE '{INHERITED}%'" if table.name == "secrets" else condition
    for column, parent in _VIA.items():
        if column in table.columns:
            return f"EXISTS (SELECT 1 FROM {parent} p WHERE p.id = {name}.{column} AND p.account = {marked})"
    raise CopyRefused(f"the rows of the table {table.name} belong to no account: only a whole store takes them along")


def check_merged(account: str, merged: Sequence[tuple[int]]) -> None:
    """Refuse to part what MERGED found. Raises CopyRefused."""
    if merged:
        number = merged[0][0]
        raise CopyRefused(
            f"contact {number} is one person with a contact of another account than {account}: "
            f"`threadbridge contacts unmerge {number}` first, and merge them again never or in one store"
        )


def any_of_account(table: Table, marked: str) -> str | None:
    """A query for a row of the account; None: without one in other tables, there is none in this one."""
    of_account(table, marked, str)
    if "account" not in table.columns:
        return None
    return f'SELECT 1 FROM "{table.name}" WHERE account = {marked} LIMIT 1'


def raised(table: Table, rows: Sequence[Row], shift: int) -> list[Row]:
    """Rows with the numbers that they have in the target."""
    if not shift:
        return list(rows)
    places = [place for place, column in enumerate(table.columns) if has_number(table.name, column)]
    made = [_with_numbers(row, places, shift) for row in rows]
    if table.name == "inbox":
        return [_with_timer(table, row, shift) for row in made]
    return [_with_person(table, row, shift) for row in made] if table.name == "threads" else made


def lowered(table: Table, key: Key, shift: int) -> Key:
    """The key in the source of a row in the target."""
    return tuple(
        value - shift if isinstance(value, int) and has_number(table.name, column) else value
        for column, value in zip(table.key, key, strict=True)
    )


def _with_numbers(row: Row, places: Sequence[int], shift: int) -> Row:
    values = list(row)
    for place in places:
        if isinstance(number := values[place], int) and number:
            values[place] = number + shift
    return tuple(values)


def _with_timer(table: Table, row: Row, shift: int) -> Row:
    """The event of a timer names it, and the last word of the person who has the thread."""
    values: dict[str, Value] = dict(zip(table.columns, row, strict=True))
    key, encoded = values["event_key"], values["event"]
    if values["kind"] != Timer.tag or not isinstance(key, str) or not isinstance(encoded, bytes):
        return row
    values["event_key"] = _raised_key(key, shift)
    try:
        event = decode_event(Timer.tag, encoded)
        assert isinstance(event, Timer)
        held = event.held + shift if event.held else event.held
        values["event"] = encode_event(replace(event, id=_raised_key(event.id, shift), held=held))
    except UNREADABLE:  # whoever takes it up gives it up
        pass
    return tuple(values.values())


def _with_person(table: Table, row: Row, shift: int) -> Row:
    """What a thread has of its contact names their number."""
    values: dict[str, Value] = dict(zip(table.columns, row, strict=True))
    person = values["person"]
    if not isinstance(person, bytes):
        return row
    known = orjson.loads(person)
    return tuple({**values, "person": orjson.dumps({**known, "id": known["id"] + shift})}.values())


def _raised_key(key: str, shift: int) -> str:
    number = key.removeprefix(_TIMER)
    return f"{_TIMER}{int(number) + shift}" if number.isdecimal() else key
