"""Rows of a table, many with one statement.

For each statement sqlite3 lets go of Python's lock, and SQLite opens each index of the table. A row of the inbox takes
54,000 instructions alone, and 36,000 in a statement of thirty without their empty columns.
"""

from __future__ import annotations

from itertools import chain, repeat
from operator import is_, itemgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from ..records import Row

_AT_ONCE: Final = (16, 4, 1)
"""How many rows a statement takes: each number is a statement that stays prepared."""


class _Form:
    """Statements for rows that have no value, None, in the same columns: these stand in none of them.

    sqlite3 asks how to write None, at 1,400 instructions for each. What a statement that fails has inserted goes with
    its transaction: to undo it alone, SQLite would copy each page into a file of its own before it writes there.
    """

    def __init__(self, table: str, columns: Sequence[str], empty: Sequence[bool]) -> None:
        filled = [index for index, is_empty in enumerate(empty) if not is_empty]
        names, row = ", ".join(columns[index] for index in filled), ", ".join("?" for _ in filled)
        self.values: Callable[[Row], Row] = itemgetter(*filled)
        self.statements = [
            (size, f"INSERT OR FAIL INTO {table} ({names}) VALUES {', '.join([f'({row})'] * size)}")
            for size in _AT_ONCE
        ]
        self._empty = [index for index, is_empty in enumerate(empty) if is_empty]

    def fits(self, rows: Sequence[Row]) -> bool:
        """Whether no row has a value that it leaves out."""
        return all([*map(itemgetter(index), rows)].count(None) == len(rows) for index in self._empty)


class Insert:
    """Puts rows into a table."""

    def __init__(self, table: str, columns: str) -> None:
        """Each row has a value for each of the `columns`, or None."""
        self._table = table
        self._columns = columns.split(", ")
        self._whole = _Form(table, self._columns, [False] * len(self._columns))
        self._forms: dict[tuple[bool, ...], _Form] = {}
        self._one = f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' for _ in self._columns)})"

    def run(self, db: sqlite3.Connection, rows: Sequence[Row]) -> None:
        """Insert the rows, in this order."""
        if len(rows) <= 1:
            db.executemany(self._one, rows)
            return
        empty = tuple(map(is_, rows[0], repeat(None)))
        form = self._forms.get(empty)
        if form is None:
            form = self._forms[empty] = _Form(self._table, self._columns, empty)
        if not form.fits(rows):
            form = self._whole
        begin, end = 0, len(rows)
        for size, statement in form.statements:
            while end - begin >= size:
                db.execute(statement, [*chain.from_iterable(map(form.values, rows[begin : begin + size]))])
                begin += size


_TOGETHER: Final = 32
"""Rows changed at once. Below a third of them, the table that SQLite makes of their values costs more than it saves."""


class Change:
    """Changes rows of a table, each by its id: alone they take 31,000 instructions, and 25,000 among thirty.

    Whatever old statistics say of the table, NOT INDEXED leaves no other way than by the ids.
    """

    def __init__(self, table: str, change: str) -> None:
        """`change` has a place, {}, for each value; a row is these values, and behind them its id."""
        width = change.count("{}") + 1
        self._one = f"UPDATE {table} SET {change.format(*'?' * (width - 1))} WHERE id = ?"
        rows = ", ".join([f"({', '.join('?' * width)})"] * _TOGETHER)
        *places, row_id = (f"v.column{place}" for place in range(1, width + 1))
        many = change.format(*places)
        self._many = f"UPDATE {table} NOT INDEXED SET {many} FROM (VALUES {rows}) v WHERE {table}.id = {row_id}"
        self._nobody = (0,) * width

    def run(self, db: sqlite3.Connection, rows: Sequence[Row]) -> None:
        """Change the rows, none of them twice. No row has the id 0, so it fills the statement up."""
        while len(rows) * 3 >= _TOGETHER:
            some, rows = rows[:_TOGETHER], rows[_TOGETHER:]
            db.execute(self._many, [*chain.from_iterable(some), *self._nobody * (_TOGETHER - len(some))])
        db.executemany(self._one, rows)
