"""Reading SQL: what stands in a text, a quoted name or a comment is never a placeholder, an end or a name."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import HandlerError
from storage.sql import POSTGRES, SQLITE, Dialect, read, split

BOTH = pytest.mark.parametrize("dialect", [SQLITE, POSTGRES], ids=["sqlite", "postgresql"])
QUIET = st.sampled_from(
    ["'a?;'", "'it''s ?'", '"na?;me"', '"a""?"', "-- ? ; '\n", "/* ? ; ' */", "/**/", "x", "1", "(", ",", " ", "\n"]
)
QUIET_ON_SQLITE = QUIET | st.sampled_from(["[a?;]", "`b?;`", "x'00'"])
QUIET_ON_POSTGRES = QUIET | st.sampled_from(
    ["$$ ? ; ' $$", "$a$ $$ ? ; $a$", "E'\\'?;'", "/* /* ? */ ; */", "a[1]", "U&'?;'", "a$b$c", "::int"]
)
PIECES = ("?", "'", "''", '"', "--", "\n", "/*", "*/", "[", "]", "`", "a", " ", "||")
LOUD = st.sampled_from(["?", ";"])


def check(pieces: list[str], dialect: Dialect) -> None:
    sql = " ".join(pieces)
    tokens = read(sql, dialect).tokens
    assert [token.text for token in tokens if token.kind in {"mark", "end"}] == [p for p in pieces if p in {"?", ";"}]
    assert all(sql[token.start :].startswith(token.text) for token in tokens)
    numbers = iter(range(1, len(sql) + 1))
    expected = " ".join(f"${next(numbers)}" if piece == "?" else piece for piece in pieces)
    assert read(sql, dialect).numbered() == expected
    assert [part.rstrip()[-1:] for part in split(sql, dialect)][: pieces.count(";")] == [";"] * pieces.count(";")


@given(st.lists(QUIET_ON_SQLITE | LOUD))
def test_on_sqlite_only_real_marks_and_ends_count(pieces: list[str]) -> None:
    check(pieces, SQLITE)


@given(st.lists(QUIET_ON_POSTGRES | LOUD))
def test_on_postgresql_only_real_marks_and_ends_count(pieces: list[str]) -> None:
    check(pieces, POSTGRES)


@BOTH
@given(text=st.text())
def test_any_text_is_read_or_refused(dialect: Dialect, text: str) -> None:
    try:
        tokens = read(text, dialect).tokens
    except HandlerError:
        return
    assert all(token.text for token in tokens)


@given(
    st.lists(st.sampled_from(["?", "'", "''", '"', "--", "\n", "/*", "*/", "[", "]", "`", "a", " ", "||"]), max_size=12)
)
def test_sqlite_counts_the_same_placeholders(pieces: list[str]) -> None:
    """SQLite is asked: where it takes the text, it wants as many values."""
    sql = f"SELECT {''.join(pieces)}"
    with closing(sqlite3.connect(":memory:")) as db:
        for count in range(len(pieces) + 1):
            try:
                db.execute(sql, [1] * count)
            except sqlite3.ProgrammingError:
                continue
            except (sqlite3.Error, sqlite3.Warning):
                return
            assert read(sql, SQLITE).placeholders == count
            return


@BOTH
@pytest.mark.parametrize("sql", ["SELECT 'a", 'SELECT "a', "SELECT 'it''s"])
def test_what_does_not_end_is_refused(dialect: Dialect, sql: str) -> None:
    with pytest.raises(HandlerError, match="does not end"):
        read(sql, dialect)


@BOTH
@pytest.mark.parametrize(
    ("sql", "kind", "is_one"),
    [
        ("select 1", "SELECT", True),
        ("/* DELETE */ -- UPDATE\n  insert into x", "INSERT", True),
        ("((SELECT 1))", "SELECT", True),
        ("SELECT 1;  -- the end\n", "SELECT", True),
        ("SELECT 1; SELECT 2", "SELECT", False),
        ("SELECT 1;;", "SELECT", False),
        ("", "", True),
        ("'SELECT'", "", True),
    ],
)
def test_a_statement_is_known_by_its_first_word(dialect: Dialect, sql: str, kind: str, *, is_one: bool) -> None:
    statement = read(sql, dialect)
    assert (statement.kind, statement.is_one) == (kind, is_one)


def test_on_postgresql_a_statement_with_numbers_keeps_its_question_marks() -> None:
    statement = read("SELECT j ? $1, $2", POSTGRES)
    assert (statement.is_numbered, statement.placeholders) == (True, 2)


@BOTH
@pytest.mark.parametrize("piece", ["''", "'", '"', "$a$", "/*", "/* */", "--", "(", "E'\\'", "[", "?", ";"])
@pytest.mark.slow
def test_a_long_text_is_read_in_one_go(dialect: Dialect, piece: str) -> None:
    """One that went back again and again would not come to its end here."""
    with suppress(HandlerError):
        read(piece * 50_001, dialect)
