"""Processes that come and go on one database: how they see each other, and what becomes of the work of the dead."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bridge.errors import Broken, ClaimLost
from bridge.store import watch
from bridge.store.records import Receipt
from bridge.store.shares import Use
from bridge.testing.contract.store.desk import Desk, arrival, sent
from storage.postgres import tending
from tests.support.postgres import process_of
from tests.support.postgres_processes import asked, buried, die, heard

if TYPE_CHECKING:
    from tests.support.postgres_processes import Open

pytestmark = pytest.mark.slow


async def test_a_process_that_ends_leaves_its_threads_to_the_others_at_once(ours: Desk, theirs: Desk) -> None:
    (row,) = await ours.hear("1")
    await ours.store.close()
    await heard(theirs, lambda: True)
    async with asyncio.timeout(10):
        while not (heads := await theirs.store.inbox_heads(0, 10)):
            await process_of(theirs)._tending.take_over()
    assert [head.id for head in heads] == [row.id]
    assert not theirs.store.suspects("in")
    process_of(ours)._process.epoch = -1


async def test_what_still_runs_when_a_process_ends_is_a_suspect(ours: Desk, theirs: Desk) -> None:
    (row,) = await ours.hear("1")
    ours.store.mark("in", row.id, running=True)
    await ours.store.close()
    await theirs.store.take_over()
    assert theirs.store.suspects("in") == {row.id}
    assert theirs.store.deaths("in", row.id) == 1
    process_of(ours)._process.epoch = -1


async def test_what_arrives_with_a_take_over_in_a_thread_of_a_process_that_has_ended_is_no_suspect(
    ours: Desk, theirs: Desk
) -> None:
    (row,) = await theirs.hear("1")
    await theirs.turn(row)
    await theirs.store.close()
    process_of(theirs)._process.epoch = -1
    _, (receipt,) = await asyncio.gather(ours.store.take_over(), ours.receive(arrival("2")))
    assert receipt is Receipt.STORED
    assert not ours.store.suspects("in")


@pytest.mark.usefixtures("no_grace")
async def test_the_threads_of_a_dead_process_are_taken_over_and_their_heads_are_suspects(
    ours: Desk, theirs: Desk
) -> None:
    first, second = await ours.hear("1", "2")
    (message,) = await ours.said("hello", conversation="bob")
    await die(ours)
    await buried(theirs, ours)
    assert [head.id for head in await theirs.store.inbox_heads(0, 10)] == [first.id]
    assert theirs.store.suspects("in") == {first.id}
    assert theirs.store.suspects("out") == {message.id}
    await theirs.turn(first)
    await theirs.turn(second)
    await theirs.store.settle_delivery(sent(message))
    process_of(ours)._process.epoch = -1


@pytest.mark.usefixtures("no_grace")
async def test_a_second_death_counts_only_for_a_suspect_that_ran(one_more: Open) -> None:
    desk = await one_more()
    (ran,) = await desk.hear("1")
    (waits,) = await desk.hear("2", conversation="bob")
    for number in range(3):
        heir = await one_more()
        await die(desk)
        await buried(heir, desk)
        process_of(desk)._process.epoch = -1
        assert heir.store.suspects("in") == {ran.id, waits.id}
        assert (heir.store.deaths("in", ran.id), heir.store.deaths("in", waits.id)) == (number + 1, 1)
        await heir.store.try_suspect(ran.id)
        desk = heir


async def test_a_process_that_was_taken_for_dead_sends_nothing_more(ours: Desk) -> None:
    (message,) = await ours.said("hello")
    assert (await ours.store.claimed(message.thread_id)).id == message.thread_id
    await asked(ours, "DELETE FROM threadbridge.processes")
    with pytest.raises(ClaimLost):
        await ours.store.claimed(message.thread_id)
    with pytest.raises(Broken, match="for dead"):
        await ours.store.settle_delivery(sent(message))


async def test_each_process_hears_how_many_they_are(ours: Desk, theirs: Desk) -> None:
    await process_of(ours)._tending.look()
    assert (ours.told.processes, theirs.told.processes) == (2, 2)
    await theirs.store.close()
    await process_of(ours)._tending.look()
    assert ours.told.processes == 1
    process_of(theirs)._process.epoch = -1


async def test_whoever_has_more_to_send_has_more_of_an_accounts_rate(ours: Desk, theirs: Desk) -> None:
    desks = (ours, theirs)
    ours.told.used, theirs.told.used = {"shop": Use(100, 100, 0)}, {"shop": Use(100, 0, 0)}
    for _ in range(4):
        for desk in desks:
            await process_of(desk)._tending.look()
            assert sum(each.told.slots.get("shop", 0) for each in desks) <= 100
    assert ours.told.slots["shop"] > 90
    assert theirs.told.slots["shop"] >= 4
    await theirs.store.close()
    await process_of(ours)._tending.look()
    assert ours.told.slots["shop"] == 100
    process_of(theirs)._process.epoch = -1


async def test_a_duty_is_of_one_process_until_that_is_gone(ours: Desk, theirs: Desk) -> None:
    assert await ours.store.has_duty("poll shop")
    assert not await theirs.store.has_duty("poll shop")
    assert await theirs.store.has_duty("poll other")
    await ours.store.close()
    assert await theirs.store.has_duty("poll shop")
    process_of(ours)._process.epoch = -1


async def test_an_idle_process_gives_a_sign_of_life_at_each_look(ours: Desk) -> None:
    tending_of = process_of(ours)._tending
    await tending_of.look()
    counts = []
    for _ in range(3):
        await tending_of.look()
        counts.append(await asked(ours, "SELECT max(transactions) FROM threadbridge.processes"))
    assert counts == [counts[0], counts[0] + 1, counts[0] + 2]


@pytest.mark.usefixtures("no_grace")
async def test_of_more_processes_than_elders_the_others_look_at_the_elders_only(
    one_more: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "ELDERS", 1)
    monkeypatch.setattr(tending, "_NEAR", tending._NEAR.replace("LIMIT 32", "LIMIT 1"))
    elder, second, third = [await one_more() for _ in range(3)]
    epochs = [process_of(desk)._process.epoch for desk in (elder, second, third)]
    for desk in (elder, second, third):
        await process_of(desk)._tending.look()
        await process_of(desk)._tending.look()
    assert sorted(process_of(elder)._tending._names) == epochs
    assert sorted(process_of(third)._tending._names) == [epochs[0], epochs[2]]
    await die(elder)
    await buried(third, elder)
    await process_of(second)._tending.look()
    await process_of(second)._tending.look()
    assert sorted(process_of(second)._tending._names) == epochs[1:]
