"""A conversation that is erased, and the little that is left of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson
import pytest

from bridge.errors import ClaimLost, NoThread
from bridge.events import Contact, Message, encode_event
from bridge.store.lifecycle import InboxState, Outcome
from bridge.store.records import Receipt, StepRow, TimerRow
from bridge.store.retention import KEYS_KEPT
from bridge.testing.contract.store.desk import (
    AT,
    NOON,
    again,
    arrival,
    given_up,
    news,
    ref_of,
    refused,
    saying,
    sent,
)
from bridge.testing.contract.store.media import KEPT, photo
from bridge.testing.contract.store.people import PHONE, USER, hear
from bridge.testing.contract.store.suite import StoreSuite

if TYPE_CHECKING:
    from bridge.store.records import Arrival
    from bridge.testing.contract.store.desk import Desk

_ANN: Final = "62812-ann"
"""A number that is in the event keys, too."""


async def erased(desk: Desk, thread_id: int, *, at: int = AT, limit: int = 100) -> Counter[str]:
    """Erase a thread part by part; what was removed."""
    rows: Counter[str] = Counter()
    while True:
        part = await desk.store.erase(thread_id, at, limit=limit)
        rows += Counter(part.rows)
        if not part.more:
            return rows


async def full_life(desk: Desk, conversation: str = _ANN) -> int:
    """A thread with rows of every kind in every state; its id."""
    (first,) = await desk.hear(f"{conversation}/1", conversation=conversation)
    step = StepRow(thread_id=first.thread_id, run="r", position=0, call="c", key="k", at=AT)
    await desk.store.start_step(step)
    commit = await desk.commit_of(first, *(saying(text, f"{conversation}-{text}") for text in "abc"), state=b'{"a":1}')
    timers = [TimerRow(due_at=AT, name="now", message=b"{}"), TimerRow(due_at=AT + 1, name="soon", message=b"{}")]
    await desk.store.commit_turn(replace(commit, timers=timers, media=[KEPT]))
    a, b, _ = desk.told.messages[-3:]
    await desk.store.settle_delivery(sent(a, f"{conversation}-m", exchange=b"{}"))
    await desk.store.retry_delivery(again(b, Outcome.UNKNOWN))
    await desk.store.settle_delivery(refused(b))
    await desk.store.fire_timers(AT, 10)
    await desk.receive(news(f"{conversation}-m", "read"), photo(f"{conversation}/2", conversation))
    (dead,) = await desk.hear(f"{conversation}/3", conversation=conversation)
    await desk.store.settle_turn(given_up(dead))
    await desk.store.keep_secret("shop", f"postback whatsapp {conversation} digest", "a long key")
    return first.thread_id


class ErasureContract(StoreSuite):
    """Erasures."""

    @pytest.mark.parametrize("limit", [1, 2, 100])
    async def test_all_of_a_thread_is_removed_and_counted(self, desk: Desk, limit: int) -> None:
        thread_id = await full_life(desk)
        other = await full_life(desk, "bob")
        before = await desk.states(other)
        assert await erased(desk, thread_id, limit=limit) == {
            "events": 5,
            "messages": 3,
            "tries": 3,
            "timers": 2,
            "steps": 1,
            "media": 2,
            "long keys": 1,
            "threads": 1,
        }
        assert await desk.store.find_thread(ref_of(_ANN)) is None
        with pytest.raises(NoThread):
            await desk.store.thread(thread_id)
        assert desk.store.peek(thread_id) is None
        for left in (desk.store.history, desk.store.steps, desk.events, desk.messages):
            assert await left(thread_id) == []
        assert await desk.store.secret("shop", f"postback whatsapp {_ANN} digest") is None
        assert [row.id for row in await desk.store.threads()] == [other]
        assert {letter.thread for letter in await desk.store.dead_letters()} == {"whatsapp:bob"}
        assert await desk.states(other) == before
        assert await erased(desk, other) == await erased(desk, thread_id) + Counter(
            {"events": 5, "messages": 3, "tries": 3, "timers": 2, "steps": 1, "media": 2, "long keys": 1, "threads": 1}
        )
        assert await desk.states(other) == []

    async def test_an_erasure_that_was_interrupted_goes_on(self, lasting_desk: Desk) -> None:
        thread_id = await full_life(lasting_desk)
        assert (await lasting_desk.store.erase(thread_id, AT, limit=1)).more
        await lasting_desk.reopen()
        await erased(lasting_desk, thread_id)
        assert await lasting_desk.store.find_thread(ref_of(_ANN)) is None

    async def test_what_is_delivered_again_is_known_and_stored_nowhere(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        thread_id = await full_life(desk)
        await erased(desk, thread_id)
        told = len(desk.told.events)
        for key in ("1", "2", "3"):
            assert await desk.receive(arrival(f"{_ANN}/{key}", _ANN)) == [Receipt.REPEATED]
        assert len(desk.told.events) == told
        await desk.reopen()
        assert await desk.receive(arrival(f"{_ANN}/1", _ANN, text="something else")) == [Receipt.REPEATED]
        assert await desk.store.find_thread(ref_of(_ANN)) is None

    async def test_a_contact_who_writes_again_begins_a_new_thread(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        thread_id = await full_life(desk)
        await erased(desk, thread_id)
        await desk.reopen()
        (row,) = await desk.hear("new", conversation=_ANN)
        assert row.thread_id != thread_id
        assert (await desk.store.thread(row.thread_id)).state == b"{}"
        (again_here,) = await desk.turn(row, "hello")
        assert again_here.thread_id == row.thread_id

    async def test_no_number_of_what_is_erased_is_given_again(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        thread_id = await full_life(desk)
        numbers = {row.id for row in desk.told.events} | {row.id for row in desk.told.messages}
        timers = {row.key for row in desk.told.events}
        await erased(desk, thread_id)
        await desk.reopen()
        (row,) = await desk.hear("new", conversation="bob")
        commit = await desk.commit_of(row, "a")
        await desk.store.commit_turn(replace(commit, timers=[TimerRow(due_at=AT, name="t", message=b"{}")]))
        await desk.store.fire_timers(AT, 10)
        assert ({row.id for row in desk.told.events} | {row.id for row in desk.told.messages}).isdisjoint(numbers)
        assert {row.key for row in desk.told.events}.isdisjoint(timers)

    async def test_a_tombstone_is_kept_for_as_long_as_a_key(self, desk: Desk) -> None:
        (old,) = await desk.hear("old")
        await desk.turn(old)
        await desk.store.erase(old.thread_id, AT + KEYS_KEPT)
        assert await desk.receive(arrival("old")) == [Receipt.STORED]
        (new,) = await desk.hear("new", conversation="bob")
        await desk.store.erase(new.thread_id, AT + KEYS_KEPT - 1)
        assert await desk.receive(arrival("new", "bob")) == [Receipt.REPEATED]
        (third,) = await desk.hear("third", conversation="cid")
        await desk.store.erase(third.thread_id, AT + KEYS_KEPT)
        assert await desk.receive(arrival("new", "bob")) == [Receipt.STORED]

    async def test_work_of_an_erased_thread_comes_to_nothing(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        (message,) = await desk.said("hi", conversation="bob")
        turn = await desk.commit_of(row, "too late")
        step = StepRow(thread_id=row.thread_id, run="r", position=0, call="c", key="k", at=AT)
        for thread_id in (row.thread_id, message.thread_id):
            await erased(desk, thread_id)
        late = [
            desk.store.commit_turn(turn),
            desk.store.retry_turn(again(row)),
            desk.store.start_step(step),
            desk.store.settle_delivery(sent(message, "m", exchange=b"words of bob")),
            desk.store.retry_delivery(again(message, Outcome.UNKNOWN, exchange=b"words of bob")),
        ]
        for work in late:
            with pytest.raises(ClaimLost):
                await work
        assert await desk.store.steps(row.thread_id) == []
        assert await erased(desk, message.thread_id) == {}

    async def test_a_webhook_of_several_conversations_keeps_no_words_of_the_erased_one(self, desk: Desk) -> None:
        raw = orjson.dumps({"events": ["words of ann", "words of bob"]})

        def of(key: str, conversation: str, **changes: object) -> Arrival:
            event = Message(id=key, contact=Contact(id=conversation), at=NOON, text=key)
            return replace(arrival(key, conversation, event=event, encoded=encode_event(event), raw=raw), **changes)  # type: ignore[arg-type] # of an Arrival

        await desk.receive(of("1", "ann"), of("2", "bob", state=InboxState.DONE))
        (ann,) = desk.told.events
        assert (await erased(desk, ann.thread_id))["webhooks of other conversations"] == 1
        assert await desk.receive(of("2", "bob")) == [Receipt.REPEATED]
        (bob,) = await desk.store.find("2")
        trace = await desk.store.trace(bob)
        assert trace is not None
        assert trace.event is not None
        assert (trace.event.values["text"], b"words" in trace.event.raw) == ("2", False)

    async def test_a_person_is_erased_with_all_threads_and_identities(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        first = await hear(desk, "1", "628", PHONE)
        second = await hear(desk, "2", "ID.1", USER)
        other = await hear(desk, "3", "bob", ("user_id", "ID.2"))
        for row in (first, second, other):
            await desk.turn(row)
        await hear(desk, "4", "ID.1", USER, PHONE)
        (of_other, card) = await desk.store.contacts()
        threads = (await desk.store.erase_contact(card.id)).threads
        assert sorted(threads) == sorted({first.thread_id, second.thread_id})
        assert await desk.store.contact(card.id) is not None
        for thread_id in threads:
            await erased(desk, thread_id)
        gone = await desk.store.erase_contact(card.id)
        assert (gone.threads, gone.rows["identities"]) == ((), 2)
        assert gone.rows["contacts"] == 1 + len(card.merged)
        assert [left.id for left in await desk.store.contacts()] == [of_other.id]
        assert await desk.store.contacts_named(PHONE[1]) == []
        assert [row.id for row in await desk.store.threads()] == [other.thread_id]
        assert await desk.store.erase_contact(card.id) == gone._replace(rows={"identities": 0, "contacts": 0})

    async def test_an_erased_person_who_writes_again_is_somebody_new(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        row = await hear(desk, "1", "628", PHONE)
        (card,) = await desk.store.contacts()
        await erased(desk, row.thread_id)
        await desk.store.erase_contact(card.id)
        await desk.reopen()
        again_here = await hear(desk, "2", "628", PHONE)
        (new,) = await desk.store.contacts()
        assert new.id != card.id
        assert again_here.thread_id != row.thread_id

    async def test_no_thread_leads_to_an_erased_one(self, desk: Desk) -> None:
        first = await hear(desk, "1", "628", PHONE)
        second = await hear(desk, "2", "ID.1", USER)
        for row in (first, second):
            await desk.turn(row)
        both = await hear(desk, "3", "ID.1", USER, PHONE)
        assert both.thread_id == first.thread_id
        await erased(desk, first.thread_id)
        (later,) = [await hear(desk, "4", "ID.1", USER)]
        assert later.thread_id != first.thread_id
        assert (await desk.store.thread(later.thread_id)).id == later.thread_id

    async def test_a_thread_that_is_not_there_has_nothing_to_erase(self, desk: Desk) -> None:
        assert await erased(desk, 17) == {}
        assert await desk.store.wipe()
