"""The Store port's promises about what turns send to other threads: with the turn or not at all, and each once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bridge.errors import ClaimLost, KeyTaken, ThreadMoved
from bridge.events import Contact, Send, encode_event
from bridge.store.answering import answered_by, may_write
from bridge.store.lifecycle import InboxState
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import AT, Desk, arrival
from bridge.testing.contract.store.suite import StoreSuite
from bridge.units import moment

if TYPE_CHECKING:
    from bridge.store.records import Arrival, InboxRow, TurnCommit


def send(key: str, conversation: str, text: str = "hello", *, at: int = AT, human: bool = False) -> Arrival:
    """A text to be said in a conversation."""
    message = f'{{"kind":"text","text":"{text}"}}'
    event = Send(id=f"send:{key}", contact=Contact(id=conversation), at=moment(at), messages=(message,), human=human)
    made = arrival(key, conversation)
    return replace(
        made,
        key=event.id,
        event=event,
        encoded=encode_event(event),
        raw=message.encode(),
        state=InboxState.OPEN,
        address={"token": "t"},
    )


async def sending(desk: Desk, row: InboxRow, *sends: Arrival) -> TurnCommit:
    """A turn that says one text in its own thread, and sends."""
    return replace(await desk.commit_of(row, f"by {row.key}"), sends=sends)


class SendContract(StoreSuite):
    """What turns send."""

    async def test_what_a_turn_sends_waits_in_other_threads_once_the_turn_is_committed(
        self, lasting_desk: Desk
    ) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        (waiting,) = await desk.hear("2", conversation="bob")
        await desk.store.commit_turn(await sending(desk, row, send("a", "eve"), send("b", "bob"), send("c", "eve")))
        told = [(event.ref.conversation_id, event.key, event.attempt) for event in desk.told.events[2:]]
        assert told == [("eve", "send:a", 1), ("bob", "send:b", 0), ("eve", "send:c", 0)]
        assert ("changed", (row.thread_id, waiting.thread_id, desk.told.events[2].thread_id)) in desk.told.log
        for _ in range(2):
            eve = await desk.store.find_thread(replace(row.ref, conversation_id="eve"))
            assert eve is not None
            assert [event.key for event in await desk.events(eve)] == ["send:a", "send:c"]
            (_, behind) = await desk.events(waiting.thread_id)
            assert behind.address == {"token": "t"}
            assert isinstance(behind.event, Send)
            assert behind.event.messages == ('{"kind":"text","text":"hello"}',)
            assert (await desk.store.history(eve)) == []
            await desk.reopen()

    async def test_a_turn_may_send_into_its_own_thread(self, desk: Desk) -> None:
        row, behind = await desk.hear("1", "2")
        await desk.store.commit_turn(await sending(desk, row, send("a", "ann")))
        assert [event.key for event in await desk.events(row.thread_id)] == [behind.key, "send:a"]
        (alone,) = await desk.hear("3", conversation="bob")
        await desk.store.commit_turn(await sending(desk, alone, send("b", "bob")))
        (own,) = await desk.events(alone.thread_id)
        assert (own.key, own.attempt) == ("send:b", 1)

    async def test_a_turn_that_lost_its_claim_sends_nothing(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        commits = [await sending(desk, row, send(key, "bob")) for key in "ab"]
        results = await asyncio.gather(*map(desk.store.commit_turn, commits), return_exceptions=True)
        assert [type(result) for result in results] == [type(None), ClaimLost]
        assert [event.key for event in desk.told.events[1:]] == ["send:a"]

    @pytest.mark.parametrize("together", [False, True])
    async def test_a_key_sends_once_and_fails_a_turn_with_other_messages(self, desk: Desk, *, together: bool) -> None:
        rows = [
            *await desk.hear("1"),
            *await desk.hear("2", conversation="eve"),
            *await desk.hear("3", conversation="x"),
        ]
        texts = ["hello", "hello", "other"]
        commits = [
            await sending(desk, row, send("same", "bob", text, at=AT + number))
            for number, (row, text) in enumerate(zip(rows, texts, strict=True))
        ]
        if together:
            results = await asyncio.gather(*map(desk.store.commit_turn, commits), return_exceptions=True)
        else:
            results = [*await asyncio.gather(desk.store.commit_turn(commits[0]), return_exceptions=True)]
            results += await asyncio.gather(desk.store.commit_turn(commits[1]), return_exceptions=True)
            results += await asyncio.gather(desk.store.commit_turn(commits[2]), return_exceptions=True)
        refusal = ThreadMoved if together else KeyTaken
        assert [type(result) for result in results] == [type(None), type(None), refusal]
        assert [event.key for event in desk.told.events[3:]] == ["send:same"]
        assert await desk.states(rows[2].thread_id) == ["in open"]
        assert [message.key for message in desk.told.messages] == ["key-by 1", "key-by 2"]

    async def test_other_messages_under_a_known_key_are_no_dead_letter(self, desk: Desk) -> None:
        assert await desk.receive(send("a", "bob")) == [Receipt.STORED]
        assert await desk.receive(send("a", "bob", at=AT + 1)) == [Receipt.REPEATED]
        assert await desk.receive(send("a", "bob", "other")) == [Receipt.CONFLICT]
        assert await desk.store.dead_letters() == []
        assert len(desk.told.events) == 1

    async def test_a_thread_keeps_that_its_contact_opted_out(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        await desk.turn(row, opted_out=row.id)
        for _ in range(2):
            assert (await desk.store.thread(row.thread_id)).opted_out == row.id
            await desk.reopen()
        (again,) = await desk.hear("2")
        assert (await desk.store.claimed(row.thread_id)).opted_out == row.id
        await desk.turn(again, opted_out=0)
        assert (await desk.store.claimed(row.thread_id)).opted_out == 0

    async def test_a_message_tells_what_the_contact_said_that_it_answers(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        await desk.receive(send("a", "ann"))
        (answer,) = await desk.turn(row, "direct")
        (begun,) = await desk.turn(desk.told.events[-1], "begun")
        assert (answer.answers, begun.answers) == (row.id, 0)
        await desk.reopen()
        assert [message.answers for message in await desk.messages(row.thread_id)] == [row.id, 0]
        assert [message.answers for message in await desk.store.outbox_heads(0, 9)] == [row.id]

    async def test_what_a_person_writes_answers_what_was_said_since_the_contact_opted_out(self, desk: Desk) -> None:
        async def answered(key: str, *, human: bool = True) -> int:
            await desk.receive(send(key, "ann", human=human))
            (message,) = await desk.turn(desk.told.events[-1], key, opted_out=row.id)
            assert message.answers == 0
            return await answered_by(desk.store, await desk.store.thread(row.thread_id), message)

        (row,) = await desk.hear("stop")
        await desk.turn(row, opted_out=row.id)
        assert not await may_write(desk.store, row.thread_id)
        assert await answered("a") == 0
        (later,) = await desk.hear("a question")
        await desk.turn(later, opted_out=row.id)
        assert await may_write(desk.store, row.thread_id)
        assert await answered("b") == later.id
        assert await answered("c", human=False) == 0
        (message, *_) = await desk.messages(row.thread_id)
        assert await answered_by(desk.store, await desk.store.thread(row.thread_id), message) == 0

    async def test_what_a_person_held_up_is_sent_once_they_return_the_thread(self, desk: Desk) -> None:
        (row,) = await desk.hear("1", conversation="bob")
        await desk.turn(row, note="mine")
        await desk.receive(send("a", "bob"))
        waiting = desk.told.events[-1]
        await desk.store.commit_turn(replace(await desk.commit_of(waiting, note="mine"), holds=True))
        assert await desk.events(row.thread_id) == []
        (back,) = await desk.hear("2", conversation="bob")
        await desk.store.commit_turn(replace(await desk.commit_of(back, note=None), returns=True))
        assert [event.key for event in await desk.events(row.thread_id)] == ["send:a"]
