"""One person in two processes at once: one contact, one thread on a channel, and nothing that waits for ever."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import orjson
import pytest

from bridge.errors import ClaimLost, ThreadMoved
from bridge.testing.contract.store.desk import AT, Desk, ref_of
from bridge.testing.contract.store.people import named
from tests.support.postgres_processes import asked

if TYPE_CHECKING:
    from bridge.store.records import Arrival

pytestmark = pytest.mark.slow


def heard_as(key: str, number: int, *, by_user_id: bool) -> Arrival:
    """A message of a person who writes under a phone number, or under a user id, and names both."""
    phone, user_id = ("phone", f"+628{number}"), ("user_id", f"ID.{number}")
    conversation = user_id[1] if by_user_id else phone[1]
    return named(key, conversation, phone, user_id, ref=ref_of(conversation))


async def test_a_new_person_under_two_ids_at_once_is_one_contact_with_one_thread(ours: Desk, theirs: Desk) -> None:
    for number in range(10):
        await asyncio.gather(
            ours.receive(heard_as(f"a{number}", number, by_user_id=False)),
            theirs.receive(heard_as(f"b{number}", number, by_user_id=True)),
        )
    assert await asked(ours, "SELECT count(*) FROM threadbridge.contacts WHERE merged_into IS NULL") == 10
    assert await asked(ours, "SELECT count(*) FROM threadbridge.threads WHERE leads_to IS NULL") == 10
    assert len(await ours.store.contacts()) == 10


@pytest.mark.parametrize("seed", range(3))
async def test_events_merges_and_turns_of_the_same_people_end_in_both_processes(
    ours: Desk, theirs: Desk, seed: int
) -> None:
    dice = Random(seed)

    async def lives(desk: Desk, name: str) -> None:
        for step in range(25):
            number, key = dice.randrange(4), f"{name}{step}"
            before = len(desk.told.events)
            await desk.receive(heard_as(key, number, by_user_id=dice.random() < 0.5))
            for row in desk.told.events[before:]:
                try:
                    commit = await desk.commit_of(row)
                    person = orjson.dumps({"fields": {"last": key}, "tags": []})
                    await desk.store.commit_turn(replace(commit, person=person, at=AT))
                except (ThreadMoved, ClaimLost):
                    pass
            if step % 8 == 7:
                ids = [card.id for card in await desk.store.contacts()]
                one, other = dice.sample(ids, 2) if len(ids) > 1 else (ids[0], ids[0])
                await desk.store.merge_contacts(one, other, AT)
                await desk.store.unmerge_contact(other, AT)

    await asyncio.gather(lives(ours, "a"), lives(theirs, "b"))
    copies = await asked(
        ours,
        "SELECT count(*) FROM (SELECT contact_id FROM threadbridge.threads WHERE person IS NOT NULL "
        "GROUP BY contact_id HAVING count(DISTINCT person) > 1) t",
    )
    assert copies == 0
