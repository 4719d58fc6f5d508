"""The Store port's promises about people who take a thread: at once, whatever the bot is doing, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bridge.errors import ThreadMoved
from bridge.events import Contact, Echo, Handoff, Returned, Send, Timer, encode_event
from bridge.messages import Button, Buttons, Image, encode_message
from bridge.store.lifecycle import InboxState, Outcome
from bridge.store.records import Receipt, Saying, TimerRow
from bridge.testing.contract.store.desk import AT, NOON, Desk, again, arrival, news, ref_of, refused, sent
from bridge.testing.contract.store.suite import StoreSuite
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.events import Event
    from bridge.store.records import Arrival, InboxRow, OutboxRow


ANN = Contact(id="ann")


def brings(event: Event, conversation: str = "ann") -> Arrival:
    return arrival(event.id, conversation, event=event, encoded=encode_event(event))


def speaks(key: str = "hers", text: str = "Let me see.", **changes: Any) -> Arrival:
    """A person's words, or our own message come back."""
    event = Echo(id=key, contact=ANN, at=NOON, text=text, human=True)
    return brings(replace(event, **changes))


def takes(key: str = "hers") -> Arrival:
    """A person takes the thread by a command."""
    return brings(Handoff(id=key, contact=ANN, at=NOON))


def writes(key: str = "hers") -> Arrival:
    """A person writes in the console."""
    return brings(Send(id=key, contact=ANN, at=NOON, messages=('{"kind":"text","text":"Bob"}',), human=True))


async def row_of(desk: Desk, came: Arrival) -> InboxRow:
    """What an arrival became."""
    await desk.receive(came)
    return desk.told.events[-1]


async def end(desk: Desk, row: InboxRow, **changes: Any) -> None:
    """A turn that says nothing; `changes` are those of the turn."""
    await desk.store.commit_turn(replace(await desk.commit_of(row), **changes))


# Whose words


async def whose(desk: Desk, row: InboxRow, seconds: float = 0) -> bool | None:
    return await desk.store.sent_by_us(row, AT + round(seconds * SECOND))


async def unanswered(desk: Desk, message: OutboxRow) -> None:
    """A try of which nobody knows what became, then one that was answered."""
    await desk.store.retry_delivery(again(message, Outcome.UNKNOWN))
    await desk.store.settle_delivery(sent(message, "m-9", attempt=2))


class HandoffContract(StoreSuite):
    """People who take a thread."""

    # At once

    @pytest.mark.parametrize("came", [speaks(), takes(), writes()], ids=["words", "a command", "the console"])
    async def test_a_turn_that_was_under_way_when_a_person_came_has_no_effect(
        self, lasting_desk: Desk, came: Arrival
    ) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        late = await desk.commit_of(row, "too late")
        hers = await row_of(desk, came)
        with pytest.raises(ThreadMoved):
            await desk.store.commit_turn(late)
        for _ in range(2):
            thread = await desk.store.thread(row.thread_id)
            assert (thread.hold.taken_seq, thread.hold.silenced_seq, thread.version) == (hers.seq, hers.seq, 0)
            await desk.reopen()
        await end(desk, row, holds=True)
        assert await desk.messages(row.thread_id) == []
        assert [each.key for each in await desk.events(row.thread_id)] == ["hers"]

    async def test_what_was_to_be_said_before_is_silenced_and_nothing_after(self, desk: Desk) -> None:
        (before,) = await desk.said("before")
        await desk.store.settle_delivery(sent(before, "m-1"))
        (waits,) = await desk.said("waits")
        hers = await row_of(desk, takes())
        (own,) = await desk.turn(hers, "noted", note="")
        thread = await desk.store.thread(own.thread_id)
        assert waits.seq < thread.hold.silenced_seq <= own.seq

    async def test_in_a_thread_that_a_person_has_their_words_silence_nothing_more(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        (parting,) = await desk.turn(row, "somebody will come", note="hers")
        await desk.store.settle_delivery(sent(parting, "m-1"))
        hers = await row_of(desk, speaks())
        thread = await desk.store.thread(row.thread_id)
        assert (thread.hold.taken_seq, thread.hold.silenced_seq) == (hers.seq, 0)

    async def test_a_turn_that_finds_out_that_a_person_spoke_silences_what_waits_then(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        (waits,) = await desk.turn(row, "on its way")
        hers = await row_of(desk, speaks())
        assert (await desk.store.thread(row.thread_id)).hold.silenced_seq == 0  # it may be ours
        commit = await desk.commit_of(hers, "noted", note="")
        await desk.store.commit_turn(replace(commit, silences=True))
        own = desk.told.messages[-1]
        assert waits.seq < (await desk.store.thread(row.thread_id)).hold.silenced_seq <= own.seq

    async def test_a_turn_that_takes_the_thread_may_be_a_dead_letter_too(self, desk: Desk) -> None:
        hers = await row_of(desk, takes())
        commit = await desk.commit_of(hers, note="hers")
        await desk.store.commit_turn(replace(commit, dead="its rule failed"))
        assert (await desk.store.thread(hers.thread_id)).is_held
        (letter,) = await desk.store.dead_letters()
        assert (letter.id, letter.reason) == (f"in-{hers.id}", "its rule failed")

    async def test_a_turn_may_give_the_thread_away_and_keep_its_event_for_the_return(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        commit = await desk.commit_of(row, note="a loop")
        await desk.store.commit_turn(replace(commit, holds=True))
        await desk.reopen()
        (found,) = await desk.store.threads(held=True)
        assert (found.note, found.kept_events, found.open_events) == ("a loop", 1, 0)
        (back,) = await desk.hear("back")
        commit = await desk.commit_of(back, note=None)
        await desk.store.commit_turn(replace(commit, returns=True))
        await desk.reopen()
        (found,) = await desk.store.threads()
        assert (found.note, found.kept_events, found.open_events) == (None, 0, 0)

    async def test_an_echo_is_ours_by_the_providers_name_of_it_or_by_our_key(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (message,) = await desk.said("hello")
        await desk.store.settle_delivery(sent(message, "m-1"))
        by_name = await row_of(desk, speaks("m-1"))
        by_key = await row_of(desk, speaks("m-2", message_key=message.key))
        neither = await row_of(desk, speaks("m-3", message_key="foreign"))
        await desk.receive(arrival("1", account="other"))
        elsewhere = replace(by_name, ref=replace(by_name.ref, account="other"))
        for _ in range(2):
            assert [await whose(desk, row) for row in (by_name, by_key, neither, elsewhere)] == [
                True,
                True,
                False,
                False,
            ]
            await desk.reopen()

    async def test_while_a_message_may_be_on_the_wire_nobody_knows_whose_an_echo_is(self, desk: Desk) -> None:
        (message,) = await desk.said("hello")
        ours, hers = await row_of(desk, speaks("m-1", "hello")), await row_of(desk, speaks("m-2"))
        assert [await whose(desk, row, 59) for row in (ours, hers)] == [None, None]
        assert [await whose(desk, row, 61) for row in (ours, hers)] == [True, False]
        await desk.store.settle_delivery(sent(message, "m-1"))
        assert [await whose(desk, row) for row in (ours, hers)] == [True, False]

    async def test_what_waits_behind_another_message_was_not_sent_by_anybody(self, desk: Desk) -> None:
        first, _ = await desk.said("one", "two")
        await desk.store.settle_delivery(refused(first))
        await desk.store.settle_delivery(sent((await desk.messages(first.thread_id))[0], "m-2"))
        await desk.said("three", conversation="bob")
        assert await whose(desk, await row_of(desk, speaks())) is False

    async def test_a_try_without_an_answer_is_known_by_its_words(self, desk: Desk) -> None:
        (message,) = await desk.said("Hello, Ann!")
        await unanswered(desk, message)
        for text, ours in (("hello ann", True), ("Hello, Ann!\n", True), ("Hello, Bob!", False), ("", False)):
            row = await row_of(desk, replace(speaks(f"m {text}", text), received_at=AT + 3600 * SECOND))
            assert await desk.store.sent_by_us(row, row.received_at) is ours

    async def test_below_the_words_of_buttons_may_stand_their_titles(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        message = Buttons("Sure?", [Button("y", "Yes"), Button("n", "No")])
        (said,) = await desk.turn(row, Saying(key="k", message=message, encoded=encode_message(message)))
        await desk.store.settle_delivery(sent(said, "answered so"))
        for text, ours in (("Sure?", True), ("Sure?\n1. Yes\n2. No", True), ("Yes, sure?", False)):
            assert await whose(desk, await row_of(desk, speaks(f"m {text}", text))) is ours

    @pytest.mark.parametrize(
        ("minutes", "kind", "ours"), [(9, "image", True), (11, "image", False), (9, "text", False)]
    )
    async def test_a_try_of_what_has_no_words_is_known_by_its_kind(
        self, desk: Desk, minutes: int, kind: Any, *, ours: bool
    ) -> None:
        (row,) = await desk.hear("1")
        image = Image("https://x.example/a.png")
        (message,) = await desk.turn(row, Saying(key="k", message=image, encoded=encode_message(image)))
        await unanswered(desk, message)
        echo = await row_of(desk, replace(speaks(kind=kind), received_at=AT + minutes * 60 * SECOND))
        assert await desk.store.sent_by_us(echo, echo.received_at) is ours

    @pytest.mark.parametrize(
        ("minutes", "text", "ours"),
        [
            (1, "Hello, Ann", True),
            (9, "hello ann", True),
            (11, "Hello, Ann!", False),
            (1, "Hello, Ann! It is me.", False),
        ],
    )
    async def test_a_message_that_just_left_is_known_by_its_words_whatever_the_provider_calls_it(
        self, desk: Desk, minutes: int, text: str, *, ours: bool
    ) -> None:
        (message,) = await desk.said("Hello, Ann!")
        await desk.store.settle_delivery(sent(message, "answered so"))
        came = speaks("echoed so", text)
        row = await row_of(desk, replace(came, received_at=AT + minutes * 60 * SECOND))
        assert await desk.store.sent_by_us(row, row.received_at) is ours
        assert ((await desk.store.thread(row.thread_id)).hold.taken_seq == 0) is ours

    async def test_what_was_refused_has_not_left(self, desk: Desk) -> None:
        (message,) = await desk.said("Hello, Ann!")
        await desk.store.settle_delivery(refused(message))
        assert await whose(desk, await row_of(desk, speaks("hers", "Hello, Ann!"))) is False

    @pytest.mark.parametrize(
        ("seconds", "kind", "ours"), [(59, "image", True), (61, "image", False), (9, "text", False)]
    )
    async def test_a_picture_that_just_left_is_known_by_its_kind(
        self, desk: Desk, seconds: int, kind: Any, *, ours: bool
    ) -> None:
        (row,) = await desk.hear("1")
        image = Image("https://x.example/a.png")
        (message,) = await desk.turn(row, Saying(key="k", message=image, encoded=encode_message(image)))
        await desk.store.settle_delivery(sent(message, "answered so"))
        echo = await row_of(desk, replace(speaks("echoed so", "", kind=kind), received_at=AT + seconds * SECOND))
        assert await desk.store.sent_by_us(echo, echo.received_at) is ours

    async def test_an_echo_is_kept_as_what_its_turn_found_it_to_be(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        row = await row_of(desk, speaks())
        assert isinstance(row.event, Echo)
        await desk.turn(replace(row, event=replace(row.event, human=False)))
        await desk.reopen()
        (entry,) = await desk.store.history(row.thread_id)
        assert b'"human":false' in entry.content

    # As the gateway tells

    async def test_that_a_person_has_a_thread_is_told_before_the_message_and_only_when_it_is_news(
        self, desk: Desk
    ) -> None:
        async def tags(key: str, *, with_person: bool | None) -> list[str]:
            before = len(desk.told.events)
            await desk.receive(arrival(key, with_person=with_person))
            found = desk.told.events[before:]
            for row in found:
                thread = await desk.store.thread(row.thread_id)
                note = {Handoff: "", Returned: None}.get(type(row.event), thread.hold.note)
                await desk.turn(row, note=note)
            return [row.event.tag for row in found]

        assert await tags("1", with_person=False) == ["message"]
        assert await tags("2", with_person=None) == ["message"]
        assert await tags("3", with_person=True) == ["handoff", "message"]
        assert await tags("4", with_person=True) == ["message"]
        assert await tags("3", with_person=True) == []
        assert await tags("1", with_person=False) == []
        (row,) = await desk.hear("back")
        await desk.turn(row, note=None)
        assert await tags("5", with_person=True) == ["handoff", "message"]
        assert await tags("6", with_person=None) == ["message"]
        assert await tags("7", with_person=False) == ["returned", "message"]
        assert await tags("8", with_person=False) == ["message"]

    @pytest.mark.parametrize("with_person", [True, False])
    async def test_a_status_that_tells_who_has_a_thread_of_which_nothing_was_heard_is_stored(
        self, desk: Desk, *, with_person: bool
    ) -> None:
        status = news("m-1", "read", ref=ref_of("ann"), with_person=with_person)
        assert await desk.receive(status) == [Receipt.STORED]
        assert desk.told.events == []

    # And back

    async def test_statuses_wait_for_their_turns_like_timers_and_nobody_missed_them(self, desk: Desk) -> None:
        (message,) = await desk.said("hello")
        await desk.store.settle_delivery(sent(message, "m-1"))
        fate = await row_of(desk, news("m-1", "read", state=InboxState.OPEN))
        await end(desk, fate, holds=True)
        assert await desk.store.held(fate.thread_id, 10) == []
        (back,) = await desk.hear("back")
        await end(desk, back, returns=True)
        assert [row.id for row in await desk.events(fate.thread_id)] == [fate.id]

    @pytest.mark.parametrize("due", [False, True], ids=["waiting", "due and kept"])
    async def test_a_timer_that_is_begun_again_waits_its_whole_time_once(
        self, lasting_desk: Desk, *, due: bool
    ) -> None:
        desk = lasting_desk
        (first,) = await desk.hear("1")
        await end(desk, first, timers=[TimerRow(due_at=AT + 100, name="n"), TimerRow(due_at=AT + 100, name="other")])
        if due:
            await desk.store.fire_timers(AT + 100, 10)
            for timer in await desk.events(first.thread_id):
                await end(desk, timer, holds=True)
        (back,) = await desk.hear("back")
        await end(desk, back, returns=True, restarts=["n"], at=AT + 500)
        assert desk.told.log[-1] != ("timed", (AT + 600,))  # told before the threads that changed
        assert ("timed", (AT + 600,)) in desk.told.log
        await desk.reopen()
        assert await desk.store.due_at(first.thread_id, "n") == AT + 600
        await desk.store.fire_timers(AT + 599, 10)
        others = await desk.events(first.thread_id)
        assert [row.event.name for row in others if isinstance(row.event, Timer)] == ["other"]
        await desk.turn(others[0])
        await desk.store.fire_timers(AT + 600, 10)
        (again_,) = await desk.events(first.thread_id)
        assert isinstance(again_.event, Timer)
        assert again_.event.name == "n"

    async def test_the_threads_that_a_person_has_are_listed_with_what_waits_for_their_return(
        self, lasting_desk: Desk
    ) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        await desk.turn(row, note="hers")
        for each in await desk.hear("2", "3"):
            await end(desk, each, holds=True)
        await desk.hear("4", conversation="bob")
        await desk.hear("5", account="other")
        await desk.reopen()
        (found,) = await desk.store.threads(held=True)
        assert (found.id, found.note, found.kept_events) == (row.thread_id, "hers", 2)
        assert await desk.store.threads(held=True, account="other") == []
        assert [each.note for each in await desk.store.threads()] == [None, None, "hers"]
