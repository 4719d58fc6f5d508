"""The author's own statements on SQLite: our tables are out of their reach, whatever way they go."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.engine.frames import frame_of
from bridge.errors import StatementFailed
from bridge.testing.contract.store.desk import AT, Desk
from bridge.testing.contract.store.own_tables import ADD, executing, migration, orders, with_orders
from storage.sqlite import statements
from storage.sqlite.connection import own_names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bridge.store.records import InboxRow
    from storage.sqlite.store import SqliteStore

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}" if request.param == "file" else "sqlite://"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[Desk, InboxRow]]:
    """A store with the author's tables, and an event to answer."""
    desk = await Desk(url).open()
    try:
        await with_orders(desk)
        (row,) = await desk.hear("1")
        yield desk, row
    finally:
        await desk.store.close()


async def refused(desk: Desk, row: InboxRow, *statements: tuple[Any, ...]) -> str:
    """Why a turn fails; it leaves nothing."""
    with pytest.raises(StatementFailed) as failed:
        await desk.store.commit_turn(await executing(desk, row, (ADD, 1, "tea"), *statements))
    assert await orders(desk) == []
    assert await desk.events(row.thread_id) == [row]
    return str(failed.value)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM inbox",
        "DELETE FROM main.inbox",
        'DELETE FROM "inbox"',
        "DELETE FROM [Inbox]",
        "WITH x AS (SELECT 1) DELETE FROM inbox",
        "UPDATE threads SET version = 9",
        "INSERT INTO cursors VALUES ('a', 'b', 'c')",
        "REPLACE INTO migrations VALUES (9, 'a', 'b', 0)",
        "INSERT INTO bot_notes SELECT value FROM secrets",
        "INSERT INTO bot_notes SELECT count(*) FROM secrets",
        "DELETE FROM bot_notes WHERE t IN (SELECT value FROM secrets AS bot_notes)",
        "UPDATE bot_notes SET t = (SELECT value FROM secrets)",
        "INSERT INTO sqlite_master VALUES (1, 1, 1, 1, 1)",
        "INSERT INTO bot_notes SELECT * FROM pragma_user_version",
    ],
)
@pytest.mark.slow
async def test_our_tables_are_neither_changed_nor_read(url: str, sql: str) -> None:
    async with opened(url) as (desk, row):
        await refused(desk, row, (sql,))


@pytest.mark.parametrize(
    "sql", ["SELECT value FROM secrets", "SELECT 1 FROM inbox", "SELECT * FROM pragma_table_info('inbox')"]
)
async def test_our_tables_are_not_read_by_a_query_either(url: str, sql: str) -> None:
    async with opened(url) as (desk, _):
        with pytest.raises(StatementFailed):
            await desk.store.fetch(sql, ())


async def test_a_text_that_is_no_utf8_fails_the_query_alone(url: str) -> None:
    async with opened(url) as (desk, row):
        with pytest.raises(StatementFailed, match="UTF-8"):
            await desk.store.fetch("SELECT CAST(x'ff' AS TEXT)", ())
        assert await desk.turn(row, "still answered")


async def test_the_reason_names_the_table_and_the_statement(url: str) -> None:
    async with opened(url) as (desk, row):
        reason = await refused(desk, row, ("DELETE FROM inbox",))
        assert reason == "SQLite: inbox is a name of threadbridge's own, or of SQLite's: DELETE FROM inbox"


async def test_a_text_that_is_one_of_ours_to_the_letter_is_refused_all_the_same(url: str) -> None:
    """Ours is prepared already, without the guard."""
    query = "SELECT value FROM secrets WHERE account = ? AND name = ?"
    async with opened(url) as (desk, _):
        assert await desk.store.secret("shop", "n") is None
        with pytest.raises(StatementFailed):
            await desk.store.fetch(query, ("shop", "n"))


async def test_what_a_turn_executed_is_no_query(url: str) -> None:
    async with opened(url) as (desk, row):
        change = "WITH x AS (SELECT 1) INSERT INTO bot_notes SELECT * FROM x"
        await desk.store.commit_turn(await executing(desk, row, (change,)))
        with pytest.raises(StatementFailed):
            await desk.store.fetch(change, ())


@pytest.mark.parametrize(
    "script",
    [
        "DROP TABLE inbox",
        "ALTER TABLE inbox ADD COLUMN x",
        "CREATE INDEX bot_i ON inbox (seq)",
        "CREATE TRIGGER bot_t AFTER INSERT ON inbox BEGIN SELECT 1; END",
        "DELETE FROM inbox",
        "CREATE TABLE inbox (x)",
        "CREATE TABLE contacts (x)",
        "CREATE TABLE unfinished_copy (source)",
        "CREATE TEMP TABLE bot_x (x)",
        "CREATE TABLE bot_x (x); ALTER TABLE bot_x RENAME TO threadbridge_x",
        "CREATE TABLE bot_x AS SELECT * FROM secrets",
        "DROP INDEX inbox_work",
    ],
)
async def test_a_migration_leaves_our_tables_alone(url: str, script: str) -> None:
    async with opened(url) as (desk, _):
        with pytest.raises(StatementFailed):
            await desk.store.migrate(migration(2, script), AT)
        assert [done.number for done in await desk.store.migrations()] == [1]


async def test_a_migration_may_do_what_tables_need(url: str) -> None:
    script = """
        CREATE TABLE bot_x (id INTEGER PRIMARY KEY AUTOINCREMENT, t TEXT);
        ALTER TABLE bot_x ADD COLUMN n INTEGER NOT NULL DEFAULT 0 CHECK (n >= 0);
        ALTER TABLE bot_x RENAME COLUMN t TO text;
        ALTER TABLE bot_x RENAME TO bot_y;
        INSERT INTO bot_y (text) VALUES ('a;b');
        CREATE UNIQUE INDEX bot_y_text ON bot_y (text);
        CREATE VIEW bot_v AS SELECT text FROM bot_y;
        CREATE TRIGGER bot_t AFTER INSERT ON bot_orders BEGIN
            INSERT INTO bot_y (text) VALUES (new.what); UPDATE bot_y SET n = n + 1;
        END;
        DROP TABLE bot_notes;
    """
    async with opened(url) as (desk, row):
        await desk.store.migrate(migration(2, script), AT)
        await desk.store.commit_turn(await executing(desk, row, (ADD, 1, "tea")))
        assert await desk.store.fetch("SELECT text FROM bot_v ORDER BY text", ()) == [("a;b",), ("tea",)]
        assert await desk.store.fetch("SELECT sum(n) FROM bot_y", ()) == [(2,)]


async def test_a_trigger_of_the_authors_reaches_none_of_our_tables(url: str) -> None:
    script = "CREATE TRIGGER bot_t AFTER INSERT ON bot_notes BEGIN DELETE FROM inbox; END"
    async with opened(url) as (desk, row):
        await desk.store.migrate(migration(2, script), AT)
        await refused(desk, row, ("INSERT INTO bot_notes VALUES ('a')",))


@pytest.mark.parametrize("together", [False, True])
async def test_a_statement_that_ends_the_transaction_itself_fails_alone(url: str, *, together: bool) -> None:
    clash = "INSERT OR ROLLBACK INTO bot_orders (no, what) VALUES (?, NULL)"
    async with opened(url) as (desk, row):
        if not together:
            await refused(desk, row, (clash, 7))
            return
        (other,) = await desk.hear("2", conversation="bob")
        commits = [await executing(desk, other, (ADD, 2, "tea")), await executing(desk, row, (clash, 7))]
        results = await asyncio.gather(*map(desk.store.commit_turn, commits), return_exceptions=True)
        assert [type(result) for result in results] == [type(None), StatementFailed]
        assert await orders(desk) == [(2, "tea")]


async def test_a_statement_that_has_no_end_is_interrupted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "STEPS", {"change": 2, "read": 2})
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) {} SELECT count(*) FROM n"
    async with opened(url) as (desk, row):
        assert "interrupted" in await refused(desk, row, (endless.format("INSERT INTO bot_notes"),))
        with pytest.raises(StatementFailed, match="interrupted"):
            await desk.store.fetch(endless.format(""), ())
        assert await desk.store.fetch("SELECT 1", ()) == [(1,)]


async def begun(desk: Desk) -> asyncio.Task[Any]:
    """A query without end that runs."""
    asking = asyncio.create_task(desk.store.fetch(ENDLESS, ()))
    while not _is_fetching():  # noqa: ASYNC110 - it begins in a thread
        await asyncio.sleep(0)
    return asking


async def test_a_query_that_is_cancelled_holds_up_no_other(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path / 'store.db'}") as (desk, row):
        asking = await begun(desk)
        assert await desk.events(row.thread_id) == [row]
        asking.cancel()
        async with asyncio.timeout(8):  # half of what it would take
            assert await desk.store.fetch("SELECT 1", ()) == [(1,)]


async def test_a_query_that_is_cancelled_ends_no_later_one(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path / 'store.db'}") as (desk, _):
        assert await desk.store.fetch("SELECT 1", ()) == [(1,)]
        connection = cast("SqliteStore", desk.store)._own_reads._own
        assert connection is not None
        half_read = await connection.run(sqlite3.Connection.execute, "SELECT 1 UNION SELECT 2")
        asking = await begun(desk)
        asking.cancel()
        assert await desk.store.fetch("SELECT 1", ()) == [(1,)]
        await connection.run(lambda _: half_read.close())


def test_a_query_that_nobody_wants_when_it_begins_ends_at_the_first_look() -> None:
    asked: list[bool] = []

    def unwanted() -> bool:
        asked.append(True)
        return True

    with closing(sqlite3.connect(":memory:")) as db, pytest.raises(StatementFailed):
        statements.fetch(db, statements.Guard(), statements.query(ENDLESS, ()), unwanted)
    assert asked == [True]


def _is_fetching() -> bool:
    frames = [frame_of(thread.ident or 0) for thread in threading.enumerate()]
    return any(frame is not None and frame.f_code.co_filename == statements.__file__ for frame in frames)


def test_the_names_of_our_tables_are_known() -> None:
    assert {"inbox", "outbox", "threads", "secrets", "migrations", "inbox_work"} <= own_names()
