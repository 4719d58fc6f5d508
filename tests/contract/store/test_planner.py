"""What the planner's answers are held to is able to fail."""

from __future__ import annotations

import pytest

from tests.contract.store.planner import SHAPES, Statements


@pytest.mark.parametrize(
    ("sql", "values", "problem"),
    [
        ("SELECT id FROM inbox WHERE received_at > ?", (1,), "a whole table"),
        ("UPDATE outbox SET error = NULL WHERE error = ?", ("x",), "a whole table"),
        ("SELECT count(*) FROM inbox INDEXED BY inbox_past", (), "a whole index"),
        ("SELECT id FROM threads INDEXED BY threads_latest WHERE account > ?", ("shop",), "the history"),
        ("SELECT thread_id FROM outbox WHERE id > ?", (1,), "a table from a row on"),
        ("SELECT id FROM inbox INDEXED BY inbox_open WHERE status = 'open' AND account = ?", ("x",), "all that waits"),
        ("SELECT 1 FROM outbox w WHERE w.thread_id = ? AND w.status = 'open' ORDER BY w.seq", (1,), ""),
        ("SELECT kind FROM inbox WHERE id = ?", (1,), ""),
    ],
)
def test_a_statement_that_costs_more_with_every_day_is_named(sql: str, values: tuple[object], problem: str) -> None:
    statements = Statements()
    statements.note(sql, values)
    named = [*statements.problems()]
    assert len(named) == (2 * len(SHAPES) if problem else 0)
    assert all(line.startswith(f"{problem}, with ") for line in named)
