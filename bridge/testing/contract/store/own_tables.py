"""The Store port's promises about the author's own tables: with their turn or not at all, and ours out of reach."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from bridge.errors import HandlerError, StatementFailed, StoreError, ThreadMoved
from bridge.store.migrations import Applied, Migration
from bridge.testing.contract.store.desk import AT, Desk
from bridge.testing.contract.store.suite import StoreSuite

if TYPE_CHECKING:
    from bridge.store.records import InboxRow, TurnCommit

ORDERS = (
    "CREATE TABLE bot_orders (no INTEGER PRIMARY KEY, what TEXT NOT NULL); -- ; ?\nCREATE TABLE bot_notes (t TEXT);"
)
ADD = "INSERT INTO bot_orders (no, what) VALUES (?, ?)"


def migration(number: int, script: str) -> Migration:
    """A file of the author's."""
    return Migration(number, f"{number:04}_orders.sql", script, sha256(script.encode()).hexdigest())


async def with_orders(desk: Desk) -> None:
    """A store with the author's tables."""
    assert await desk.store.migrate(migration(1, ORDERS), AT)


async def orders(desk: Desk) -> list[tuple[Any, ...]]:
    """What stands in them."""
    return [tuple(row) for row in await desk.store.fetch("SELECT no, what FROM bot_orders ORDER BY no", ())]


async def executing(desk: Desk, row: InboxRow, *statements: tuple[Any, ...], say: str = "") -> TurnCommit:
    """A turn that says something and changes rows."""
    commit = await desk.commit_of(row, *([say] if say else ()))
    return replace(commit, statements=[desk.store.statement(sql, values) for sql, *values in statements])


class OwnTablesContract(StoreSuite):
    """Own tables."""

    async def test_statements_are_done_with_their_turn(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        await with_orders(desk)
        (row,) = await desk.hear("1")
        await desk.store.commit_turn(
            await executing(desk, row, (ADD, 7, "tea?"), ("UPDATE bot_orders SET what = ? WHERE no = ?", "mate", 7))
        )
        for _ in range(2):
            assert await orders(desk) == [(7, "mate")]
            assert await desk.events(row.thread_id) == []
            await desk.reopen()

    async def test_a_row_is_read_by_place_and_by_name(self, desk: Desk) -> None:
        await with_orders(desk)
        (row,) = await desk.hear("1")
        await desk.store.commit_turn(await executing(desk, row, (ADD, 7, "tea")))
        (order,) = await desk.store.fetch("SELECT no, what FROM bot_orders WHERE what = ?", ("tea",))
        assert (order[0], order["what"], dict(order), len(order)) == (7, "tea", {"no": 7, "what": "tea"}, 2)
        assert await desk.store.fetch("SELECT no FROM bot_orders WHERE no = ?", (8,)) == []

    async def test_values_come_back_as_they_went(self, desk: Desk) -> None:
        await desk.store.migrate(
            migration(1, "CREATE TABLE bot_values (n BIGINT, r DOUBLE PRECISION, t TEXT, e TEXT)"), AT
        )
        (row,) = await desk.hear("1")
        values = ((1 << 63) - 1, 0.5, "ü'; DROP TABLE bot_values; --", None)
        add = "INSERT INTO bot_values VALUES (?, ?, ?, ?)"
        await desk.store.commit_turn(await executing(desk, row, (add, *values)))
        assert [tuple(found) for found in await desk.store.fetch("SELECT * FROM bot_values", ())] == [values]

    @pytest.mark.parametrize(
        "wrong",
        [
            (ADD, 7, None),
            ("INSERT INTO bot_orders (no) VALUES (?)", 1),
            ("INSERT INTO nowhere VALUES (?)", 1),
            ("UPDATE bot_orders SET what = what WHAT",),
            ("DELETE FROM bot_orders WHERE color = ?", 1),
        ],
    )
    async def test_a_statement_that_cannot_be_done_fails_its_turn_whole_and_no_other(
        self, desk: Desk, wrong: tuple[Any, ...]
    ) -> None:
        await with_orders(desk)
        rows = [(await desk.hear(name, conversation=name))[0] for name in ("ann", "bob", "cid")]
        commits = [await executing(desk, row, (ADD, row.id, "tea"), say=row.key) for row in rows]
        bad = await executing(desk, rows[1], (ADD, 99, "tea"), wrong, (ADD, 98, "tea"), say="never")
        results = await asyncio.gather(
            *map(desk.store.commit_turn, [commits[0], bad, commits[2]]), return_exceptions=True
        )
        assert [type(result) for result in results] == [type(None), StatementFailed, type(None)]
        assert await orders(desk) == [(rows[0].id, "tea"), (rows[2].id, "tea")]
        assert [row.key for row in desk.told.messages] == ["key-ann", "key-cid"]
        assert (await desk.store.thread(rows[1].thread_id)).version == 0
        await desk.store.commit_turn(commits[1])
        assert (rows[1].id, "tea") in await orders(desk)

    async def test_a_turn_finds_what_the_one_before_it_left_also_in_one_transaction(self, desk: Desk) -> None:
        await with_orders(desk)
        rows = [(await desk.hear(name, conversation=name))[0] for name in ("ann", "bob")]
        commits = [await executing(desk, row, (ADD, 7, row.key)) for row in rows]
        results = await asyncio.gather(*map(desk.store.commit_turn, commits), return_exceptions=True)
        assert [type(result) for result in results] == [type(None), StatementFailed]
        assert await orders(desk) == [(7, "ann")]

    @pytest.mark.parametrize("together", [False, True])
    async def test_a_turn_whose_thread_moved_on_changes_no_row(self, desk: Desk, *, together: bool) -> None:
        await with_orders(desk)
        rows = await desk.hear("1", "2")
        commits = [await executing(desk, row, (ADD, row.id, row.key)) for row in rows]
        if together:
            results = await asyncio.gather(*map(desk.store.commit_turn, commits), return_exceptions=True)
            assert [type(result) for result in results] == [type(None), ThreadMoved]
        else:
            await desk.store.commit_turn(commits[0])
            with pytest.raises(ThreadMoved):
                await desk.store.commit_turn(commits[1])
        assert await orders(desk) == [(rows[0].id, "1")]

    async def test_a_turn_that_cannot_be_stored_changes_no_row(self, desk: Desk) -> None:
        await with_orders(desk)
        first, second = await desk.hear("1", "2")
        await desk.turn(first, "a")
        with pytest.raises(StoreError):  # its message is said already
            await desk.store.commit_turn(await executing(desk, second, (ADD, 7, "tea"), say="a"))
        assert await orders(desk) == []

    @pytest.mark.parametrize(
        ("sql", "values", "reason"),
        [
            ("INSERT INTO bot_notes VALUES ('a'); INSERT INTO bot_notes VALUES ('b')", (), "one statement at a time"),
            ("INSERT INTO bot_notes VALUES (?)", (), "1 placeholders, and 0 parameters"),
            ("INSERT INTO bot_notes VALUES ('?')", ("a",), "0 placeholders, and 1 parameters"),
            ("INSERT INTO bot_notes VALUES (?)", (object(),), "parameter 1 of .* is a object"),
            ("INSERT INTO bot_notes VALUES (?)", ("\ud800",), "surrogate"),
            ("INSERT INTO bot_notes VALUES (?)", (1 << 63,), "64 bits"),
            ("INSERT INTO bot_notes VALUES ('", (), "does not end"),
            ("SELECT 1", (), "This is SELECT"),
            ("", (), "no statement"),
            *((f"/* INSERT */ {word} x", (), f"This is {word}") for word in (
                "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH", "PRAGMA", "VACUUM", "SET",
                "COPY", "LISTEN", "NOTIFY", "DO", "CALL", "CREATE", "DROP", "ALTER", "END", "EXPLAIN", "ANALYZE",
            )),
        ],
    )  # fmt: skip
    async def test_what_is_no_single_change_is_refused_at_once(
        self, desk: Desk, sql: str, values: tuple[Any, ...], reason: str
    ) -> None:
        with pytest.raises(HandlerError, match=reason):
            desk.store.statement(sql, values)

    @pytest.mark.parametrize("sql", ["DELETE FROM bot_notes", "PRAGMA user_version", "SELECT 1; SELECT 2", "SELECT ?"])
    async def test_what_is_no_single_query_is_refused(self, desk: Desk, sql: str) -> None:
        with pytest.raises(HandlerError, match=r"turn\.fetch"):
            await desk.store.fetch(sql, ())

    async def test_a_query_changes_nothing_and_a_bad_one_says_why(self, desk: Desk) -> None:
        await with_orders(desk)
        for sql in (
            "WITH gone AS (DELETE FROM bot_notes RETURNING t) SELECT * FROM gone",
            "WITH x AS (SELECT 1) DELETE FROM bot_notes",
            "SELECT nothing FROM bot_notes",
            "SELECT FROM WHERE",
        ):
            with pytest.raises(StatementFailed):
                await desk.store.fetch(sql, ())
        assert await desk.store.fetch("SELECT 1 AS one", ()) == [(1,)]

    # Migrations

    async def test_a_migration_is_applied_once_and_noted(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        first, second = migration(1, ORDERS), migration(2, "ALTER TABLE bot_orders ADD COLUMN price INTEGER DEFAULT 3")
        for each in (first, second):
            assert await desk.store.migrate(each, AT)
            assert not await desk.store.migrate(each, AT)
        await desk.reopen()
        assert await desk.store.migrations() == [Applied(*first.applied), Applied(*second.applied)]
        assert await desk.store.fetch("SELECT price FROM bot_orders", ()) == []

    @pytest.mark.parametrize(
        "script",
        [
            "CREATE TABLE bot_a (x INTEGER); CREATE TABLE bot_a (x INTEGER)",
            "CREATE TABLE bot_a (x INTEGER); INSERT INTO bot_a VALUES (1); COMMIT; CREATE TABLE bot_b (x INTEGER)",
            "CREATE TABLE bot_a (x INTEGER); BEGIN",
            "CREATE TABLE bot_a (x INTEGER); ROLLBACK",
            "CREATE TABLE bot_a (x INTEGER); VACUUM",
            "CREATE TABLE threadbridge_a (x INTEGER)",
            "CREATE TABLE bot_a (x INTEGER); nonsense",
        ],
    )
    async def test_a_migration_that_fails_leaves_nothing(self, desk: Desk, script: str) -> None:
        with pytest.raises(HandlerError):
            await desk.store.migrate(migration(1, script), AT)
        assert await desk.store.migrations() == []
        assert await desk.store.migrate(migration(1, "CREATE TABLE bot_a (x INTEGER)"), AT)
