"""The Store port's promises about turns: all of a turn or nothing, each once, and who is next."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bridge.errors import ClaimLost, NoThread, StoreError, ThreadMoved
from bridge.planning.choices import Choice
from bridge.store.records import Hold
from bridge.testing.contract.store.desk import AT, Desk, again, given_up, saying
from bridge.testing.contract.store.suite import StoreSuite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.records import OutboxRow


def attempts(rows: Sequence[OutboxRow]) -> list[int]:
    return [row.attempt for row in rows]


class TurnContract(StoreSuite):
    """Turns."""

    # All of it

    async def test_a_turn_moves_its_thread_on(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        left = {
            "state": b'{"size":"\xc3\xbc"}',
            "step": "size",
            "choices": (Choice(number=1, key="s", title="Small"), Choice(number=None, key="l", title="L", whom="ann")),
            "members": b'{"ann":{"n":1}}',
            "address": {"token": "t"},
            "last_heard": AT,
        }
        await desk.turn(row, **left)
        for _ in range(2):
            thread = await desk.store.thread(row.thread_id)
            assert {name: getattr(thread, name) for name in left} == left
            assert (thread.version, thread.ref) == (1, row.ref)
            assert await desk.events(row.thread_id) == []
            assert await desk.states(row.thread_id) == ["in done"]
            await desk.reopen()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("state", b'{"n":1}'),
            ("step", "size"),
            ("choices", (Choice(number=1, key="s", title="Small"),)),
            ("address", {"token": "t"}),
            ("last_heard", AT + 1),
            ("heard", 3),
            ("members", b'{"ann":{"n":1}}'),
            ("hold", Hold(note="for a person")),
            ("opted_out", 1),
        ],
    )
    async def test_all_that_a_turn_changes_is_one_thing(self, lasting_desk: Desk, field: str, value: object) -> None:
        desk = lasting_desk
        for key in ("1", "2"):
            (row,) = await desk.hear(key)
            await desk.turn(row)
        (row,) = await desk.hear("3")
        await desk.turn(row, **{field: value})
        await desk.reopen()
        assert getattr(await desk.store.thread(row.thread_id), field) == value

    async def test_what_is_said_stands_in_order_and_its_head_may_leave(self, desk: Desk) -> None:
        first, second = await desk.hear("1", "2")
        said = await desk.turn(first, saying("a", expires_at=AT + 9, available_at=AT + 3), "b", address={"token": "t"})
        more = await desk.turn(second, "c")
        assert [row.key for row in said + more] == ["key-a", "key-b", "key-c"]
        assert attempts(said + more) == [1, 0, 0]
        assert await desk.messages(first.thread_id) == said + more
        assert [row.seq for row in said + more] == sorted({row.seq for row in said + more})
        assert (said[0].available_at, said[0].expires_at, said[0].created_at) == (AT + 3, AT + 9, AT)
        assert said[0].address == {"token": "t"}

    async def test_what_cannot_be_said_is_a_dead_letter_from_the_start(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        said = await desk.turn(row, saying("a", dropped="no form for it"), "b")
        assert [(message.key, message.attempt) for message in said] == [("key-b", 1)]
        assert await desk.messages(row.thread_id) == said
        (letter,) = await desk.store.dead_letters()
        assert (letter.kind, letter.state, letter.reason) == ("text", "dead", "no form for it")

    @pytest.mark.parametrize("together", [False, True])
    async def test_an_event_is_settled_once(self, desk: Desk, *, together: bool) -> None:
        (row,) = await desk.hear("1")
        commits = [await desk.commit_of(row, f"{number}") for number in range(2)]
        if together:
            results = await asyncio.gather(*map(desk.store.commit_turn, commits), return_exceptions=True)
            assert [type(result) for result in results] == [type(None), ClaimLost]
        else:
            await desk.store.commit_turn(commits[0])
            with pytest.raises(ClaimLost):
                await desk.store.commit_turn(commits[1])
        assert [message.key for message in await desk.messages(row.thread_id)] == ["key-0"]
        assert (await desk.store.thread(row.thread_id)).version == 1

    @pytest.mark.parametrize("together", [False, True])
    async def test_a_turn_that_began_before_its_thread_moved_on_is_lost(self, desk: Desk, *, together: bool) -> None:
        rows = await desk.hear("1", "2")
        commits = [await desk.commit_of(row, row.key, state=b'{"by":"%s"}' % row.key.encode()) for row in rows]
        if together:
            results = await asyncio.gather(*map(desk.store.commit_turn, commits), return_exceptions=True)
            assert [type(result) for result in results] == [type(None), ThreadMoved]
        else:
            await desk.store.commit_turn(commits[0])
            with pytest.raises(ThreadMoved):
                await desk.store.commit_turn(commits[1])
        assert (await desk.store.thread(rows[0].thread_id)).state == b'{"by":"1"}'
        assert [message.key for message in await desk.messages(rows[0].thread_id)] == ["key-1"]
        assert [(row.key, row.attempt) for row in await desk.events(rows[0].thread_id)] == [("2", 1)]

    async def test_a_turn_that_cannot_be_stored_leaves_nothing_and_harms_no_other(self, desk: Desk) -> None:
        rows = [(await desk.hear(name, conversation=name))[0] for name in ("ann", "bob", "cid")]
        commits = [await desk.commit_of(row, row.key) for row in rows]
        commits[1] = replace(commits[1], at=1 << 70)
        results = await asyncio.gather(*map(desk.store.commit_turn, commits), return_exceptions=True)
        assert [result is None for result in results] == [True, False, True]
        assert await desk.messages(rows[1].thread_id) == []
        assert await desk.events(rows[1].thread_id) == [rows[1]]
        assert (await desk.store.thread(rows[1].thread_id)).version == 0
        assert [row.key for row in desk.told.messages] == ["key-ann", "key-cid"]
        await desk.turn(rows[1], "at last")
        assert (await desk.store.thread(rows[1].thread_id)).version == 1

    async def test_a_message_is_not_said_twice_under_one_key(self, desk: Desk) -> None:
        first, second = await desk.hear("1", "2")
        await desk.turn(first, "a")
        with pytest.raises(StoreError):
            await desk.turn(second, "b", "a")
        assert [message.key for message in await desk.messages(first.thread_id)] == ["key-a"]
        assert [row.key for row in await desk.events(first.thread_id)] == ["2"]

    @pytest.mark.parametrize("steps", [0, 1, 2, 3, 4, 5, 8, 20])
    async def test_a_cancelled_turn_is_committed_whole_or_not_at_all(self, desk: Desk, steps: int) -> None:
        (row,) = await desk.hear("1")
        commit = await desk.commit_of(row, "a", "b", state=b"{1}")
        task = asyncio.create_task(desk.store.commit_turn(commit))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await desk.hear("2", conversation="bob")
        thread, messages, events = (
            await desk.store.thread(row.thread_id),
            await desk.messages(row.thread_id),
            await desk.events(row.thread_id),
        )
        assert (thread.version, thread.state, len(messages), len(events)) in {(0, b"{}", 0, 1), (1, b"{1}", 2, 0)}
        assert len(desk.told.messages) == len(messages)

    # Who is next

    async def test_the_next_event_has_its_first_attempt_counted_when_the_one_before_is_done(self, desk: Desk) -> None:
        first, _, _ = await desk.hear("1", "2", "3")
        await desk.turn(first)
        assert [(row.key, row.attempt) for row in await desk.events(first.thread_id)] == [("2", 1), ("3", 0)]
        (head,) = await desk.store.inbox_heads(0, 10)
        assert (head.key, head.attempt) == ("2", 1)

    async def test_an_event_that_arrives_with_the_end_of_the_one_before_is_counted_once(self, desk: Desk) -> None:
        (first,) = await desk.hear("1")
        await asyncio.gather(desk.turn(first), desk.hear("2"))
        (second,) = await desk.events(first.thread_id)
        assert (second.key, second.attempt) == ("2", 1)

    async def test_a_turn_that_is_tried_again_keeps_its_place(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        first, second = await desk.hear("1", "2")
        await desk.store.retry_turn(again(first))
        await desk.reopen()
        waiting = replace(first, attempt=2, available_at=AT + 1_000_000, tried_at=AT)
        assert await desk.events(first.thread_id) == [waiting, second]
        (head,) = await desk.store.inbox_heads(0, 10)
        assert (head.key, head.attempt) == ("1", 2)

    async def test_an_event_given_up_frees_its_thread(self, desk: Desk) -> None:
        first, second = await desk.hear("1", "2")
        await desk.store.settle_turn(given_up(first, "it exploded"))
        assert await desk.events(first.thread_id) == [replace(second, attempt=1)]
        (letter,) = await desk.store.dead_letters()
        assert (letter.kind, letter.state, letter.reason, letter.thread) == (
            "message",
            "dead",
            "it exploded",
            "whatsapp:ann",
        )

    @pytest.mark.parametrize("together", [False, True])
    async def test_what_is_settled_cannot_be_given_up_or_retried_and_costs_the_next_no_attempt(
        self, desk: Desk, *, together: bool
    ) -> None:
        first, _ = await desk.hear("1", "2")
        await desk.turn(first)
        for _ in range(2):
            late = (
                desk.store.settle_turn(given_up(first)),
                desk.store.retry_turn(again(first)),
                desk.store.settle_turn(given_up(first)),
            )
            if together:
                results = await asyncio.gather(*late, return_exceptions=True)
                assert [type(result) for result in results] == [ClaimLost] * 3
            else:
                for each in late:
                    with pytest.raises(ClaimLost):
                        await each
        assert [(row.key, row.attempt) for row in await desk.events(first.thread_id)] == [("2", 1)]
        assert await desk.store.dead_letters() == []

    # Threads

    async def test_a_thread_may_be_remembered_and_then_it_is_as_committed(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await desk.turn(row, state=b"[1]")
        remembered = desk.store.peek(row.thread_id)
        assert remembered is None or remembered == await desk.store.thread(row.thread_id)
        assert desk.store.peek(4711) is None

    async def test_a_thread_that_is_not_there_is_said_to_be_unavailable(self, desk: Desk) -> None:
        with pytest.raises(NoThread, match="no thread 4711"):
            await desk.store.thread(4711)
