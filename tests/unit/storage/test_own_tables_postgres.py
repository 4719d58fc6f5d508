"""The author's own statements on PostgreSQL: kept apart from our tables, and fair to whoever shares the transaction."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from bridge.errors import HandlerError, StatementFailed, Unavailable
from bridge.testing.contract.store.desk import AT, Desk
from bridge.testing.contract.store.own_tables import ADD, executing, migration, orders, with_orders
from storage.postgres import statements
from tests.support.postgres import plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.postgres_processes import Open

pytestmark = pytest.mark.slow

CHILDREN = """
CREATE TABLE bot_parents (id BIGINT PRIMARY KEY);
CREATE TABLE bot_children (parent BIGINT REFERENCES bot_parents DEFERRABLE INITIALLY DEFERRED);
"""


@pytest.fixture
async def desk(ours: Desk) -> Desk:
    """A store with the author's tables."""
    await with_orders(ours)
    return ours


@asynccontextmanager
async def somebody_else(desk: Desk) -> AsyncIterator[asyncpg.Connection]:
    """Another client of the database, in a transaction."""
    connection = await asyncpg.connect(plain(desk.url))
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


def quick(monkeypatch: pytest.MonkeyPatch, setting: str, value: str) -> None:
    """With less patience, a test takes less time."""
    monkeypatch.setattr(statements, "_BEGIN", f"{statements._BEGIN}; SET LOCAL {setting} = '{value}'")


async def beside(desk: Desk, *clash: tuple[Any, ...]) -> tuple[object, object]:
    """What becomes of a turn with these statements, and of one beside it in the transaction."""
    (ann,), (bob,) = await desk.hear("a", conversation="ann"), await desk.hear("b", conversation="bob")
    commits = [await executing(desk, ann, (ADD, 1, "tea")), await executing(desk, bob, *clash)]
    good, bad = await asyncio.gather(*map(desk.store.commit_turn, commits), return_exceptions=True)
    return bad, good


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM threadbridge.inbox",
        'DELETE FROM "threadbridge".inbox',
        "INSERT INTO bot_notes SELECT value FROM THREADBRIDGE . secrets",
        'DELETE FROM U&"thread\\0062ridge".inbox',
        "UPDATE bot_notes SET t = set_config('search_path', 'a', false)",
        "UPDATE bot_notes SET t = pg_advisory_unlock_all()::text",
    ],
)
async def test_what_is_ours_is_refused_at_once(desk: Desk, sql: str) -> None:
    with pytest.raises(HandlerError):
        desk.store.statement(sql, ())


async def test_a_name_in_a_text_or_a_comment_is_none(desk: Desk) -> None:
    sql = "INSERT INTO bot_notes VALUES ('threadbridge.inbox') -- threadbridge"
    (row,) = await desk.hear("1")
    await desk.store.commit_turn(await executing(desk, row, (sql,)))
    assert await desk.store.fetch("SELECT t FROM bot_notes", ()) == [("threadbridge.inbox",)]


@pytest.mark.parametrize("sql", ["DELETE FROM inbox", "INSERT INTO bot_notes SELECT value FROM secrets"])
async def test_a_name_alone_finds_none_of_our_tables(desk: Desk, sql: str) -> None:
    bad, good = await beside(desk, (sql,))
    assert isinstance(bad, StatementFailed)
    assert "42P01" in str(bad)
    assert good is None


async def test_a_constraint_may_wait_until_the_end_of_its_turn_and_fails_that_alone(desk: Desk) -> None:
    await desk.store.migrate(migration(2, CHILDREN), AT)
    child = ("INSERT INTO bot_children VALUES (?)", 7)
    bad, good = await beside(desk, child)
    assert isinstance(bad, StatementFailed)
    assert good is None
    (row,) = await desk.hear("c", conversation="cid")
    await desk.store.commit_turn(await executing(desk, row, child, ("INSERT INTO bot_parents VALUES (?)", 7)))
    assert await desk.store.fetch("SELECT parent FROM bot_children", ()) == [(7,)]


async def test_a_lock_of_somebody_else_is_no_fault_and_holds_up_no_other_turn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch, "lock_timeout", "20ms")
    change = ("UPDATE bot_orders SET what = ? WHERE no = ?", "mate", 9)
    (row,) = await desk.hear("1")
    await desk.store.commit_turn(await executing(desk, row, (ADD, 9, "tea")))
    tried: list[object] = []
    run = statements._run

    async def counted(*arguments: Any) -> Any:
        tried.append(arguments)
        return await run(*arguments)

    async with somebody_else(desk) as other:
        await other.execute("UPDATE bot_orders SET what = 'theirs'")
        monkeypatch.setattr(statements, "_run", counted)
        bad, good = await beside(desk, change)
    assert type(bad) is Unavailable
    assert good is None
    assert len(tried) == 2
    (again,) = await desk.store.inbox_heads(0, 10)
    await desk.store.commit_turn(await executing(desk, again, change))
    assert (9, "mate") in await orders(desk)


async def test_a_statement_that_takes_too_long_fails_its_turn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch, "statement_timeout", "20ms")
    bad, good = await beside(desk, ("INSERT INTO bot_notes SELECT pg_sleep(9)::text",))
    assert isinstance(bad, StatementFailed)
    assert "too slow" in str(bad)
    assert good is None


async def test_a_migration_meanwhile_makes_no_statement_stale(desk: Desk) -> None:
    add = ("INSERT INTO bot_notes VALUES (?) RETURNING *", "a")
    for number in (2, 3):
        (row,) = await desk.hear(f"{number}")
        await desk.store.commit_turn(await executing(desk, row, add))
        await desk.store.migrate(migration(number, f"ALTER TABLE bot_notes ADD COLUMN c{number} TEXT"), AT)
    assert await desk.store.fetch("SELECT count(*) FROM bot_notes", ()) == [(2,)]


async def test_values_have_the_types_of_their_columns(desk: Desk) -> None:
    await desk.store.migrate(
        migration(2, "CREATE TABLE bot_v (d DATE, t TIMESTAMPTZ, n NUMERIC, u UUID, l BIGINT[], b BYTEA, j JSONB)"), AT
    )
    day, noon, numbers = date(2026, 1, 1), datetime(2026, 1, 1, 12, tzinfo=UTC), [1, 2]
    values = (day, noon, Decimal("1.5"), UUID(int=7), numbers, b"\0", '{"a": 1}')
    (row,) = await desk.hear("1")
    commit = await executing(desk, row, ("INSERT INTO bot_v VALUES (?, ?, ?, ?, ?, ?, ?)", *values))
    numbers.append(3)  # what was executed is what it was then
    await desk.store.commit_turn(commit)
    found = await desk.store.fetch("SELECT * FROM bot_v", ())
    assert tuple(found[0]) == (*values[:4], [1, 2], *values[5:])
    assert await desk.store.fetch("SELECT j ? $1 AND u = $2 FROM bot_v", ("a", UUID(int=7))) == [(True,)]


async def test_a_value_of_another_type_fails_its_turn_alone(desk: Desk) -> None:
    bad, good = await beside(desk, (ADD, "seven", "tea"))
    assert isinstance(bad, StatementFailed)
    assert good is None


async def test_of_two_processes_one_applies_a_migration(desk: Desk, one_more: Open) -> None:
    other = await one_more()
    wanted = migration(2, "CREATE TABLE bot_x (x INTEGER)")
    done = await asyncio.gather(desk.store.migrate(wanted, AT), other.store.migrate(wanted, AT))
    assert sorted(done) == [False, True]


async def test_a_turn_of_a_thread_that_is_not_ours_changes_no_row(desk: Desk) -> None:
    (row,) = await desk.hear("1")
    commit = await executing(desk, row, (ADD, 1, "tea"))
    lost = replace(commit, thread=replace(commit.thread, id=4711))
    (result,) = await asyncio.gather(desk.store.commit_turn(lost), return_exceptions=True)
    assert result is not None
    assert await orders(desk) == []
