"""Many deliveries settled in one transaction: each counts once, whatever became of it before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bridge.errors import ClaimLost
from bridge.store.lifecycle import Outcome
from bridge.testing.contract.store.desk import again, news, refused, sent
from tests.support.sqlite_files import on_writer

if TYPE_CHECKING:
    from bridge.store.records import OutboxRow
    from bridge.testing.contract.store.desk import Desk

COUNT = 12


async def on_their_way(desk: Desk) -> list[OutboxRow]:
    rows = []
    for number in range(COUNT):
        rows += await desk.said(f"hi {number}", f"more {number}", conversation=f"c{number}")
    return rows[::2]


async def ends_of(desk: Desk, rows: list[OutboxRow]) -> list[tuple[str, str, str | None]]:
    ids = ", ".join(str(row.id) for row in rows)
    sql = f"SELECT status, outcome, message_id FROM outbox WHERE id IN ({ids}) ORDER BY id"
    ends: list[tuple[str, str, str | None]] = await on_writer(desk, lambda db: db.execute(sql).fetchall())
    return ends


async def test_all_that_are_sent_are_settled_and_the_next_ones_may_go(desk: Desk) -> None:
    rows = await on_their_way(desk)
    await asyncio.gather(*[desk.store.settle_delivery(sent(row, f"m-{row.id}")) for row in rows])
    assert await ends_of(desk, rows) == [("sent", "sent", f"m-{row.id}") for row in rows]
    heads = await desk.store.outbox_heads(0, 100, "shop")
    assert [row.attempt for row in heads] == [1] * COUNT


async def test_one_that_is_refused_leaves_the_others_as_they_are(desk: Desk) -> None:
    rows = await on_their_way(desk)
    settled = [refused(row) if row is rows[5] else sent(row, "m") for row in rows]
    await asyncio.gather(*map(desk.store.settle_delivery, settled))
    ends = [("dead", "rejected", None) if row is rows[5] else ("sent", "sent", "m") for row in rows]
    assert await ends_of(desk, rows) == ends


async def test_one_that_a_status_settled_before_stays_as_it_is(desk: Desk) -> None:
    rows = await on_their_way(desk)
    await desk.store.retry_delivery(again(rows[5], Outcome.UNKNOWN))
    await desk.receive(news(rows[5].key, "delivered"))
    await asyncio.gather(*[desk.store.settle_delivery(sent(row, "m")) for row in rows])
    ends = [("sent", "resolved", "m") if row is rows[5] else ("sent", "sent", "m") for row in rows]
    assert await ends_of(desk, rows) == ends


async def test_the_first_of_two_ends_counts(desk: Desk) -> None:
    rows = await on_their_way(desk)
    settled = [*(sent(row, "first") for row in rows), sent(rows[0], "second")]
    await asyncio.gather(*map(desk.store.settle_delivery, settled))
    assert await ends_of(desk, rows) == [("sent", "sent", "first")] * COUNT


async def test_one_that_is_erased_is_told(desk: Desk) -> None:
    rows = await on_their_way(desk)
    await on_writer(desk, lambda db: db.execute("DELETE FROM outbox WHERE id = ?", (rows[5].id,)).close())
    settled = [desk.store.settle_delivery(sent(row, "m")) for row in rows]
    told = await asyncio.gather(*settled, return_exceptions=True)
    assert [type(error) for error in told if error is not None] == [ClaimLost]
    assert await ends_of(desk, rows) == [("sent", "sent", "m")] * (COUNT - 1)
