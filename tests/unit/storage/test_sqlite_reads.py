"""What a look into a store costs: rows and bytes, not history."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from bridge.store.records import TurnCommit
from bridge.testing.contract.store.desk import AT, Desk, arrival, sent
from storage import memory, views
from storage.sqlite.connection import execute
from tests.support.sqlite_files import on_writer, sqlite_of

if TYPE_CHECKING:
    import sqlite3


@pytest.mark.parametrize("what", ["state", "dialog"])
async def test_threads_that_keep_much_are_remembered_in_a_bounded_number_of_bytes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(memory, "STATES", 10_000)
    for name in "abcdef":
        (row,) = await desk.hear(name, conversation=name)
        thread = await desk.store.thread(row.thread_id)
        much: dict[str, Any] = {what: orjson.dumps({"kept": "x" * 3000})}
        await desk.store.commit_turn(TurnCommit(row=row, thread=replace(thread, **much), at=AT))
    kept = [each for number in range(1, 7) if (each := desk.store.peek(number)) is not None]
    assert sum(len(getattr(each, what)) for each in kept) <= 10_000
    assert [each.ref.conversation_id for each in kept] == ["d", "e", "f"]
    assert len(getattr(await desk.store.thread(1), what)) > 3000


def plan_of(db: sqlite3.Connection, statements: str) -> list[str]:
    return [step[3] for statement in statements.split(";") for step in db.execute(f"EXPLAIN QUERY PLAN {statement}")]


@pytest.mark.parametrize("side", ["inbox", "outbox"])
async def test_whether_a_thread_is_busy_is_not_asked_of_its_whole_history(desk: Desk, side: str) -> None:
    looked_at: list[str] = []
    await on_writer(desk, lambda db: db.set_trace_callback(looked_at.append))
    event, _ = await desk.hear("m-1", "m-2")
    for message in await desk.turn(event, "hi", "there"):
        await desk.store.settle_delivery(sent(message))
    await on_writer(desk, lambda db: db.set_trace_callback(None))
    asked = [statement for statement in looked_at if f"FROM {side} w" in statement]
    assert {statement.split()[0] for statement in asked} == {"SELECT", "UPDATE"}
    explained = ";".join(asked)
    steps = await on_writer(desk, lambda db: plan_of(db, explained))
    assert sum(f"INDEX {side}_work" in step for step in steps) == len(asked)
    assert not any(f"{side}_past" in step for step in steps)


async def test_many_changes_find_their_rows_by_number_whatever_old_statistics_say(desk: Desk) -> None:
    looked_at: list[str] = []
    names = [f"c{number}" for number in range(12)]
    for name in names:
        (first,) = await desk.said(f"hi {name}", conversation=name)
        await desk.store.settle_delivery(sent(first))
    rows = [(await desk.hear(f"more {name}", conversation=name))[0] for name in names]
    turns = [await desk.commit_of(row, f"re {row.id}") for row in rows]
    await on_writer(desk, lambda db: db.set_trace_callback(looked_at.append))
    await asyncio.gather(*map(desk.store.commit_turn, turns))
    await asyncio.gather(*[desk.store.settle_delivery(sent(row)) for row in desk.told.messages[12:]])
    await on_writer(desk, lambda db: db.set_trace_callback(None))
    asked = [text for text in looked_at if text.split()[0] == "UPDATE" or "count(*)" in text]
    assert [" ".join(text.split()[:2]) for text in asked] == [
        "UPDATE inbox",
        "UPDATE threads",
        "SELECT count(*)",
        "UPDATE outbox",
    ]
    await on_writer(desk, _make_statistics_old)
    steps = await on_writer(desk, lambda db: plan_of(db, ";".join(asked)))
    reads = [step for step in steps if re.match(r"(SCAN|SEARCH) (inbox|outbox|threads|o)\b", step)]
    assert len(reads) == len(asked)
    assert all("USING INTEGER PRIMARY KEY" in step for step in reads), reads


def _make_statistics_old(db: sqlite3.Connection) -> None:
    """As if they were made while one row was there."""
    db.execute("ANALYZE")
    db.execute("UPDATE sqlite_stat1 SET stat = '1 1 1 1 1'")
    db.execute("ANALYZE sqlite_schema")


@pytest.mark.parametrize("side", ["inbox", "outbox"])
async def test_a_page_of_what_waits_is_found_without_looking_at_all_that_waits(desk: Desk, side: str) -> None:
    looked_at: list[str] = []
    await execute(sqlite_of(desk)._connection, lambda db: db.set_trace_callback(looked_at.append))
    await desk.store.inbox_heads(0, 10)
    await desk.store.outbox_heads(0, 10, "shop")
    await desk.store.dead_letters()
    explained = ";".join(looked_at)
    steps = await on_writer(desk, lambda db: plan_of(db, explained))
    assert any(f"INDEX {side}_open" in step for step in steps)
    assert any(f"INDEX {side}_dead" in step for step in steps)
    assert not any("TEMP B-TREE" in step or (step.startswith("SCAN") and "INDEX" not in step) for step in steps)


async def test_what_waits_at_each_account_is_counted_without_reading_history(desk: Desk) -> None:
    """But for the latest events, among which the last one of an account is looked for."""
    looked_at: list[str] = []
    await execute(sqlite_of(desk)._connection, lambda db: db.set_trace_callback(looked_at.append))
    await desk.store.accounts()
    explained = ";".join(looked_at)
    scans = [step for step in await on_writer(desk, lambda db: plan_of(db, explained)) if step.startswith("SCAN")]
    indexes = [scan.partition("INDEX ")[2] for scan in scans if "INDEX" in scan]
    assert sorted(indexes) == ["inbox_dead", "inbox_open", "outbox_dead", "outbox_open"]
    whole = [scan for scan in scans if scan in {"SCAN inbox", "SCAN outbox"}]
    assert whole == ["SCAN inbox"]
    assert f"ORDER BY id DESC LIMIT {views.LATEST}" in looked_at[0]


async def test_a_read_of_large_rows_ends_early_and_goes_on_from_there(desk: Desk) -> None:
    for number in range(3):
        await desk.receive(arrival(f"{number}", raw=b'{"text":"%b"}' % (b"x" * 600_000)))
    (thread_id,) = {row.thread_id for row in desk.told.events}
    first = await desk.store.inbox_after(thread_id, 0, 10)
    rest = await desk.store.inbox_after(thread_id, first[-1].seq, 10)
    assert [[row.key for row in rows] for rows in (first, rest)] == [["0", "1"], ["2"]]
    assert [row.size for row in first] == [row.size for row in desk.told.events[:2]]
