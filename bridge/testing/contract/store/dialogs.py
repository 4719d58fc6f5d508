"""The Store port's promises about dialogs and handoff: what waits in a thread, its steps, what a person has kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bridge.errors import ClaimLost, ThreadMoved
from bridge.events import Timer
from bridge.planning.choices import Choice
from bridge.store.records import StepRow, TimerRow
from bridge.testing.contract.store.desk import AT, Desk
from bridge.testing.contract.store.suite import StoreSuite
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.store.records import InboxRow


async def end(desk: Desk, row: InboxRow, **changes: Any) -> None:
    """A turn that says nothing; `changes` are those of the turn."""
    await desk.store.commit_turn(replace(await desk.commit_of(row), **changes))


async def held(desk: Desk, *keys: str) -> list[InboxRow]:
    """Events that come while a person has the thread."""
    rows = await desk.hear(*keys)
    for row in rows:
        await end(desk, row, holds=True)
    return rows


def step(thread_id: int, position: int = 0, **changes: Any) -> StepRow:
    made = StepRow(thread_id=thread_id, run="run", position=position, call="pay#1", key=f"k-{position}", at=AT)
    return replace(made, **changes)


class DialogContract(StoreSuite):
    """Dialogs, their steps, and what is kept for a person."""

    # What a thread keeps

    async def test_a_dialog_a_note_and_when_the_contact_was_heard_are_kept_with_the_turn(
        self, lasting_desk: Desk
    ) -> None:
        desk = lasting_desk
        first, second = await desk.hear("1", "2")
        await desk.turn(first, dialog=b'{"name":"\xc3\xbc"}', note="hers", heard=1)
        for _ in range(2):
            thread = await desk.store.thread(first.thread_id)
            held = (thread.hold.note, thread.is_held)
            assert (thread.dialog, thread.heard, held) == (b'{"name":"\xc3\xbc"}', 1, ("hers", True))
            await desk.reopen()
        await desk.turn(second, dialog=None, note=None, heard=2)
        thread = await desk.store.thread(first.thread_id)
        assert (thread.dialog, thread.hold.note, thread.heard, thread.is_held) == (None, None, 2, False)

    async def test_a_note_without_words_is_one_too(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        await desk.turn(row, note="")
        assert (await desk.store.thread(row.thread_id)).is_held

    async def test_a_dialog_that_a_person_ends_is_over_with_its_choices_and_its_timer(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        first, second = await desk.hear("1", "2")
        offered = (Choice(number=1, key="k", title="Yes"),)
        begun = await desk.commit_of(first, dialog=b"{}", choices=offered, state=b'{"kept":1}')
        timers = [TimerRow(due_at=AT + SECOND, name="ask"), TimerRow(due_at=AT + SECOND, name="other")]
        await desk.store.commit_turn(replace(begun, timers=timers))
        running = await desk.commit_of(second)
        assert await desk.store.end_dialog(first.thread_id, "ask", AT)
        with pytest.raises(ThreadMoved):
            await desk.store.commit_turn(running)
        for _ in range(2):
            thread = await desk.store.thread(first.thread_id)
            assert (thread.dialog, tuple(thread.choices), thread.state) == (None, (), b'{"kept":1}')
            await desk.reopen()
        await desk.store.fire_timers(AT + SECOND, 9)
        due = [row.event.name for row in await desk.events(first.thread_id) if isinstance(row.event, Timer)]
        assert due == ["other"]
        assert not await desk.store.end_dialog(first.thread_id, "ask", AT)
        assert not await desk.store.end_dialog(4711, "ask", AT)

    async def test_the_threads_with_a_dialog_come_page_by_page(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        rows = [(await desk.hear(name, conversation=name))[0] for name in "abcdef"]
        for row in rows:
            await desk.turn(row, dialog=b"{}" if row.key not in "bd" else None)
        await desk.reopen()
        found = await desk.store.dialogs(limit=3)
        assert [thread.ref.conversation_id for thread in found] == ["a", "c", "e"]
        assert found[0] == await desk.store.thread(rows[0].thread_id)
        assert [thread.ref.conversation_id for thread in await desk.store.dialogs(after=found[-1].id)] == ["f"]
        (more,) = await desk.hear("g", conversation="a")
        await desk.turn(more, dialog=None)
        assert [thread.ref.conversation_id for thread in await desk.store.dialogs()] == ["c", "e", "f"]

    # Steps

    async def test_a_step_is_noted_before_it_is_taken_and_what_it_gave_after(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        begun = step(row.thread_id)
        assert await desk.store.start_step(begun) is None
        await desk.reopen()
        assert await desk.store.steps(row.thread_id) == [begun]
        ended = replace(begun, result=b'{"paid":7}')
        await desk.store.end_step(ended)
        await desk.reopen()
        assert await desk.store.steps(row.thread_id) == [ended]

    async def test_a_step_that_is_begun_again_is_the_one_that_was_begun_first(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        first = step(row.thread_id)
        await desk.store.start_step(first)
        assert await desk.store.start_step(replace(first, key="another", at=AT + 5)) == first
        await desk.store.end_step(replace(first, result=b"null"))
        assert await desk.store.start_step(first) == replace(first, result=b"null")
        assert len(await desk.store.steps(row.thread_id)) == 1

    async def test_of_a_step_that_is_begun_twice_at_once_one_is_first(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        begun = [step(row.thread_id, key=f"key {number}") for number in range(9)]
        found = await asyncio.gather(*map(desk.store.start_step, begun))
        assert found.count(None) == 1
        assert {each.key for each in found if each is not None} == {begun[found.index(None)].key}

    @pytest.mark.parametrize("other", [{"position": 1}, {"call": "refund#1"}, {"run": "another"}], ids=str)
    async def test_steps_are_told_apart_by_run_position_and_call(self, desk: Desk, other: dict[str, Any]) -> None:
        (row,) = await desk.hear("1")
        first = step(row.thread_id)
        await desk.store.start_step(first)
        assert await desk.store.start_step(replace(first, **other)) is None
        await desk.store.end_step(replace(first, result=b"1"))
        assert {each.result for each in await desk.store.steps(row.thread_id)} == {b"1", None}

    @pytest.mark.parametrize(
        ("runs", "dialog", "left"),
        [(["run"], b"{}", ["old"]), (["run", "old"], None, []), ([], None, ["old", "run"]), (["late"], b"{}", ["run"])],
        ids=["its dialog has them now", "its dialog ended", "others may be wanted again", "nobody wants old ones"],
    )
    async def test_steps_end_with_the_turn_that_took_them_or_with_their_dialog(
        self, desk: Desk, runs: list[str], dialog: bytes | None, left: list[str]
    ) -> None:
        (ann,), (bob,) = await desk.hear("1"), await desk.hear("2", conversation="bob")
        for row in (ann, bob):
            await desk.store.start_step(step(row.thread_id))
            await desk.store.start_step(
                step(row.thread_id, run="old", at=AT - 91 * 24 * 3600 * SECOND * ("late" in runs))
            )
        commit = await desk.commit_of(ann, dialog=dialog)
        await desk.store.commit_turn(replace(commit, steps=runs))
        assert sorted(each.run for each in await desk.store.steps(ann.thread_id)) == left
        assert len(await desk.store.steps(bob.thread_id)) == 2

    async def test_a_turn_that_is_lost_ends_no_steps(self, desk: Desk) -> None:
        first, second = await desk.hear("1", "2")
        lost = replace(await desk.commit_of(second), steps=["run"])
        await desk.turn(first)
        await desk.store.start_step(step(first.thread_id))
        with pytest.raises(ThreadMoved):
            await desk.store.commit_turn(lost)
        assert len(await desk.store.steps(first.thread_id)) == 1

    # Turns of several events

    async def test_a_turn_of_several_events_ends_them_all(self, desk: Desk) -> None:
        first, second, third, fourth = await desk.hear("1", "2", "3", "4")
        await end(desk, third, others=[first, second])
        assert await desk.events(first.thread_id) == [replace(fourth, attempt=1)]
        assert (await desk.store.thread(first.thread_id)).version == 1

    @pytest.mark.parametrize("settled", [0, 1, 2])
    async def test_it_is_lost_with_all_it_did_when_one_of_them_is_settled(self, desk: Desk, settled: int) -> None:
        rows = await desk.hear("1", "2", "3")
        commit = await desk.commit_of(rows[2], "said", state=b"[1]")
        await desk.turn(rows[settled], "said before")
        with pytest.raises(ClaimLost):
            await desk.store.commit_turn(replace(commit, others=rows[:2], timers=[TimerRow(due_at=AT)]))
        assert len(await desk.events(rows[0].thread_id)) == 2
        assert [message.key for message in await desk.messages(rows[0].thread_id)] == ["key-said before"]
        assert await desk.store.fire_timers(AT, 9) is None
        assert (await desk.store.thread(rows[0].thread_id)).state == b"{}"

    @pytest.mark.parametrize("together", [False, True])
    async def test_two_turns_that_share_an_event_are_one_and_one_that_is_lost(
        self, desk: Desk, *, together: bool
    ) -> None:
        first, second = await desk.hear("1", "2")
        whole = replace(await desk.commit_of(second, "both"), others=[first])
        single = await desk.commit_of(first, "one")
        if together:
            results = await asyncio.gather(*map(desk.store.commit_turn, (single, whole)), return_exceptions=True)
            assert [type(result) for result in results] == [type(None), ClaimLost]
        else:
            await desk.store.commit_turn(single)
            with pytest.raises(ClaimLost):
                await desk.store.commit_turn(whole)
        assert [message.key for message in await desk.messages(first.thread_id)] == ["key-one"]
        assert [row.key for row in await desk.events(first.thread_id)] == ["2"]

    # While a person has the thread

    async def test_what_comes_meanwhile_is_kept_in_order_and_waits_for_no_turn(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        rows = await held(desk, "1", "2", "3")
        await desk.reopen()
        thread_id = rows[0].thread_id
        assert await desk.events(thread_id) == []
        assert [row.key for row in await desk.store.held(thread_id, 10)] == ["1", "2", "3"]
        assert [row.key for row in await desk.store.held(thread_id, 2)] == ["2", "3"]
        assert await desk.states(thread_id) == ["in held"] * 3
        assert (await desk.store.counts())["open_events"] == 0
        assert await desk.store.dead_letters() == []

    async def test_what_is_kept_is_settled_for_any_other_turn_and_known_when_it_comes_again(self, desk: Desk) -> None:
        (row,) = await held(desk, "1")
        with pytest.raises(ClaimLost):
            await desk.turn(row, "too late")
        assert await desk.hear("1") == []

    async def test_when_the_thread_is_returned_a_person_has_answered_all_of_it(self, desk: Desk) -> None:
        rows = await held(desk, "1", "2")
        (back,) = await desk.hear("back")
        await end(desk, back, returns=True)
        assert await desk.store.held(rows[0].thread_id, 10) == []
        assert await desk.states(rows[0].thread_id) == ["in done"] * 3
        assert await desk.events(rows[0].thread_id) == []

    async def test_what_is_kept_elsewhere_is_not_returned(self, desk: Desk) -> None:
        await held(desk, "1")
        (bob,) = await desk.hear("2", conversation="bob")
        await end(desk, bob, returns=True)
        assert len(await desk.store.held(1, 10)) == 1

    async def test_timers_that_were_kept_have_their_turns_when_the_thread_is_returned(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (first,) = await desk.hear("1")
        await end(desk, first, timers=[TimerRow(due_at=AT + at, name=f"{at}") for at in (1, 2)])
        await held(desk, "2")
        await desk.store.fire_timers(AT + 9, 10)
        for timer in await desk.events(first.thread_id):
            await end(desk, timer, holds=True)
        await desk.reopen()
        back, behind = await desk.hear("back", "behind")
        await end(desk, back, returns=True)
        told = [row for row in desk.told.events if isinstance(row.event, Timer)]
        waiting = await desk.events(first.thread_id)
        assert [row.key for row in waiting] == ["behind", "timer:1", "timer:2"]
        assert [row.attempt for row in waiting] == [1, 0, 0]
        assert [row.key for row in told] == ["timer:1", "timer:2"]
        assert waiting[0] == replace(behind, attempt=1)
        for row in waiting:
            await desk.turn(row)
        assert await desk.events(first.thread_id) == []

    async def test_a_timer_that_is_kept_can_be_cancelled_and_then_stays_so(self, desk: Desk) -> None:
        (first,) = await desk.hear("1")
        await end(desk, first, timers=[TimerRow(due_at=AT, name="n")])
        await desk.store.fire_timers(AT, 10)
        (timer,) = await desk.events(first.thread_id)
        await end(desk, timer, holds=True)
        (more,) = await desk.hear("2")
        await end(desk, more, cancelled=["n"])
        (back,) = await desk.hear("back")
        await end(desk, back, returns=True)
        assert await desk.events(first.thread_id) == []

    async def test_the_next_timer_of_a_name_is_told(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        timers = [TimerRow(due_at=AT + at, name=name) for at, name in ((9, "n"), (5, "n"), (1, "m"))]
        await end(desk, row, timers=timers)
        assert [await desk.store.due_at(row.thread_id, name) for name in ("n", "m", "x")] == [AT + 5, AT + 1, None]
        await desk.store.fire_timers(AT + 5, 10)
        assert [await desk.store.due_at(row.thread_id, name) for name in ("n", "m")] == [AT + 9, None]
