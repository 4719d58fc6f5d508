"""The Store port's promises about timers: due in time and once, cancelled and replaced by name, also when due."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bridge.errors import ClaimLost
from bridge.events import Timer
from bridge.store.admission import OWN_KEYS
from bridge.store.records import TimerRow
from bridge.testing.contract.store.desk import AT, Desk, again, given_up
from bridge.testing.contract.store.suite import StoreSuite

if TYPE_CHECKING:
    from bridge.store.records import InboxRow


async def set_timers(desk: Desk, row: InboxRow, *timers: TimerRow, **changes: Any) -> None:
    """A turn that sets timers; `changes` are those of the turn."""
    await desk.store.commit_turn(replace(await desk.commit_of(row), timers=timers, **changes))


def timer_of(row: InboxRow) -> Timer:
    assert isinstance(row.event, Timer)
    return row.event


class TimerContract(StoreSuite):
    """Timers."""

    # When

    async def test_a_timer_becomes_an_event_when_it_is_due_and_once(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        commit = await desk.commit_of(row)
        late, soon = TimerRow(due_at=AT + 20, name="late"), TimerRow(due_at=AT + 10, name="soon", arguments=b'{"n":1}')
        await desk.store.commit_turn(replace(commit, timers=[late, soon]))
        assert ("timed", (AT + 10,)) in desk.told.log
        assert await desk.store.fire_timers(AT + 9, 100) == AT + 10
        assert desk.told.events == [row]
        await desk.reopen()
        assert await desk.store.fire_timers(AT + 10, 100) == AT + 20
        assert await desk.store.fire_timers(AT + 10, 100) == AT + 20
        assert await desk.store.fire_timers(AT + 99, 100) is None
        assert [(each.event.tag, each.thread_id, each.attempt) for each in desk.told.events] == [
            ("timer", row.thread_id, 1),
            ("timer", row.thread_id, 0),
        ]
        assert await desk.events(row.thread_id) == desk.told.events

    async def test_a_turn_cancels_the_timers_it_names_and_may_set_them_anew(self, desk: Desk) -> None:
        first, second = await desk.hear("1", "2")
        old, other = TimerRow(due_at=AT + 1, name="old"), TimerRow(due_at=AT + 2, name="other")
        await desk.store.commit_turn(replace(await desk.commit_of(first), timers=[old, other]))
        anew = TimerRow(due_at=AT + 5, name="old")
        await desk.store.commit_turn(replace(await desk.commit_of(second), timers=[anew], cancelled=["old"]))
        desk.told.events.clear()
        assert await desk.store.fire_timers(AT + 4, 100) == AT + 5
        assert await desk.store.fire_timers(AT + 5, 100) is None
        assert len(desk.told.events) == 2

    async def test_timers_of_a_turn_that_is_lost_are_never_set(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        commit = await desk.commit_of(row)
        await desk.turn(row)
        with pytest.raises(ClaimLost):
            await desk.store.commit_turn(replace(commit, timers=[TimerRow(due_at=AT)]))
        assert await desk.store.fire_timers(AT + 1, 100) is None

    async def test_a_timer_comes_as_it_was_set(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await desk.turn(row)
        (row,) = await desk.hear("2")
        called = TimerRow(
            due_at=AT + 1, name="n", unless="replied", handler="m:f", arguments=b'{"no":7}', model="m:Order", held=3
        )
        said = TimerRow(due_at=AT + 2, message=b'{"kind":"text","text":"later"}')
        await set_timers(desk, row, called, said)
        await desk.store.fire_timers(AT + 9, 10)
        first, second = (timer_of(each) for each in await desk.events(row.thread_id))
        assert (first.name, first.unless, first.handler, first.arguments, first.model, first.set_at, first.since) == (
            *("n", "replied", "m:f", {"no": 7}, "m:Order", AT),
            2,
        )
        assert (second.message, second.handler, second.name, second.model) == (
            *('{"kind":"text","text":"later"}', None),
            *("", None),
        )
        assert (first.contact.id, first.held, second.held) == ("ann", 3, None)

    async def test_timers_that_are_due_together_come_in_the_order_of_their_times(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await set_timers(desk, row, *(TimerRow(due_at=AT + at, name=f"{at}") for at in (5, 1, 3, 3)))
        await desk.hear("2")
        await desk.store.fire_timers(AT + 9, 10)
        await desk.hear("3")
        kinds = [
            each.event.name if isinstance(each.event, Timer) else each.key for each in await desk.events(row.thread_id)
        ]
        assert kinds == ["2", "1", "3", "3", "5", "3"]

    async def test_many_that_are_due_come_in_pages_and_what_arrives_in_between_is_not_held_up(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await set_timers(desk, row, *(TimerRow(due_at=AT + at) for at in range(100)))
        (other,) = await desk.hear("2", conversation="bob")
        assert await desk.store.fire_timers(AT + 200, 30) == AT + 30
        assert await desk.turn(other, "at once")
        assert len(await desk.events(row.thread_id)) == 30
        assert [await desk.store.fire_timers(AT + 200, 30) for _ in range(3)] == [AT + 60, AT + 90, None]
        assert [timer_of(each).at for each in await desk.events(row.thread_id)] == sorted(
            timer_of(each).at for each in await desk.events(row.thread_id)
        )
        assert len(await desk.events(row.thread_id)) == 100

    async def test_many_that_are_due_in_one_account_hold_up_none_of_another(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await set_timers(desk, row, *(TimerRow(due_at=AT + at) for at in range(100)))
        (other,) = await desk.hear("2", account="second")
        await set_timers(desk, other, TimerRow(due_at=AT + 150))
        assert await desk.store.fire_timers(AT + 200, 30) == AT + 15
        assert len(await desk.events(row.thread_id)) == 15
        assert len(await desk.events(other.thread_id)) == 1

    async def test_a_timer_is_an_event_of_ours_and_takes_part_in_all_that_events_do(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await set_timers(desk, row, TimerRow(due_at=AT, name="n"))
        await desk.store.fire_timers(AT, 10)
        (timer,) = await desk.events(row.thread_id)
        assert timer.key.startswith(OWN_KEYS)
        await desk.store.retry_turn(again(timer))
        await desk.store.settle_turn(given_up(replace(timer, attempt=2)))
        assert await desk.store.replay(f"in-{timer.id}", AT)
        (back,) = await desk.events(row.thread_id)
        assert (back.event, back.replay) == (timer.event, 1)

    # Cancelled

    async def test_a_name_is_that_of_one_thread(self, desk: Desk) -> None:
        (ann,), (bob,) = await desk.hear("1"), await desk.hear("2", conversation="bob")
        for row in (ann, bob):
            await set_timers(desk, row, TimerRow(due_at=AT + 1, name="n"))
        (more,) = await desk.hear("3")
        await set_timers(desk, more, cancelled=["n"])
        await desk.store.fire_timers(AT + 9, 10)
        assert (await desk.events(ann.thread_id), len(await desk.events(bob.thread_id))) == ([], 1)

    async def test_one_that_is_due_and_waits_for_its_turn_is_cancelled_too(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await set_timers(desk, row, *(TimerRow(due_at=AT + 1, name=name) for name in ("gone", "stays")))
        first, _ = await desk.hear("2", "3")
        await desk.store.fire_timers(AT + 9, 10)
        assert len(await desk.events(row.thread_id)) == 4
        await set_timers(desk, first, TimerRow(due_at=AT + 50, name="gone"), cancelled=["gone"])
        second, stays = await desk.events(row.thread_id)
        assert (second.key, second.attempt, timer_of(stays).name) == ("3", 1, "stays")
        assert await desk.store.fire_timers(AT + 99, 10) is None
        assert [timer_of(each).name for each in (await desk.events(row.thread_id))[1:]] == ["stays", "gone"]

    async def test_the_turn_of_one_that_was_cancelled_is_lost(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await set_timers(desk, row, TimerRow(due_at=AT, name="n"))
        (more,) = await desk.hear("2")
        await desk.store.fire_timers(AT, 10)
        _, timer = await desk.events(row.thread_id)
        await set_timers(desk, more, cancelled=["n"])
        with pytest.raises(ClaimLost):
            await desk.turn(timer, "too late")
        assert await desk.messages(row.thread_id) == []
        assert not await desk.store.replay(f"in-{timer.id}", AT)

    async def test_one_whose_turn_it_is_may_be_set_again_under_its_name(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await set_timers(desk, row, TimerRow(due_at=AT, name="n"))
        for at in range(3):
            await desk.store.fire_timers(AT + at, 10)
            (timer,) = await desk.events(row.thread_id)
            await set_timers(desk, timer, TimerRow(due_at=AT + at + 1, name="n"), cancelled=["n"])
        assert await desk.states(row.thread_id) == ["in done"]
        assert await desk.store.fire_timers(AT + 99, 10) is None
        assert len(await desk.events(row.thread_id)) == 1

    async def test_one_that_had_its_turn_is_cancelled_no_more(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        await set_timers(desk, row, TimerRow(due_at=AT, name="n"))
        await desk.store.fire_timers(AT, 10)
        (timer,) = await desk.events(row.thread_id)
        await desk.turn(timer, "in time")
        await desk.reopen()
        (more,) = await desk.hear("2")
        await set_timers(desk, more, cancelled=["n"])
        assert [message.key for message in await desk.messages(row.thread_id)] == ["key-in time"]

    async def test_a_turn_that_is_lost_cancels_nothing(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await set_timers(desk, row, TimerRow(due_at=AT, name="n"))
        with pytest.raises(ClaimLost):
            await set_timers(desk, row, cancelled=["n"])
        await desk.store.fire_timers(AT, 10)
        assert len(await desk.events(row.thread_id)) == 1
