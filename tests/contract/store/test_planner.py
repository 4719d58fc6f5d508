"""What the planner's answers are held to is able to fail."""

from __future__ import annotations

import pytest

from tests.contract.store.planner import SHAPES, Statements


@pytest.mark.parametrize(
    ("sql", "values", "problem"),
    [
        ("SELECT id FROM inbox WHERE received_at > ?", (1,), "a whole table"),
        ("UPDATE outbox SET error = NULL WHERE error = ?", ("x",), "a whole table"),
        ("SELECT count(*) FROM inbox INDEXED BY inbox_history", (), "a whole index"),
        (
            "SELECT 1 FROM outbox w INDEXED BY outbox_history WHERE w.thread_id = ? AND w.status = 'open'",
            (1,),
            "the history, for work",
        ),
        ("SELECT 1 FROM outbox w WHERE w.thread_id = ? AND w.status = 'open' ORDER BY w.seq", (1,), ""),
        ("SELECT count(*) FROM inbox WHERE status = 'open'", (), ""),
        ("SELECT kind FROM inbox WHERE id = ?", (1,), ""),
    ],
)
def test_a_statement_that_costs_more_with_every_day_is_named(sql: str, values: tuple[object], problem: str) -> None:
    statements = Statements()
    statements.note(sql, values)
    named = [*statements.problems()]
    assert len(named) == (2 * len(SHAPES) if problem else 0)
    assert all(line.startswith(f"{problem}, with ") for line in named)
