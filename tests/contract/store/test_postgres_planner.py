"""What PostgreSQL's planner says to each statement of the store, in a database that has grown."""

from __future__ import annotations

import re
from typing import Any, Final

import asyncpg
import pytest

from bridge.store.port import Store
from bridge.testing.contract.store.desk import Desk, arrival, news
from storage.postgres import queries, statuses
from storage.postgres.connection import address_of, connect
from tests.contract.store.test_every_method import _QUIET, Called, look, work
from tests.support.postgres import empty_store, plain, process_of

_SCAN: Final = re.compile(
    r"Seq Scan on (?:inbox|outbox|threads|attempts|timers|steps|early_statuses|media|audit|contacts|identities"
    r"|conflicts|opt_outs|tombstones|step_spending)\b"
    r"|Index (?:Only )?Scan(?: Backward)? using (?:inbox|outbox)_pkey on (?![^\n]*\n\s+Index Cond)"
)
"""A table that grows, read whole, or from its end on."""
_BOUNDED: Final = frozenset(
    {
        statuses.ANY_EARLY,  # one row
        queries.LAST_RECEIVED,  # ends after so many rows
        queries.UNCONFIRMED,  # ends where the time asked for ends
    }
)
_NEWEST: Final = re.compile(r"\(SELECT (?:coalesce\()?max\(id\)(?:, 0\))? FROM (?:inbox|outbox|timers|media)\)")
"""One row of an index."""
_GROW: Final = """
INSERT INTO threads (id, account, provider, channel, conversation, created_at, updated_at)
SELECT 1000000 + n, 'past', 'konnek', 'whatsapp', 'c' || n, n, n FROM generate_series(1, 20000) n;
INSERT INTO contacts (id, account, created_at, updated_at)
SELECT 1000000 + n, 'past', n, n FROM generate_series(1, 20000) n;
UPDATE threads SET contact_id = id WHERE account = 'past';
INSERT INTO identities (account, kind, value, contact_id, created_at)
SELECT 'past', 'phone', '+' || n, 1000000 + n, n FROM generate_series(1, 20000) n;
INSERT INTO conflicts (account, kind, value, contact_id, created_at)
SELECT 'past', 'phone', '+' || n, 1000000 + n, n FROM generate_series(1, 20000) n;
INSERT INTO opt_outs (contact_id, account, event_id)
SELECT 1000000 + n, 'past', n FROM generate_series(1, 20000) n;
INSERT INTO inbox (id, account, event_key, thread_id, seq, kind, event, raw, status, received_at, done_at)
SELECT 2 * n, 'past', 'k' || n, 1000000 + n % 20000, 2 * n, 'message', '{}', '{}',
    CASE WHEN n % 1000 = 0 THEN 'open' WHEN n % 1000 = 1 THEN 'held' WHEN n % 1000 = 2 THEN 'dead' ELSE 'done' END,
    n, n FROM generate_series(1, 20000) n;
INSERT INTO outbox (id, key, account, thread_id, seq, kind, message, status, message_id, created_at, done_at)
SELECT 2 * n + 1, 'o' || n, 'past', 1000000 + n % 20000, 2 * n + 1, 'text', '{}',
    CASE WHEN n % 1000 = 0 THEN 'open' WHEN n % 1000 = 1 THEN 'dead' ELSE 'sent' END,
    'm' || n, n, n FROM generate_series(1, 20000) n;
INSERT INTO attempts (outbox_id, attempt, at, outcome)
SELECT 2 * n + 1, 1, 1, 'sent' FROM generate_series(1, 20000) n;
INSERT INTO timers (account, thread_id, name, due_at, set_at, since, arguments, status)
SELECT 'past', 1000000 + n % 20000, 'n', 1 + n * 1000000000000, 1, 0, '{}',
    CASE WHEN n % 50 = 0 THEN 'waiting' ELSE 'fired' END FROM generate_series(1, 20000) n;
INSERT INTO steps (thread_id, run, position, call, key, at)
SELECT 1000000 + n % 20000, 'r' || n, 0, 'c', 'k', 1 FROM generate_series(1, 20000) n;
INSERT INTO media (account, thread_id, inbox_id, status, kind, queued_at, sha256)
SELECT 'past', 1000000 + n % 20000, 2 * n,
    CASE WHEN n % 1000 = 0 THEN 'waiting' WHEN n % 1000 = 1 THEN 'forgotten' ELSE 'kept' END,
    'image', n, 'h' || n FROM generate_series(1, 20000) n;
INSERT INTO tombstones (account, digest, at)
SELECT 'past', 'd' || n, 1767200000000000 + n FROM generate_series(1, 20000) n;
INSERT INTO step_spending (account, name, period, amount, at)
SELECT 'past', 'b' || n, '2026-01-01', n, 1767200000000000 + n FROM generate_series(1, 20000) n;
INSERT INTO audit (at, who, what, account, target)
SELECT n, 'ci', 'drop', 'past', 'in-' || n FROM generate_series(1, 20000) n;
SELECT setval('places', 50000);
"""


@pytest.fixture
def url() -> str:
    return empty_store()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The statements that connections run, each with the values of its first time."""
    statements: dict[str, Any] = {}
    for name in ("fetch", "execute", "executemany"):
        method = getattr(asyncpg.Connection, name)

        async def listening(
            self: Any, query: str, *values: Any, _run: Any = method, _of: str = name, **options: Any
        ) -> Any:
            statements.setdefault(query, values[0][0] if _of == "executemany" else values)
            return await _run(self, query, *values, **options)

        monkeypatch.setattr(asyncpg.Connection, name, listening)
    return statements


async def administer(url: str, script: str) -> None:
    connection = await asyncpg.connect(plain(url), server_settings={"search_path": "threadbridge"})
    try:
        await connection.execute(script)
    finally:
        await connection.close()


async def problems(url: str, statements: dict[str, Any]) -> list[str]:
    """The statements whose plans cost more with every day."""
    connection = await asyncpg.connect(plain(url), server_settings={"search_path": "threadbridge", "jit": "off"})
    found = []
    try:
        for query in sorted(statements.keys() - _BOUNDED):
            if query.split(maxsplit=1)[0] not in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"} or "pg_" in query:
                continue
            asked = _NEWEST.sub("0", query)
            plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {asked}", *statements[query]))
            if _SCAN.search(plan):
                found.append(f"{query}\n{plan}")
    finally:
        await connection.close()
    return found


async def share(desk: Desk) -> None:
    """What happens between two processes."""
    (mine,) = await desk.hear("3", conversation="busy")
    other = await Desk(desk.url).open()
    await other.receive(arrival("4", "busy"), arrival("5", "new"), news("m-0", "delivered"))
    await process_of(other)._tending.look()
    await process_of(desk)._tending._read("in", [mine.id])
    await process_of(desk)._tending._read("out", [mine.id])
    await other.store.close()


async def call_all(desk: Desk) -> Called:
    """Every method of the store, each once at least."""
    desk.store = called = Called(desk.store)
    (row,) = await desk.hear("1")
    await work(desk, row)
    await look(called, desk.told.events[-1])
    await share(desk)
    return called


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """The types of which a driver asks the server."""
    types: list[set[int]] = []
    introspect = asyncpg.Connection._introspect_types

    async def asks(self: Any, those: set[int], *more: Any) -> Any:
        types.append({*those})
        return await introspect(self, those, *more)

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", asks)
    return types


async def test_no_statement_waits_until_the_driver_knows_its_types(url: str, asked: list[set[int]]) -> None:
    desk = await Desk(url).open()
    try:
        await call_all(desk)
    finally:
        await desk.store.close()
    assert asked == []


async def test_a_driver_that_learns_in_another_way_asks_once_and_before_its_first_statement(
    url: str, asked: list[set[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.postgres.connection._ARRAYS", ((1000, "_bool", 16, "boolean"),))
    connection = await connect(address_of(url), read_only=True)
    try:
        assert asked == [{1001, 1016}]
        assert [*await connection.fetchrow("SELECT $1::bigint[], $2::bytea[]", [1], [b"a"])] == [[1], [b"a"]]
        assert len(asked) == 1
    finally:
        await connection.close()


async def test_no_method_of_the_store_costs_more_with_every_day(url: str, heard: dict[str, Any]) -> None:
    desk = await Desk(url).open()
    try:
        await administer(url, _GROW)
        heard.clear()
        called = await call_all(desk)
    finally:
        await desk.store.close()
    assert {name for name in dir(Store) if not name.startswith("_")} - called.names == _QUIET - {"close"}
    statements = dict(heard)
    await administer(url, "ANALYZE")
    wrong = await problems(url, statements)
    assert not wrong, "\n\n".join(wrong)


async def test_a_statement_that_costs_more_with_every_day_is_named(url: str) -> None:
    store = await Desk(url).open()
    await store.store.close()
    await administer(url, _GROW)
    await administer(url, "ANALYZE")
    assert await problems(url, {"SELECT id FROM inbox WHERE received_at > $1": (1,)})
    assert await problems(url, {"UPDATE outbox SET error = NULL WHERE error = $1": ("x",)})
    assert not await problems(url, {"SELECT kind FROM inbox WHERE id = $1": (1,)})
