"""The author's migrations: what is still to be applied, and what does not go on where the database is."""

from __future__ import annotations

import pytest

from bridge.store.migrations import Applied, Migration, differences, pending


def file(number: int, script: str = "s") -> Migration:
    return Migration(number, f"{number:04}_a.sql", script, f"digest of {script}")


def done(*numbers: int) -> list[Applied]:
    return [file(number).applied for number in numbers]


@pytest.mark.parametrize(
    ("files", "applied", "expected"),
    [((), (), ()), ((1, 2), (), (1, 2)), ((1, 2, 5), (1,), (2, 5)), ((1, 2), (1, 2), ())],
)
def test_what_is_not_applied_is_pending_in_order(
    files: tuple[int, ...], applied: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    migrations = [*map(file, files)]
    assert [migration.number for migration in pending(migrations, done(*applied))] == [*expected]
    assert [*differences(migrations, done(*applied))] == []


def test_a_file_that_is_missing_is_named() -> None:
    (reason,) = differences([file(2)], done(1, 2))
    assert reason == "0001_a.sql was applied to this database, and is missing: put the file back"


def test_a_file_that_changed_is_named() -> None:
    (reason,) = differences([file(1, "another")], done(1))
    assert reason.startswith("0001_a.sql changed after it was applied to this database: ")


def test_a_file_before_an_applied_one_is_named() -> None:
    (reason,) = differences([file(1), file(2), file(3)], done(1, 3))
    assert reason == "0002_a.sql comes before 0003_a.sql, which was applied already: give it a higher number"
