"""The Store port's promises to whoever searches: threads by words and filters, timelines, and timers to come."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bridge.events import Contact, Echo, Message, encode_event
from bridge.store.looks import ThreadSearch
from bridge.store.records import TimerRow
from bridge.store.traces import TracedEvent, TracedMessage
from bridge.testing.contract.store.desk import AT, NOON, Desk, arrival, given_up, news, refused, sent
from bridge.testing.contract.store.people import PHONE, named
from bridge.testing.contract.store.suite import StoreSuite
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.store.looks import ThreadSummary
    from bridge.store.records import InboxRow


async def meet(
    desk: Desk,
    conversation: str,
    name: str,
    phone: str = "",
    *,
    account: str = "shop",
    later: int = 0,
    note: str | None = None,
    **changes: str,
) -> InboxRow:
    """A person says something; with `later` they do so after others, with a `note` a person has the thread then."""
    key = f"{conversation}-{later}"
    contact = Contact(id=conversation, name=name, phone=phone or None)
    event = Message(id=key, contact=contact, at=NOON, text="hello")
    made = arrival(key, conversation, account=account, event=event, encoded=encode_event(event))
    assert made.ref is not None
    await desk.receive(replace(made, ref=replace(made.ref, **changes), received_at=AT + later))
    row = desk.told.events[-1]
    commit = await desk.commit_of(row, note=note)
    await desk.store.commit_turn(replace(commit, at=AT + later))
    return row


async def found(desk: Desk, text: str = "", **wanted: Any) -> list[str]:
    """The conversations that a search finds."""
    search = replace(ThreadSearch(text=text), **wanted)
    page = await desk.store.search_threads(search)
    assert page.next is None
    return [thread.ref.conversation_id for thread in page.threads]


class SearchContract(StoreSuite):
    """Lists for a person who looks for something."""

    async def test_threads_are_found_by_the_name_the_phone_and_the_id_of_their_contact(self, desk: Desk) -> None:
        await meet(desk, "628111", "Ann Lee", "+628111", later=1)
        await meet(desk, "c-7", "Ångström", "+44 20 79", later=2)
        await meet(desk, "c-8", "Bob", later=3)
        assert await found(desk) == ["c-8", "c-7", "628111"]
        assert await found(desk, "ann") == ["628111"]
        assert await found(desk, "  LEE ") == ["628111"]
        assert await found(desk, "ång") == await found(desk, "ÅNG") == ["c-7"]
        assert await found(desk, "C-") == ["c-8", "c-7"]
        assert await found(desk, "+62 81-11") == ["628111"]
        assert await found(desk, "carol") == []

    async def test_our_own_threads_are_nobodys_conversations(self, desk: Desk) -> None:
        row = await meet(desk, "report", "Report", account=":jobs")
        (late,) = await desk.hear("late", conversation="report", account=":jobs")
        timer = TimerRow(due_at=AT + SECOND, name="t")
        await desk.store.commit_turn(replace(await desk.commit_of(late), timers=[timer]))
        (late,) = await desk.hear("open", conversation="report", account=":jobs")
        assert late.thread_id == row.thread_id
        for wanted in ({}, {"waits": True}, {"text": "report"}, {"account": ":jobs"}):
            assert await found(desk, **wanted) == []
        assert await desk.store.timers_to_come() == []

    @pytest.mark.parametrize("text", ["%", "_", "A%e", "c_7", "'", "' OR 1=1 --", "\\", "[a-z]", "*", ".*", "\x00"])
    async def test_each_character_of_a_search_means_itself(self, desk: Desk, text: str) -> None:
        await meet(desk, "c-7", "Ann Lee")
        assert await found(desk, text) == []
        if "\x00" not in text:
            await meet(desk, "c-8", f"Al {text} Bo", later=1)
            assert await found(desk, text) == ["c-8"]

    async def test_threads_are_filtered_by_account_channel_and_who_has_them(self, desk: Desk) -> None:
        await meet(desk, "a", "Ann", later=1)
        await meet(desk, "b", "Ann", account="bar", later=2)
        await meet(desk, "c", "Ann", later=3, channel="line")
        await meet(desk, "d", "Ann", later=4, note="mine")
        assert await found(desk, "ann", account="shop") == ["d", "c", "a"]
        assert await found(desk, account="nobody") == []
        assert await found(desk, channel="line") == ["c"]
        assert await found(desk, held=True) == ["d"]
        assert await found(desk, held=True, account="bar") == []
        assert await found(desk, held=False) == ["c", "b", "a"]

    async def test_threads_are_filtered_by_what_waits_and_what_was_given_up(self, desk: Desk) -> None:
        for number, name in enumerate("abcd"):
            await meet(desk, name, "Ann", later=number)
        (row,) = await desk.hear("open", conversation="a")
        assert row.seq
        (waiting,) = await desk.said("waits", conversation="b")
        (refusal,) = await desk.said("refused", conversation="c")
        await desk.store.settle_delivery(refused(refusal))
        (row,) = await desk.hear("dead", conversation="d")
        await desk.store.settle_turn(given_up(row))
        await meet(desk, "e", "Ann", later=6, note="mine")
        (row,) = await desk.hear("kept", conversation="e")
        await desk.store.commit_turn(replace(await desk.commit_of(row), holds=True))
        assert waiting.id
        assert sorted(await found(desk, waits=True)) == ["a", "b", "e"]
        assert sorted(await found(desk, dead=True)) == ["c", "d"]
        assert await found(desk, waits=True, dead=True) == []
        assert await found(desk, "ann", dead=True, account="bar") == []
        assert await found(desk, waits=True, held=True) == ["e"]

    @pytest.mark.parametrize("search", [ThreadSearch(), ThreadSearch(text="ann"), ThreadSearch(waits=True)])
    async def test_a_search_comes_page_by_page_each_thread_once(self, desk: Desk, search: ThreadSearch) -> None:
        for number in range(11):
            name = "Bob" if number % 4 == 3 else f"Ann {number}"
            await meet(desk, f"c{number}", name, account="shop" if number % 3 else "bar", later=number)
        for number in range(0, 11, 2):
            account = "shop" if number % 3 else "bar"
            await desk.receive(arrival(f"again {number}", f"c{number}", account=account))
        every = (await desk.store.search_threads(search)).threads
        assert len(every) == {"": 11, "ann": 9}[search.text] - 5 * search.waits
        assert [*every] == sorted(every, key=lambda thread: (thread.last_at, thread.id), reverse=True)
        threads: list[ThreadSummary] = []
        page = await desk.store.search_threads(search, limit=2)
        while page.next is not None:
            assert len(page.threads) <= 2
            threads += page.threads
            page = await desk.store.search_threads(search, limit=2, before=page.next)
        assert [*threads, *page.threads] == [*every]

    async def test_who_has_the_text_as_an_identity_comes_first_and_once(self, desk: Desk) -> None:
        kind, value = PHONE
        await desk.receive(named("p1", "old", (kind, value)))
        await meet(desk, "old", f"Ann {value}")
        await meet(desk, "new", f"says {value}", later=9)
        search = ThreadSearch(text=value)
        page = await desk.store.search_threads(search, limit=1)
        assert [thread.ref.conversation_id for thread in page.threads] == ["old"]
        assert page.next is not None
        page = await desk.store.search_threads(search, limit=1, before=page.next)
        assert [thread.ref.conversation_id for thread in page.threads] == ["new"]
        assert page.next is None
        assert await found(desk, value.removeprefix("+")) == ["old", "new"]
        assert await found(desk, value, channel="line") == []

    async def test_a_timeline_comes_page_by_page_back_to_the_beginning(self, desk: Desk) -> None:
        for number in range(3):
            (row,) = await desk.hear(f"{number}")
            (message,) = await desk.turn(row, f"answer {number}")
            await desk.store.settle_delivery(sent(message, f"m-{number}"))
        await desk.receive(news("m-1", "read", key="s"))
        await desk.hear("other", conversation="bob")
        every = await desk.store.timeline(row.thread_id)
        keys = [event.key for event in every]
        assert keys == ["0", "key-answer 0", "1", "key-answer 1", "2", "key-answer 2", "s"]
        message_ids = [each.id for each in every if isinstance(each, TracedMessage)]
        assert len(message_ids) == 3
        second = every[3]
        assert isinstance(second, TracedMessage)
        assert [(each.attempt, each.outcome) for each in second.tries] == [(1, "sent")]
        assert (second.state, second.status) == ("sent", "read")
        first = every[0]
        assert isinstance(first, TracedEvent)
        assert (first.state, first.values["text"], first.raw) == ("done", "0", b"")
        pages: list[TracedEvent | TracedMessage] = []
        before = None
        while page := await desk.store.timeline(row.thread_id, before=before, limit=3):
            pages = page + pages
            before = page[0].id
        assert pages == every
        assert await desk.store.timeline(4711) == []

    async def test_what_was_said_last_in_each_thread_is_found_at_once(self, desk: Desk) -> None:
        (ann,) = await desk.hear("ann asks", conversation="ann")
        (bob,) = await desk.hear("bob asks", conversation="bob")
        (eve,) = await desk.hear("eve asks", conversation="eve")
        (answer,) = await desk.turn(bob, "an answer")
        await desk.store.settle_delivery(sent(answer, "m-1"))
        await desk.receive(news("m-1", "read", key="s"))  # tells of bob's, and says nothing
        (late,) = await desk.hear("eve asks again", conversation="eve")
        echo = Echo(id="e", contact=Contact(id="ann"), at=NOON, text="an agent", human=True)
        await desk.receive(arrival("e", "ann", event=echo, encoded=encode_event(echo)))
        said = await desk.store.last_said([ann.thread_id, bob.thread_id, eve.thread_id, 4711])
        assert {thread_id: (entry.direction, entry.kind) for thread_id, entry in said.items()} == {
            ann.thread_id: ("in", "echo"),
            bob.thread_id: ("out", "text"),
            eve.thread_id: ("in", "message"),
        }
        assert b"an agent" in said[ann.thread_id].content
        assert b"an answer" in said[bob.thread_id].content
        assert (b"eve asks again" in said[eve.thread_id].content, said[eve.thread_id].id) == (True, late.id)
        assert await desk.store.last_said([]) == {}

    async def test_timers_to_come_are_listed_the_next_one_first(self, desk: Desk) -> None:
        for number, account in enumerate(["shop", "bar", "shop"]):
            (row,) = await desk.hear(f"{number}", conversation=f"c{number}", account=account)
            timers = [
                TimerRow(due_at=AT + (9 - number) * SECOND, name=f"t{number}", handler="bot:remind"),
                TimerRow(due_at=AT + 5 * SECOND, name="at", message=b"{}"),
            ]
            await desk.store.commit_turn(replace(await desk.commit_of(row), timers=timers))
        every = await desk.store.timers_to_come()
        assert [(timer.ref.conversation_id, timer.name) for timer in every] == [
            ("c0", "at"),
            ("c1", "at"),
            ("c2", "at"),
            ("c2", "t2"),
            ("c1", "t1"),
            ("c0", "t0"),
        ]
        assert (every[0].message, every[0].handler, every[3].handler) == (b"{}", None, "bot:remind")
        assert (every[0].thread_id, every[0].set_at) == (row.thread_id - 2, AT)
        assert [timer.name for timer in await desk.store.timers_to_come(account="bar")] == ["at", "t1"]
        place = every[1].due_at, every[1].id
        assert await desk.store.timers_to_come(after=place, limit=2) == every[2:4]
        await desk.store.fire_timers(AT + 5 * SECOND, 10)
        assert await desk.store.timers_to_come() == every[3:]

    async def test_dead_letters_are_filtered_by_reason_and_state(self, desk: Desk) -> None:
        ids = []
        for number in range(3):
            (message,) = await desk.said(f"text {number}", conversation=f"c{number}")
            await desk.store.settle_delivery(refused(message, f"HTTP 50{number} 100%"))
            ids.append(f"out-{message.id}")
        (row,) = await desk.hear("x")
        await desk.store.settle_turn(given_up(row, "HTTP 500"))

        async def letters(**chosen: Any) -> list[str]:
            return [letter.id for letter in await desk.store.dead_letters(**chosen)]

        assert await letters(reason="HTTP 500") == [f"in-{row.id}", ids[0]]
        assert await letters(reason="HTTP _0") == []
        assert await letters(reason="%", account="shop") == ids[::-1]
        assert await letters(state="quarantined") == []
        assert len(await letters(state="dead")) == 4
        oldest = await desk.store.oldest_letters(
            account=None, reason="HTTP 500", until=AT, limit=9, state="quarantined"
        )
        assert oldest == []
