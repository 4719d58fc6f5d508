"""Followers where several processes share a database: one of them tells of a thread, in its order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bridge.errors import ClaimLost
from bridge.messages import Raw
from bridge.store.following import TYPES, Followers, account_of, beside
from bridge.testing.contract.store.desk import arrival, ref_of, sent
from storage.postgres import following
from tests.support.postgres import process_of
from tests.support.postgres_processes import WAITING, asked, buried, die, heard

if TYPE_CHECKING:
    from bridge.store.records import OutboxRow
    from bridge.testing.contract.store.desk import Desk

pytestmark = pytest.mark.slow

CRM = account_of("crm")


def told(desk: Desk) -> list[OutboxRow]:
    return [row for row in desk.told.messages if row.ref.account == CRM]


def texts(desk: Desk) -> list[str]:
    payloads = [row.message.payload for row in told(desk) if isinstance(row.message, Raw)]
    return [payload["data"]["message"]["content"]["text"] for payload in payloads]


def follow(*desks: Desk) -> None:
    for desk in desks:
        desk.store.follow(Followers({CRM: TYPES}))


async def test_what_another_process_stores_goes_to_the_one_that_tells(ours: Desk, theirs: Desk) -> None:
    follow(ours, theirs)
    await ours.hear("1")
    await theirs.hear("2")
    await heard(ours, lambda: len(told(ours)) == 2)
    assert texts(ours) == ["1", "2"]
    assert told(theirs) == []
    first, second = told(ours)
    assert (second.attempt, second.after) == (0, first.seq)
    with pytest.raises(ClaimLost):
        await theirs.store.settle_delivery(sent(second))


async def test_the_one_that_tells_need_not_hold_the_conversation(ours: Desk, theirs: Desk) -> None:
    """A follower that is away keeps its thread with us; the conversation itself goes to whoever hears next."""
    follow(ours, theirs)
    (first,) = await ours.hear("1")
    await ours.turn(first)
    (second,) = await theirs.hear("2")
    assert second.thread_id == first.thread_id
    await heard(ours, lambda: texts(ours) == ["1", "2"])
    assert told(theirs) == []


async def test_an_event_that_is_taken_waits_for_the_next_one_of_its_thread_to_be_stored(
    ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next one would be told of to nobody: who tells would have gone."""
    follow(ours, theirs)
    (first,) = await theirs.hear("1")
    await theirs.turn(first)
    begun, go, commit = asyncio.Event(), asyncio.Event(), process_of(ours)._commit

    async def late(connection: Any) -> None:
        begun.set()
        await go.wait()
        await commit(connection)

    monkeypatch.setattr(process_of(ours), "_commit", late)
    hearing = asyncio.create_task(ours.hear("2"))
    await begun.wait()
    settling = asyncio.create_task(theirs.store.settle_delivery(sent(told(theirs)[0])))
    async with asyncio.timeout(30):
        while not await asked(theirs, WAITING):
            assert not settling.done()
    go.set()
    await asyncio.gather(hearing, settling)
    await heard(theirs, lambda: texts(theirs) == ["1", "2"])


async def test_what_a_dead_process_had_to_tell_is_told_by_another_in_order(ours: Desk, theirs: Desk) -> None:
    follow(ours, theirs)
    for key in "123":
        await ours.hear(key)
    await die(ours)
    await buried(theirs, ours)
    await theirs.store.take_over()
    waiting = await theirs.store.outbox_heads(0, 10, CRM)
    assert [row.ref for row in waiting] == [beside(CRM, ref_of("ann"))]
    assert len(await theirs.messages(waiting[0].thread_id)) == 3


async def test_processes_that_tell_of_the_same_threads_at_once_do_not_wait_in_a_circle(
    ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours has both conversations and needs a follower's thread; theirs has that and needs a conversation."""
    follow(ours, theirs)
    for name in ("ann", "bob"):
        (event,) = await theirs.hear(name, conversation=name)
        await theirs.turn(event)
    begun, go, tell = asyncio.Event(), asyncio.Event(), following.tell

    async def late(*given: Any) -> None:
        begun.set()
        await go.wait()
        await tell(*given)

    monkeypatch.setattr(following, "tell", late)
    hearing = [asyncio.create_task(ours.receive(arrival(f"{name} 2", name))) for name in ("ann", "bob")]
    await begun.wait()
    settling = asyncio.create_task(theirs.store.settle_delivery(sent(told(theirs)[0])))
    hearing.append(asyncio.create_task(theirs.receive(arrival("bob 3", "bob"))))
    async with asyncio.timeout(30):
        while not await asked(theirs, WAITING):
            pass
    go.set()
    await asyncio.gather(*hearing, settling)
    await heard(theirs, lambda: len(told(theirs)) == 5)
    assert await asked(theirs, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
