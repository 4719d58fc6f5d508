"""What a store removes when it is old, and what it never does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson

from bridge.events import Contact, Message, Status, encode_event
from bridge.store.lifecycle import InboxState, Outcome
from bridge.store.records import Receipt, StepRow, TimerRow
from bridge.store.retention import KEYS_KEPT, WAITS_LONGER, Sweep
from bridge.testing.contract.store.desk import AT, NOON, again, arrival, given_up, news, refused, riddle, saying, sent
from bridge.testing.contract.store.media import photo
from bridge.testing.contract.store.suite import StoreSuite
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.store.records import Arrival
    from bridge.testing.contract.store.desk import Desk

_LATER: Final = AT + SECOND
_MUCH_LATER: Final = AT + 100 * KEYS_KEPT


async def swept(desk: Desk, sweep: Sweep, before: int = _LATER, limit: int = 200) -> int:
    """Sweep to the end; how many rows that were, which is what was foretold."""
    foretold, after = 0, 0
    while True:
        part = await desk.store.sweepable(sweep, before, after=after)
        foretold += part.rows
        if part.after is None:
            break
        after = part.after
    removed, after = 0, 0
    while True:
        part = await desk.store.sweep(sweep, before, after=after, limit=limit)
        removed += part.rows
        if part.after is None:
            break
        after = part.after
    assert removed == foretold
    return removed


async def talked(desk: Desk, key: str = "1", conversation: str = "ann") -> int:
    """An event that is answered, and its answer sent; their thread."""
    (row,) = await desk.hear(key, conversation=conversation)
    (message,) = await desk.turn(row, saying(key, f"key-{key}"))
    await desk.store.settle_delivery(sent(message, f"m-{key}", exchange=b"{}"))
    return row.thread_id


async def go_on(desk: Desk) -> None:
    """Newer rows of each table: the newest one stays."""
    (row,) = await desk.hear("newest", conversation="zoe")
    commit = await desk.commit_of(row, "newest")
    await desk.store.commit_turn(replace(commit, timers=[TimerRow(due_at=_MUCH_LATER, message=b"{}")]))


def undated(key: str, read_at: str) -> Arrival:
    """An event without a time of its own: read again, it has another one."""
    event = Message(id=key, contact=Contact(id="ann"), at=NOON, text=read_at)
    return replace(arrival(key), event=event, encoded=encode_event(event))


class RetentionContract(StoreSuite):
    """Sweeps."""

    async def test_events_and_messages_that_are_over_are_removed_by_their_age(self, desk: Desk) -> None:
        thread_id = await talked(desk)
        await talked(desk, "2", "bob")
        await go_on(desk)
        for sweep in (Sweep.EVENTS, Sweep.MESSAGES):
            assert await swept(desk, sweep, AT) == 0
            assert await swept(desk, sweep, limit=1) == 2
            assert await swept(desk, sweep) == 0
        assert await desk.states(thread_id) == []
        assert await desk.store.find_thread((await desk.store.thread(thread_id)).ref) == thread_id

    async def test_a_part_of_a_sweep_is_no_larger_than_asked(self, desk: Desk) -> None:
        for key in "123":
            await talked(desk, key)
        await go_on(desk)
        first = await desk.store.sweep(Sweep.EVENTS, _LATER, limit=2)
        assert first.rows == 2
        assert first.after is not None
        assert (await desk.store.sweep(Sweep.EVENTS, _LATER, after=first.after, limit=2)).rows == 1

    async def test_a_clock_that_was_ahead_does_not_end_a_sweep(self, desk: Desk) -> None:
        await desk.receive(arrival("1", state=InboxState.DONE, received_at=_MUCH_LATER))
        await desk.receive(arrival("2", state=InboxState.DONE))
        await go_on(desk)
        assert await swept(desk, Sweep.EVENTS) == 1

    async def test_what_is_open_or_held_stays(self, desk: Desk) -> None:
        (held,) = await desk.hear("1")
        await desk.store.commit_turn(replace(await desk.commit_of(held, note="?"), holds=True))
        (row,) = await desk.hear("2", conversation="bob")
        (message,) = await desk.turn(row, "b")
        (waiting,) = await desk.hear("3", conversation="bob")
        await go_on(desk)
        for sweep in (Sweep.EVENTS, Sweep.MESSAGES, Sweep.EVENT_CONTENTS, Sweep.MESSAGE_CONTENTS, Sweep.WEBHOOKS):
            rows = await swept(desk, sweep, _MUCH_LATER)
            assert rows == (2 if sweep is Sweep.EVENT_CONTENTS else 0)
        assert [kept.id for kept in await desk.store.held(held.thread_id, 10)] == [held.id]
        assert [each.id for each in await desk.events(row.thread_id)] == [waiting.id]
        (open_message,) = await desk.messages(row.thread_id)
        assert (open_message.id, open_message.answers) == (message.id, row.id)

    async def test_an_event_whose_content_is_removed_is_known_when_it_comes_again(self, desk: Desk) -> None:
        first = undated("1", "one time")
        await desk.receive(replace(first, state=InboxState.DONE), arrival("2", state=InboxState.DONE))
        thread_id = desk.told.log[-1][1][0]
        assert await swept(desk, Sweep.EVENT_CONTENTS) == 2
        assert await desk.states(thread_id) == []
        assert await desk.receive(first, arrival("2")) == [Receipt.REPEATED] * 2
        assert await desk.receive(undated("1", "another time")) == [Receipt.REPEATED]
        other = arrival("1", text="?", received_at=_LATER)
        assert await desk.receive(other) == [Receipt.CONFLICT]
        assert await swept(desk, Sweep.EVENT_CONTENTS) == 0

    async def test_an_event_whose_webhook_is_removed_is_known_when_it_comes_again(self, desk: Desk) -> None:
        await desk.receive(replace(undated("1", "one time"), state=InboxState.DONE))
        thread_id = desk.told.log[-1][1][0]
        assert await swept(desk, Sweep.WEBHOOKS) == 1
        assert await swept(desk, Sweep.WEBHOOKS) == 0
        assert await desk.receive(undated("1", "another time")) == [Receipt.REPEATED]
        assert await desk.states(thread_id) == ["in done"]
        assert await swept(desk, Sweep.EVENT_CONTENTS) == 1
        assert await desk.receive(undated("1", "a third time")) == [Receipt.REPEATED]

    async def test_a_message_whose_content_is_removed_meets_its_statuses(self, desk: Desk) -> None:
        thread_id = await talked(desk)
        assert await swept(desk, Sweep.MESSAGE_CONTENTS) == 1
        assert await desk.states(thread_id) == ["in done"]
        await desk.receive(news("m-1", "read"))
        assert [each.status for each in await desk.store.unconfirmed("shop", since=0, after=0, limit=9)] == []
        assert await swept(desk, Sweep.MESSAGE_CONTENTS) == 0

    async def test_a_message_without_an_answer_keeps_its_words_for_its_echo(self, desk: Desk) -> None:
        (message,) = await desk.said("hi")
        await desk.store.retry_delivery(again(message, Outcome.UNKNOWN))
        await desk.store.settle_delivery(sent(message))
        assert await swept(desk, Sweep.MESSAGE_CONTENTS) == 0

    async def test_the_exchange_of_a_try_goes_and_the_try_stays(self, desk: Desk) -> None:
        (message,) = await desk.said("hi")
        await desk.store.settle_delivery(replace(refused(message), exchange=b"{}"))
        assert await swept(desk, Sweep.EXCHANGES) == 1
        assert await swept(desk, Sweep.EXCHANGES) == 0
        letter = await desk.store.dead_letter(f"out-{message.id}")
        assert letter is not None
        assert [each["outcome"] for each in orjson.loads(letter.tries)] == ["rejected"]

    async def test_dead_letters_go_by_when_they_were_given_up(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await desk.store.settle_turn(given_up(row))
        (message,) = await desk.said("hi")
        await desk.store.settle_delivery(refused(message))
        await desk.receive(riddle("2"))
        await go_on(desk)
        assert await swept(desk, Sweep.EVENTS) + await swept(desk, Sweep.MESSAGES) == 1
        assert await swept(desk, Sweep.WEBHOOKS) == 1
        letters = [await desk.store.dead_letter(letter.id) for letter in await desk.store.dead_letters()]
        assert [letter is not None and letter.content[:1] > b"\0" for letter in letters] == [True] * 3
        for sweep, rows in ((Sweep.DEAD_EVENTS, 2), (Sweep.DEAD_MESSAGES, 1)):
            assert await swept(desk, sweep, AT) == 0
            assert await swept(desk, sweep, limit=1) == rows
        assert await desk.store.dead_letters() == []

    async def test_statuses_have_an_age_of_their_own_and_early_ones_wait_longer(self, desk: Desk) -> None:
        await talked(desk)
        await desk.receive(news("m-1", "read"), news("later", "read", state=InboxState.DONE))
        await go_on(desk)
        assert await swept(desk, Sweep.EVENTS) == 1
        assert await swept(desk, Sweep.STATUSES) == 1
        (message,) = await desk.said("hi")
        await desk.store.settle_delivery(sent(message, "later"))
        assert await desk.fate(message) == ("sent", "read")
        await desk.receive(news("never", "read", received_at=AT))
        await go_on_again(desk)
        assert await swept(desk, Sweep.STATUSES, _LATER + WAITS_LONGER) == 2
        (message,) = await desk.said("hi")
        await desk.store.settle_delivery(sent(message, "never"))
        assert await desk.fate(message) == ("sent", "")

    async def test_timers_that_are_over_are_removed_and_no_number_is_given_twice(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        commit = await desk.commit_of(row)
        timers = [TimerRow(due_at=AT, name=name, message=b"{}") for name in ("a", "b", "c")]
        await desk.store.commit_turn(replace(commit, timers=timers))
        await desk.store.fire_timers(AT, 10)
        first, second, third = desk.told.events[-3:]
        for event in (first, second, third):
            assert await swept(desk, Sweep.TIMERS) == (0 if event is first else 1)
            await desk.turn(event)
        assert await swept(desk, Sweep.TIMERS) == 0
        await desk.reopen()
        (row,) = await desk.hear("2")
        await desk.store.commit_turn(
            replace(await desk.commit_of(row), timers=[TimerRow(due_at=AT, name="d", message=b"{}")])
        )
        await desk.store.fire_timers(AT, 10)
        assert desk.told.events[-1].key not in {first.key, second.key, third.key}

    async def test_no_number_of_a_row_is_given_twice(self, lasting_desk: Desk) -> None:
        await talked(lasting_desk)
        for sweep in (Sweep.EVENTS, Sweep.MESSAGES):
            assert await swept(lasting_desk, sweep) == 0
        before = {row.id for row in lasting_desk.told.events} | {row.id for row in lasting_desk.told.messages}
        await lasting_desk.reopen()
        (message,) = await lasting_desk.said("hi")
        assert {lasting_desk.told.events[-1].id, message.id}.isdisjoint(before)

    async def test_what_is_left_of_removed_media_goes_with_the_history(self, desk: Desk) -> None:
        await desk.receive(photo("1"), photo("2"))
        await desk.store.forget_media(before=_LATER)
        assert await swept(desk, Sweep.MEDIA) == 0
        for row, _ in await desk.store.forgotten_media(10):
            await desk.store.remove_media(row.id)
        assert await swept(desk, Sweep.MEDIA) == 1

    async def test_the_messages_of_a_sweep_leave_no_tries(self, desk: Desk) -> None:
        await talked(desk)
        await go_on(desk)
        assert await swept(desk, Sweep.MESSAGES) == 1
        assert await swept(desk, Sweep.EXCHANGES) == 0

    async def test_steps_and_state_outlive_the_history(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        step = StepRow(thread_id=row.thread_id, run="r", position=0, call="c", key="k", at=AT)
        await desk.store.start_step(step)
        await desk.turn(row, state=b'{"a":1}', dialog=b"{}")
        await go_on(desk)
        assert await swept(desk, Sweep.EVENTS) == 1
        thread = await desk.store.thread(row.thread_id)
        assert (thread.state, thread.dialog) == (b'{"a":1}', b"{}")
        assert await desk.store.steps(row.thread_id) == [step]


async def go_on_again(desk: Desk) -> None:
    """A newer event."""
    status = Status(id="s", contact=Contact(id="zoe"), at=NOON, message_id="?", value="read")
    await desk.receive(replace(arrival("newer"), event=status, encoded=encode_event(status), received_at=_MUCH_LATER))
