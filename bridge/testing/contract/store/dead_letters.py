"""The Store port's promises about what people look at and mend: dead letters, history, threads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest

from bridge.events import Contact, Message, Send, encode_event
from bridge.store.lifecycle import OutboxState, Outcome
from bridge.store.looks import AccountSummary
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import (
    AT,
    NOON,
    Desk,
    arrival,
    given_up,
    news,
    ref_of,
    refused,
    riddle,
    sent,
    strange,
)
from bridge.testing.contract.store.suite import StoreSuite

if TYPE_CHECKING:
    from bridge.store.looks import DeadLetter


async def only_letter(desk: Desk) -> DeadLetter:
    (letter,) = await desk.store.dead_letters()
    return letter


class DeadLetterContract(StoreSuite):
    """Dead letters, histories and lists of threads."""

    # Back to work

    async def test_an_event_is_appended_to_its_thread_again(self, desk: Desk) -> None:
        first, second = await desk.hear("1", "2")
        await desk.store.settle_turn(given_up(first))
        desk.told.events.clear()
        assert await desk.store.replay((await only_letter(desk)).id, AT)
        (again,) = desk.told.events
        assert await desk.events(first.thread_id) == [replace(second, attempt=1), again]
        assert (again.id, again.replay, again.attempt, again.event) == (first.id, 1, 0, first.event)
        assert again.seq > second.seq
        assert await desk.store.dead_letters() == []

    async def test_an_event_that_is_alone_in_its_thread_runs_at_once_when_replayed(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        for replays in (1, 2):
            await desk.store.settle_turn(given_up(row))
            assert await desk.store.replay(f"in-{row.id}", AT)
            row = desk.told.events[-1]
            assert (row.replay, row.attempt) == (replays, 1)
        await desk.turn(row, "done")
        assert await desk.states(row.thread_id) == ["in done", "out open"]

    async def test_a_message_is_appended_to_its_thread_again(self, desk: Desk) -> None:
        first, second = await desk.said("a", "b")
        await desk.store.settle_delivery(refused(first))
        desk.told.messages.clear()
        assert await desk.store.replay(f"out-{first.id}", AT)
        (again,) = desk.told.messages
        assert (again.id, again.key, again.attempt) == (first.id, first.key, 0)
        assert await desk.messages(first.thread_id) == [replace(second, attempt=1), again]
        await desk.store.settle_delivery(sent(second))
        assert await desk.messages(first.thread_id) == [replace(again, attempt=1)]

    async def test_quarantine_becomes_the_events_it_now_turns_out_to_hold(self, desk: Desk) -> None:
        await desk.receive(riddle("q"))
        letter = await only_letter(desk)
        assert await desk.store.replay(letter.id, AT, [arrival("1"), arrival("2")])
        assert [(row.key, row.attempt) for row in desk.told.events] == [("1", 1), ("2", 0)]
        assert await desk.store.dead_letters() == []
        assert not await desk.store.replay(letter.id, AT, [arrival("3")])
        assert len(desk.told.events) == 2

    async def test_quarantine_may_turn_out_to_hold_nothing(self, desk: Desk) -> None:
        await desk.receive(riddle("q"))
        assert await desk.store.replay((await only_letter(desk)).id, AT, [])
        assert await desk.store.dead_letters() == []

    async def test_an_unrecognised_event_may_come_back_under_its_own_key(self, desk: Desk) -> None:
        await desk.receive(strange("1", "of an unknown kind"))
        assert await desk.store.replay((await only_letter(desk)).id, AT, [arrival("1")])
        assert [row.key for row in desk.told.events] == ["1"]
        assert await desk.receive(arrival("1")) == [Receipt.REPEATED]

    async def test_quarantine_without_events_stays_where_it_is(self, desk: Desk) -> None:
        await desk.receive(riddle("q"))
        assert not await desk.store.replay((await only_letter(desk)).id, AT)
        assert (await only_letter(desk)).state == "quarantined"

    # Aside

    async def test_what_is_dropped_is_gone_from_the_list_for_good(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        (message,) = await desk.said("a", conversation="bob")
        await desk.store.settle_turn(given_up(row))
        await desk.store.settle_delivery(refused(message))
        await desk.receive(riddle("q"))
        letters = await desk.store.dead_letters()
        assert len(letters) == 3
        for letter in letters:
            assert await desk.store.drop(letter.id, AT)
            assert not await desk.store.drop(letter.id, AT)
            assert not await desk.store.replay(letter.id, AT)
            assert await desk.store.dead_letter(letter.id) is None
        assert await desk.store.dead_letters() == []
        assert await desk.states(row.thread_id) == ["in dropped"]

    @pytest.mark.parametrize(
        "name", ["in-999", "out-999", "in-", "in-x", "in--1", "in-\u0661", "x-1", "", "1", "in-1 "]
    )
    async def test_what_is_no_dead_letter_is_neither_shown_nor_replayed_nor_dropped(
        self, desk: Desk, name: str
    ) -> None:
        await desk.receive(riddle("q"))
        assert await desk.store.dead_letter(name) is None
        assert not await desk.store.replay(name, AT)
        assert not await desk.store.drop(name, AT)

    async def test_what_is_at_work_is_no_dead_letter(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        (message,) = await desk.turn(row, "a")
        for name in (f"in-{row.id}", f"out-{message.id}"):
            assert not await desk.store.replay(name, AT)
            assert not await desk.store.drop(name, AT)
        assert await desk.states(row.thread_id) == ["in done", "out open"]

    async def test_dead_letters_are_listed_newest_first_by_account_and_no_more_than_asked(self, desk: Desk) -> None:
        for number, account in enumerate(("shop", "other", "shop")):
            await desk.receive(riddle(f"q{number}", f"{number}", account=account, received_at=AT + number))
        assert [letter.reason for letter in await desk.store.dead_letters()] == ["2", "1", "0"]
        assert [letter.reason for letter in await desk.store.dead_letters(account="shop")] == ["2", "0"]
        assert [letter.reason for letter in await desk.store.dead_letters(limit=2)] == ["2", "1"]

    # What was said

    async def test_history_is_what_was_said_both_ways_oldest_first(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        said = await desk.turn(row, "a", "b")
        await desk.hear("2")
        found = await desk.store.history(row.thread_id)
        assert [(each.direction, each.kind, each.key) for each in found] == [
            ("in", "message", "1"),
            ("out", "text", "key-a"),
            ("out", "text", "key-b"),
            ("in", "message", "2"),
        ]
        assert [each.position for each in found] == sorted(each.position for each in found)
        latest = await desk.store.history(row.thread_id, limit=2)
        assert latest == found[-2:]
        assert await desk.store.history(row.thread_id, after=found[1].position) == found[2:]
        assert [each.id for each in found[1:3]] == [message.id for message in said]
        assert await desk.store.history(4711) == []

    async def test_threads_are_listed_the_latest_first(self, desk: Desk) -> None:
        (ann,) = await desk.hear("1", conversation="ann")
        await desk.hear("2", "3", conversation="bob")
        await desk.hear("4", account="other")
        commit = await desk.commit_of(ann, "a", "b", step="size")
        await desk.store.commit_turn(replace(commit, at=AT + 60_000_000))
        found = await desk.store.threads(account="shop")
        assert [(each.ref, each.step, each.version, each.open_events, each.open_messages) for each in found] == [
            (ref_of("ann"), "size", 1, 0, 2),
            (ref_of("bob"), None, 0, 2, 0),
        ]
        assert found[0].contact is not None
        assert (found[0].contact.id, found[0].last_at) == ("ann", AT + 60_000_000)
        assert len(await desk.store.threads()) == 3
        assert len(await desk.store.threads(limit=1)) == 1

    async def test_each_account_tells_what_waits_since_when_and_what_was_given_up(self, desk: Desk) -> None:
        later = AT + 60_000_000
        await desk.receive(arrival("1", received_at=AT), arrival("2", "bob", received_at=later))
        await desk.receive(riddle("?", account="desk", received_at=later))
        (row,) = await desk.hear("3", conversation="carl", account="mute")
        await desk.turn(row, "one", "two")
        (refused_one, _) = await desk.messages(row.thread_id)
        await desk.store.settle_delivery(refused(refused_one))
        assert await desk.store.accounts() == [
            AccountSummary(account="desk", last_received=later, dead=1),
            AccountSummary(account="mute", last_received=AT, open_messages=1, oldest=AT, dead=1),
            AccountSummary(account="shop", last_received=later, open_events=2, oldest=AT),
        ]

    async def test_a_thread_is_found_by_its_account_channel_and_conversation(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        assert await desk.store.find_thread(row.ref) == row.thread_id
        others = (
            ref_of("ANN"),
            ref_of("ann", "other"),
            type(row.ref)("shop", "konnek", "telegram", "ann"),
        )
        assert [await desk.store.find_thread(ref) for ref in others] == [None] * 3

    async def test_what_webhooks_brought_is_read_from_the_newest_back_without_our_own_events(self, desk: Desk) -> None:
        await desk.hear("1", "2")
        sent = Send(id="send:a", contact=Contact(id="ann"), at=NOON)
        await desk.receive(arrival("send:a", event=sent, encoded=encode_event(sent)), riddle("3"))
        raws = await desk.store.raws(10)
        assert [orjson.loads(one.raw)["id"] for one in raws] == ["3", "2", "1"]
        assert [(one.account, one.received_at) for one in raws] == [("shop", AT)] * 3
        assert await desk.store.raws(1, before=raws[0].id) == raws[1:2]

    async def test_an_event_keeps_its_time_to_the_microsecond(self, desk: Desk) -> None:
        at = NOON.replace(microsecond=123457)
        made = arrival("1")
        assert made.event is not None
        event = replace(made.event, at=at)
        await desk.receive(replace(made, event=event, encoded=made.encoded.replace(b"12:00:00", b"12:00:00.123457")))
        (row,) = await desk.events(desk.told.events[0].thread_id)
        assert row.event == event

    async def test_another_content_under_a_known_key_has_its_turn_when_replayed(self, desk: Desk) -> None:
        await desk.receive(arrival("1", text="first"))
        assert await desk.receive(arrival("1", text="second")) == [Receipt.CONFLICT]
        letter = await only_letter(desk)
        assert await desk.store.replay(letter.id, AT, [arrival("1", text="second")])
        assert await desk.store.dead_letters() == []
        assert [row.event.text for row in desk.told.events if isinstance(row.event, Message)] == ["first", "second"]
        assert desk.told.events[0].key != desk.told.events[1].key

    async def test_late_news_of_a_try_that_is_over_does_not_settle_the_replay_behind_another_message(
        self, desk: Desk
    ) -> None:
        first, second = await desk.said("a", "b")
        await desk.store.settle_delivery(sent(first, state=OutboxState.DEAD, outcome=Outcome.UNKNOWN, reason="parked"))
        assert await desk.store.replay(f"out-{first.id}", AT)
        await desk.receive(news(first.key, "delivered"))
        assert desk.told.settled == []
        assert [(row.id, row.attempt) for row in await desk.messages(first.thread_id)] == [
            (second.id, 1),
            (first.id, 0),
        ]

    async def test_half_a_character_in_a_field_that_nobody_reads_does_not_make_an_event_unreadable(
        self, desk: Desk
    ) -> None:
        """Gateways cut texts in the middle of a surrogate pair; what the door can read, the store has to."""
        await desk.receive(arrival("1", raw=b'{"id": "1", "about": "\\ud83d"}'))
        (head,) = await desk.store.inbox_heads(0, 10)
        assert head.key == "1"
        assert head.event.raw["about"] == "\ud83d"
