"""What was said long ago is found where the past has many segments, and the newest of it first."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

from bridge.events import Contact, Echo
from bridge.testing.contract.store.desk import AT, NOON, Desk, news, ref_of, sent
from storage.sqlite.evidence import ThreadEvidence
from storage.sqlite.queries import MESSAGES
from storage.sqlite.segments import BITS
from storage.sqlite.synthetic_past import Past, write_past
from tests.support.sqlite_files import on_writer

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from bridge.events import StatusValue


async def pass_by(desk: Desk, segments: int = 3) -> None:
    """So much is said elsewhere that what comes next lies segments further on."""
    number = 1 + await on_writer(desk, newest)
    await desk.hear(f"filler {number}", conversation="elsewhere")
    await on_writer(
        desk, lambda db: db.execute("UPDATE inbox SET id = ? WHERE id = ?", (far(number, segments), number))
    )
    await desk.reopen()


def far(number: int, segments: int) -> int:
    return number + (segments << BITS)


def newest(db: sqlite3.Connection) -> int:
    number: int = db.execute("SELECT max((SELECT max(id) FROM inbox), (SELECT max(id) FROM outbox))").fetchone()[0]
    return number


async def test_history_goes_on_through_segments_without_a_word(desk: Desk) -> None:
    ids: list[int] = []
    for text in ("a", "b", "c"):
        (row,) = await desk.said(text)
        ids += [row.id - 1, row.id]
        await desk.store.settle_delivery(sent(row))
        await pass_by(desk)
    assert len({number >> BITS for number in ids}) == 3
    assert [entry.id for entry in await desk.store.history(1)] == ids
    assert [entry.id for entry in await desk.store.history(1, limit=3)] == ids[-3:]
    assert [entry.id for entry in await desk.store.history(1, after=ids[2])] == ids[3:]
    assert await desk.store.history(1, limit=0) == []


async def test_news_finds_its_message_segments_ago(desk: Desk) -> None:
    (row,) = await desk.said("a")
    await desk.store.settle_delivery(sent(row, "m-1"))
    await pass_by(desk)
    await desk.receive(news("m-1", "read"))
    assert await desk.fate(row) == ("sent", "read")


async def test_news_prefers_its_own_conversation_to_a_newer_message_of_that_name(desk: Desk) -> None:
    (own,) = await desk.said("a", conversation="ann")
    await desk.store.settle_delivery(sent(own, "m-1"))
    await pass_by(desk)
    (newer,) = await desk.said("b", conversation="bob")
    await desk.store.settle_delivery(sent(newer, "m-1"))
    await desk.receive(news("m-1", "read", ref=ref_of("ann")))
    assert (await desk.fate(own), await desk.fate(newer)) == (("sent", "read"), ("sent", ""))


async def test_news_without_a_conversation_is_of_the_newest_message_of_that_name(desk: Desk) -> None:
    for conversation in ("ann", "bob"):
        (row,) = await desk.said("a", conversation=conversation)
        await desk.store.settle_delivery(sent(row, "m-1"))
        await pass_by(desk)
    await desk.receive(news("m-1", "read"))
    assert await desk.fate(row) == ("sent", "read")


@pytest.mark.parametrize("segments", [1, 3])
async def test_a_message_is_known_by_its_key_segments_ago(desk: Desk, segments: int) -> None:
    (row,) = await desk.said("a")
    await desk.store.settle_delivery(sent(row))
    await pass_by(desk, segments)
    echo = Echo(id="e-1", contact=Contact(id="ann"), at=NOON, message_key=row.key)
    assert await on_writer(desk, lambda db: ThreadEvidence(db, "shop", row.thread_id).is_named(echo))
    assert [message.key for message in await desk.store.messages([["unknown"], [row.key]])] == [row.key]
    assert await desk.store.find(row.key) == [f"out-{row.id}"]
    await desk.receive(news(row.key, "read"))
    assert await desk.fate(row) == ("sent", "read")


async def test_what_a_turn_said_across_the_end_of_a_segment_is_found_by_its_keys(desk: Desk) -> None:
    said = [row.key for row in await desk.said("a", "b", "c")]
    await on_writer(desk, lambda db: db.executemany("UPDATE outbox SET id = ? WHERE key = ?", across(said)))
    await desk.reopen()
    await pass_by(desk)
    assert sorted(message.key for message in await desk.store.messages([[*said, "a fourth"]])) == sorted(said)


async def test_one_search_of_the_past_is_enough_for_a_turn_that_said_nothing(desk: Desk) -> None:
    await desk.said("a")
    await pass_by(desk, 30)
    one, many = [await on_writer(desk, partial(steps, ["unknown"] * parts)) for parts in (1, 16)]
    assert one < many < 2 * one


async def test_news_of_an_unknown_message_searches_the_past_once(desk: Desk) -> None:
    await desk.said("before")
    await pass_by(desk, 30)
    first, second = [await steps_of_news(desk, value) for value in ("delivered", "read")]
    assert second < first / 2
    (row,) = await desk.said("a")
    await desk.store.settle_delivery(sent(row, "m-1"))
    assert await desk.fate(row) == ("sent", "read")


async def steps_of_news(desk: Desk, value: StatusValue) -> int:
    """How many steps of SQLite's machine it takes to store news of an unknown message."""
    taken: list[None] = []
    await on_writer(desk, lambda db: db.set_progress_handler(lambda: taken.append(None), 1))
    await desk.receive(news("m-1", value))
    await on_writer(desk, lambda db: db.set_progress_handler(None, 0))
    return len(taken)


def across(keys: list[str]) -> list[tuple[int, str]]:
    """Numbers of which the first is the last of a segment."""
    return [(far(0, 1) - 1 + number, key) for number, key in enumerate(keys)]


def steps(keys: list[str], db: sqlite3.Connection) -> int:
    """How many steps of SQLite's machine a look for one turn takes."""
    taken: list[None] = []
    db.set_progress_handler(lambda: taken.append(None), 1)
    try:
        assert db.execute(MESSAGES, (json.dumps([keys]),)).fetchall() == []
    finally:
        db.set_progress_handler(None, 0)
    return len(taken)


async def test_threads_of_all_accounts_are_listed_by_their_time(desk: Desk) -> None:
    for number, account in enumerate(("shop", "desk", "shop")):
        await desk.hear(f"{number}", conversation=f"c{number}", account=account)
    await on_writer(desk, lambda db: db.execute("UPDATE threads SET updated_at = ? + id", (AT,)))
    assert [thread.id for thread in await desk.store.threads()] == [3, 2, 1]
    assert [thread.id for thread in await desk.store.threads(limit=2)] == [3, 2]
    assert [thread.id for thread in await desk.store.threads(account="shop")] == [3, 1]


async def test_a_written_past_is_one_that_the_store_goes_on_with(file: Path) -> None:
    heard: list[int] = []
    write_past(file, Past(messages=300, threads=10, waiting=25, until=AT), heard.append)
    assert heard == [325]
    desk = await Desk(f"sqlite:///{file}").open()
    assert dict(await desk.store.counts())["open_events"] == 25
    assert len(await desk.store.threads()) == 10
    heads = await desk.store.inbox_heads(0, 100)
    assert sorted(row.attempt for row in heads) == [1] * 10
    waiting = await desk.store.inbox_after(1, 0, 100)
    assert [row.attempt for row in waiting] == [1, 0, 0]
    said = await desk.store.history(1, limit=1000)
    assert [(entry.direction, entry.state) for entry in said[:2]] == [("in", "done"), ("out", "sent")]
    assert len(said) == 2 * 30 + 3
    assert await desk.turn(waiting[0], "hi")
    await desk.store.close()
