"""Rows that this version cannot read: each is a dead letter, and nothing waits behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bridge.errors import Unmappable
from bridge.events import Contact, Echo, Timer, encode_event
from bridge.store.lifecycle import InboxState
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import AT, NOON, Desk, arrival, news, sent
from storage.sqlite.store import open_reader
from tests.support.sqlite_files import on_writer

if TYPE_CHECKING:
    from bridge.store.looks import DeadLetter


SPOILT = ["kind = 'reaction'", "event = x'ff'", "event = x'5b5d'", "event = x'7b7d'", "raw = x'ff'"]


async def spoil(desk: Desk, table: str, *row_ids: int, to: str = "event = x'ff'") -> None:
    spoiling = f"UPDATE {table} SET {to} WHERE id = ?"
    await on_writer(desk, lambda db: db.executemany(spoiling, [(row_id,) for row_id in row_ids]))


async def letters(desk: Desk) -> list[DeadLetter]:
    return sorted(await desk.store.dead_letters(), key=lambda letter: letter.id)


@pytest.mark.parametrize("to", SPOILT)
async def test_an_event_that_cannot_be_read_is_a_dead_letter_and_its_thread_goes_on(desk: Desk, to: str) -> None:
    bad, good = (await desk.hear("bad"))[0], (await desk.hear("good", conversation="bob"))[0]
    (behind,) = await desk.hear("behind")
    await spoil(desk, "inbox", bad.id, to=to)
    with capture_logs() as lines:
        heads = await desk.store.inbox_heads(0, 10)
    assert [(row.key, row.attempt) for row in heads] == [("good", 1), ("behind", 1)]
    assert await desk.store.inbox_after(good.thread_id, 0, 10) == [good]
    assert await desk.store.inbox_after(bad.thread_id, 0, 10) == [replace(behind, attempt=1)]
    (letter,) = await letters(desk)
    assert (letter.id, letter.state) == (f"in-{bad.id}", InboxState.DEAD)
    assert letter.reason.startswith("this threadbridge cannot read it: ")
    assert [line["event"] for line in lines] == ["row_unreadable"]


async def test_a_message_that_cannot_be_read_is_a_dead_letter_and_its_thread_goes_on(desk: Desk) -> None:
    (row,) = await desk.hear("1")
    bad, behind = await desk.turn(row, "bad", "behind")
    await spoil(desk, "outbox", bad.id, to="message = x'7b7d'")
    assert await desk.store.outbox_heads(0, 10, "shop") == [replace(behind, attempt=1)]
    assert [letter.id for letter in await letters(desk)] == [f"out-{bad.id}"]


async def test_a_page_of_unreadable_rows_hides_nothing_behind_it(desk: Desk) -> None:
    rows = [(await desk.hear(f"{number}", conversation=f"c{number}"))[0] for number in range(9)]
    await spoil(desk, "inbox", *(row.id for row in rows[:8]))
    assert await desk.store.inbox_heads(0, 4) == rows[8:]
    assert len(await letters(desk)) == 8


async def test_one_in_the_middle_of_a_thread_costs_the_head_no_try(desk: Desk) -> None:
    rows = [(await desk.hear(f"{number}"))[0] for number in range(4)]
    await spoil(desk, "inbox", rows[1].id, rows[2].id)
    assert await desk.store.inbox_after(rows[0].thread_id, 0, 10) == [rows[0], rows[3]]
    await desk.turn(rows[0])
    (last,) = await desk.store.inbox_heads(0, 10)
    assert (last.key, last.attempt) == ("3", 1)


async def test_who_only_looks_gives_nothing_up(desk: Desk) -> None:
    (row,) = await desk.hear("1")
    await spoil(desk, "inbox", row.id)
    reader = await open_reader(desk.url)
    assert await reader.inbox_heads(0, 10) == []
    await reader.close()
    assert await letters(desk) == []


@pytest.mark.parametrize("side", ["in", "out"])
async def test_a_letter_that_cannot_be_read_stays_a_letter_when_a_person_replays_it(desk: Desk, side: str) -> None:
    (row,) = await desk.hear("1")
    if side == "out":
        (message,) = await desk.turn(row, "a")
        await spoil(desk, "outbox", message.id, to="message = x'7b7d'")
        await desk.store.outbox_heads(0, 10)
    else:
        await spoil(desk, "inbox", row.id)
        await desk.store.inbox_heads(0, 10)
    (letter,) = await letters(desk)
    with pytest.raises(Unmappable, match="cannot read it"):
        await desk.store.replay(letter.id, AT)
    assert await letters(desk) == [letter]


async def test_choices_in_another_form_are_closed_and_their_thread_goes_on(desk: Desk) -> None:
    (row,) = await desk.hear("1")
    await desk.turn(row)
    await on_writer(desk, lambda db: db.execute("""UPDATE threads SET choices = CAST('[{"key": "k"}]' AS BLOB)"""))
    await desk.reopen()
    assert (await desk.store.thread(row.thread_id)).choices == ()
    assert await desk.receive(arrival("2")) == [Receipt.STORED]


async def test_a_status_that_came_early_and_cannot_be_read_keeps_no_delivery_from_its_end(desk: Desk) -> None:
    (message,) = await desk.said("hi")
    await desk.receive(news("gw-1", "delivered", state=InboxState.OPEN))
    await on_writer(desk, lambda db: db.execute("UPDATE inbox SET event = x'ff' WHERE kind = 'status'"))
    await desk.store.settle_delivery(sent(message, "gw-1"))
    assert (await desk.fate(message))[0] == "sent"
    assert [letter.kind for letter in await letters(desk)] == ["status"]


async def test_an_event_kept_for_a_person_that_cannot_be_read_keeps_no_thread_from_its_return(desk: Desk) -> None:
    event = Timer(id="t", contact=Contact(id="ann"), at=NOON, name="later")
    await desk.receive(replace(arrival("t"), event=event, encoded=encode_event(event)))
    (row,) = desk.told.events
    await desk.store.commit_turn(replace(await desk.commit_of(row, note="a person"), holds=True))
    await on_writer(desk, lambda db: db.execute("UPDATE inbox SET event = x'ff' WHERE status = 'held'"))
    (back,) = await desk.hear("back")
    await desk.store.commit_turn(replace(await desk.commit_of(back, note=None), returns=True))
    assert [letter.id for letter in await letters(desk)] == [f"in-{row.id}"]


async def test_a_message_that_cannot_be_read_keeps_no_echo_from_being_stored(desk: Desk) -> None:
    (message,) = await desk.said("hi")
    await desk.store.settle_delivery(sent(message))
    await spoil(desk, "outbox", message.id, to="message = x'7b7d'")
    event = Echo(id="e", contact=Contact(id="ann"), at=NOON, text="hi", human=True)
    assert await desk.receive(replace(arrival("e"), event=event, encoded=encode_event(event))) == [Receipt.STORED]
