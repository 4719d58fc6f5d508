"""Rows go into a table in their order, however many statements it takes, and encrypted where that is wanted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from storage.sealing import plan_of
from storage.sqlite.inserting import Change, Insert

if TYPE_CHECKING:
    from collections.abc import Iterator

INSERT = Insert("inbox", "id, event, error, raw")
CHANGE = Change("inbox", "event = {}, raw = CAST(raw || 'r' AS BLOB), error = {}")


class Heard(sqlite3.Connection):
    """Notes the statements."""

    heard: list[str]

    def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
        self.heard.append(sql)
        return super().execute(sql, parameters)  # type: ignore[arg-type]


@pytest.fixture
def db() -> Iterator[Heard]:
    with closing(sqlite3.connect(":memory:", factory=Heard)) as db:
        db.heard = []
        db.execute("CREATE TABLE inbox (id INTEGER PRIMARY KEY, event BLOB, error TEXT, raw BLOB) STRICT")
        db.heard.clear()
        yield db


def stored(db: Heard) -> list[tuple[object, ...]]:
    return db.execute("SELECT * FROM inbox ORDER BY id").fetchall()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 31, 32, 77])
def test_all_rows_are_there(db: Heard, count: int) -> None:
    rows = [(number, b"e", None, b"r") for number in range(count)]
    INSERT.run(db, rows)
    assert len(db.heard) == (count // 16 + count % 16 // 4 + count % 4 if count > 1 else 0)
    assert stored(db) == rows


@pytest.mark.parametrize("valued", [0, 5, 29])
def test_a_column_that_one_row_has_a_value_for_is_written_for_all(db: Heard, valued: int) -> None:
    rows = [(number, b"e", "why" if number == valued else None, None) for number in range(30)]
    INSERT.run(db, rows)
    assert stored(db) == rows


def test_a_statement_that_fails_leaves_what_it_has_inserted_to_its_transaction(db: Heard) -> None:
    """Undoing it alone would cost a copy of each page."""
    with pytest.raises(sqlite3.IntegrityError):
        INSERT.run(db, [(number, b"e", None, b"r") for number in (1, 2, 2, 3)])
    assert [number for number, *_ in stored(db)] == [1, 2]


def test_each_row_of_a_statement_is_encrypted(db: Heard) -> None:
    INSERT.run(db, [(number, b"e", None, b"r") for number in range(4)])
    (statement,) = db.heard
    plan = plan_of(statement)
    assert plan is not None
    assert [(one.at, one.label) for one in plan.written] == [
        (at, label) for first in (0, 3, 6, 9) for at, label in ((first + 1, "content"), (first + 2, "inbox.raw"))
    ]
    assert [one.row for one in plan.written] == [(first,) for first in (0, 0, 3, 3, 6, 6, 9, 9)]


@pytest.mark.parametrize("count", [0, 1, 10, 11, 32, 33, 77])
def test_each_row_is_changed_once_and_no_other(db: Heard, count: int) -> None:
    INSERT.run(db, [(number, b"e", None, b"r") for number in range(1, 101)])
    db.heard.clear()
    CHANGE.run(db, [(b"f", f"why {number}", number) for number in range(1, count + 1)])
    assert len(db.heard) == (count + 21) // 32
    changed = [(number, b"f", f"why {number}", b"rr") for number in range(1, count + 1)]
    assert [row for row in stored(db) if row[1] != b"e"] == changed
    assert len(stored(db)) == 100
