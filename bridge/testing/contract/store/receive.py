"""The Store port's promises about what comes in: once each, whole, in order, counted."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bridge.errors import StoreError
from bridge.store.admission import OWN_KEYS
from bridge.store.lifecycle import InboxState
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import AT, Desk, arrival, news, ref_of, riddle, strange
from bridge.testing.contract.store.suite import StoreSuite

CONFUSABLE = (
    *("a", "A", "a ", " a", "a\u200b", "\uff41", "\u00e5", "a\u030a", "\u0430", "a\t", "a\n"),
    *("1", "01", "1.0", "1e0", "\u0661", "\u00df", "ss", "SS", "\u0130", "i", "I", "\u0131"),
    *("%", "_", "a%", "'", "'; DROP TABLE inbox; --", '"', "\\", "\x01", "\x7f", "null", "true", "[]"),
    *("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\U0001f469\U0001f467", "\ufeffa", "\ufffd", "\uffff"),
    *("x" * 512, "x" * 511, "1579309168845799425", "1579309168845799424", "9" * 40),
)
"""Names that a database may take for each other: by case, by normal form, by being almost numbers."""


class ReceiveContract(StoreSuite):
    """What comes in."""

    # Once

    async def test_an_event_is_stored_once(self, desk: Desk) -> None:
        first, second = await desk.receive(arrival("1")), await desk.receive(arrival("1"))
        assert (first, second) == ([Receipt.STORED], [Receipt.REPEATED])
        assert [row.key for row in desk.told.events] == ["1"]

    async def test_the_same_webhook_many_times_at_once_is_one_event(self, desk: Desk) -> None:
        receipts = await asyncio.gather(*(desk.receive(arrival("1")) for _ in range(50)))
        assert sorted(receipt for (receipt,) in receipts) == [Receipt.REPEATED] * 49 + [Receipt.STORED]
        assert len(await desk.events(desk.told.events[0].thread_id)) == 1

    async def test_an_event_is_known_again_after_reopening(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        await desk.turn(row)
        await desk.reopen()
        assert await desk.receive(arrival("1"), arrival("2")) == [Receipt.REPEATED, Receipt.STORED]

    async def test_the_same_id_from_two_accounts_is_two_events(self, desk: Desk) -> None:
        assert await desk.receive(arrival("1"), arrival("1", account="other")) == [Receipt.STORED] * 2
        assert [row.ref for row in desk.told.events] == [ref_of("ann"), ref_of("ann", "other")]
        assert len({row.thread_id for row in desk.told.events}) == 2

    async def test_another_content_under_a_known_key_is_quarantined_once(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        other = arrival("1", text="something else")
        assert [await desk.receive(each) for each in (other, other, arrival("1"))] == [
            [Receipt.CONFLICT],
            [Receipt.CONFLICT],
            [Receipt.REPEATED],
        ]
        assert await desk.events(row.thread_id) == [row]
        (listed,) = await desk.store.dead_letters()
        letter = await desk.store.dead_letter(listed.id)
        assert letter is not None
        assert (letter.state, letter.content) == ("quarantined", other.raw)
        assert "the event key 1 is known with another content" in letter.reason

    async def test_where_it_is_kept_is_no_key_that_a_gateway_may_have(self, desk: Desk) -> None:
        """Whatever else the gateway sends, it takes no room there; see OWN_KEYS."""
        await desk.hear("1")
        await desk.receive(arrival("1", text="something else"))
        (kept,) = [each.key for each in await desk.store.history(1) if each.state == "quarantined"]
        assert kept.startswith(OWN_KEYS)
        await desk.receive(strange("2", "of an unknown kind"))
        (letter,) = [each for each in await desk.store.dead_letters() if each.reason == "of an unknown kind"]
        await desk.store.replay(letter.id, AT, [arrival("2")])
        (replaced,) = [each.key for each in await desk.store.history(1) if f"in-{each.id}" == letter.id]
        assert replaced.startswith(OWN_KEYS)

    async def test_two_contents_under_one_key_in_one_webhook_are_both_kept(self, desk: Desk) -> None:
        whole = b'{"both": true}'
        pair = (replace(arrival("1"), raw=whole), replace(arrival("1", text="something else"), raw=whole))
        assert await desk.receive(*pair) == [Receipt.STORED, Receipt.CONFLICT]
        await desk.receive(*pair)
        assert [letter.state for letter in await desk.store.dead_letters()] == ["quarantined"]

    async def test_the_same_webhook_read_differently_by_a_later_version_is_a_repetition(self, desk: Desk) -> None:
        await desk.receive(arrival("1"))
        assert await desk.receive(replace(arrival("1"), encoded=b'{"read": "anew"}')) == [Receipt.REPEATED]

    async def test_the_same_webhook_at_once_is_one_event_even_if_only_its_arrival_tells_the_time(
        self, desk: Desk
    ) -> None:
        timed = [replace(arrival("1"), encoded=b'{"at": %d}' % number, received_at=AT + number) for number in range(50)]
        receipts = await asyncio.gather(*(desk.receive(each) for each in timed))
        assert sorted(receipt for (receipt,) in receipts) == [Receipt.REPEATED] * 49 + [Receipt.STORED]
        assert await desk.store.dead_letters() == []

    async def test_names_that_look_alike_stay_apart(self, desk: Desk) -> None:
        receipts = await desk.receive(*(arrival(name, name) for name in CONFUSABLE))
        assert receipts == [Receipt.STORED] * len(CONFUSABLE)
        found = [await desk.store.find_thread(ref_of(name)) for name in CONFUSABLE]
        assert found == [row.thread_id for row in desk.told.events]
        assert len(set(found)) == len(CONFUSABLE)
        heads = await desk.store.inbox_heads(0, 1000)
        assert [(head.key, head.ref.conversation_id) for head in heads] == [(name, name) for name in CONFUSABLE]

    # Whole

    async def test_one_event_that_cannot_be_stored_keeps_the_others_of_its_webhook_out_and_no_other_webhook(
        self,
        desk: Desk,
    ) -> None:
        endless = replace(arrival("2", "bob"), received_at=1 << 70)
        bad, good = await asyncio.gather(
            desk.receive(arrival("1"), endless), desk.receive(arrival("3", "cid")), return_exceptions=True
        )
        assert isinstance(bad, StoreError | OverflowError)
        assert good == [Receipt.STORED]
        assert [row.key for row in desk.told.events] == ["3"]
        assert await desk.store.find_thread(ref_of("ann")) is None
        assert await desk.receive(arrival("1")) == [Receipt.STORED]

    async def test_ten_thousand_events_in_one_webhook_are_stored_in_order(self, desk: Desk) -> None:
        keys = [f"{number}" for number in range(10_000)]
        rows = await desk.hear(*keys)
        assert [row.key for row in rows] == keys
        stored, last = [], 0
        while page := await desk.store.inbox_after(rows[0].thread_id, last, 3_000):
            stored += page
            last = page[-1].seq
        assert stored == rows
        assert [row.attempt for row in rows] == [1] + [0] * 9_999

    async def test_a_row_out_of_the_store_is_the_row_that_was_told(self, desk: Desk) -> None:
        await desk.receive(arrival("1", address={"token": "t\u00fcr"}))
        (told,) = desk.told.events
        (stored,) = await desk.events(told.thread_id)
        assert stored == told
        assert stored.event.raw == told.event.raw == {"id": "1", "text": "1"}
        assert stored.address == {"token": "t\u00fcr"}

    async def test_what_is_only_recorded_wants_no_turn(self, desk: Desk) -> None:
        assert await desk.receive(arrival("1", state=InboxState.DONE)) == [Receipt.STORED]
        assert desk.told.events == []
        thread = await desk.store.find_thread(ref_of("ann"))
        assert thread is not None
        assert await desk.states(thread) == ["in done"]

    async def test_quarantine_keeps_the_webhook_and_its_channel(self, desk: Desk) -> None:
        await desk.receive(riddle("q", "not a kind we know", channel="telegram"))
        (listed,) = await desk.store.dead_letters()
        letter = await desk.store.dead_letter(listed.id)
        assert letter is not None
        assert (letter.reason, letter.channel, letter.content) == (
            "not a kind we know",
            "telegram",
            riddle("q", "not a kind we know").raw,
        )
        assert desk.told.events == []
        assert (await desk.store.counts())["quarantined"] == 1

    # In order

    async def test_events_stand_in_the_order_of_their_commits_and_are_told_in_it(self, desk: Desk) -> None:
        webhooks = [[arrival(f"{n}-{part}", f"c{n % 3}") for part in range(n % 4 + 1)] for n in range(40)]
        await asyncio.gather(*(desk.receive(*webhook) for webhook in webhooks))
        told = desk.told.events
        assert [row.seq for row in told] == sorted({row.seq for row in told})
        for conversation in ("c0", "c1", "c2"):
            in_memory = [row for row in told if row.ref.conversation_id == conversation]
            sent = [each.key for webhook in webhooks for each in webhook if each.ref == ref_of(conversation)]
            assert [row.key for row in in_memory] == sent
            assert await desk.events(in_memory[0].thread_id) == in_memory

    async def test_the_listener_is_told_before_any_caller_is_answered(self, desk: Desk) -> None:
        answered: list[bool] = []
        tasks = [asyncio.create_task(desk.receive(arrival(f"{number}"))) for number in range(8)]
        desk.told.on_call = lambda: answered.append(any(task.done() for task in tasks))
        await asyncio.wait(tasks[:1])
        assert answered
        assert not answered[0]
        await asyncio.gather(*tasks)
        assert len(desk.told.events) == 8

    async def test_numbers_go_on_after_reopening(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        (row,) = await desk.hear("1")
        (message,) = await desk.turn(row, "hello")
        await desk.reopen()
        (later,) = await desk.hear("2")
        assert later.seq > message.seq > row.seq
        assert later.thread_id == row.thread_id

    # Counted

    async def test_only_what_can_run_at_once_has_its_first_attempt_counted(self, desk: Desk) -> None:
        await desk.receive(arrival("1"), arrival("2"), arrival("3", "bob"))
        await desk.receive(arrival("4"), arrival("5", "cid"))
        assert {row.key: row.attempt for row in desk.told.events} == {"1": 1, "2": 0, "3": 1, "4": 0, "5": 1}
        assert {row.key: row.attempt for row in await desk.events(desk.told.events[0].thread_id)} == {
            "1": 1,
            "2": 0,
            "4": 0,
        }

    async def test_heads_are_paged_by_a_cursor(self, desk: Desk) -> None:
        for number in range(25):
            await desk.hear(f"{number}", f"{number}-next", conversation=f"c{number}")
        found, last = [], 0
        while page := await desk.store.inbox_heads(last, 7):
            assert len(page) <= 7
            found += page
            last = page[-1].seq
        assert [row.key for row in found] == [f"{number}" for number in range(25)]

    async def test_heads_of_one_account_are_those_of_no_other(self, desk: Desk) -> None:
        await desk.receive(arrival("1"), arrival("2", account="desk"), arrival("3", "bob"), arrival("4", "bob"))
        assert [row.key for row in await desk.store.inbox_heads(0, 10, "shop")] == ["1", "3"]
        assert [row.key for row in await desk.store.inbox_heads(0, 10, "desk")] == ["2"]
        assert await desk.store.inbox_heads(0, 10, "nobody") == []

    async def test_what_waits_is_counted(self, desk: Desk) -> None:
        (row, _, _) = await desk.hear("1", "2", "3")
        await desk.turn(row, "a", "b")
        await desk.receive(riddle("q"), news("nobody's", "read"))
        counts = await desk.store.counts()
        assert {name: counts[name] for name in ("open_events", "open_messages", "dead_events", "quarantined")} == {
            "open_events": 2,
            "open_messages": 2,
            "dead_events": 0,
            "quarantined": 1,
        }

    # Cancelled callers

    @pytest.mark.parametrize("steps", [0, 1, 2, 3, 4, 5, 8, 20])
    async def test_a_cancelled_webhook_is_stored_whole_or_not_at_all_and_strands_nobody(
        self, desk: Desk, steps: int
    ) -> None:
        pair = (arrival("1", "new"), arrival("2", "newer"))
        task = asyncio.create_task(desk.receive(*pair))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        neighbour = await desk.receive(arrival("3", "bob"))
        assert neighbour == [Receipt.STORED]
        receipts = await desk.receive(*pair)
        assert receipts in ([Receipt.STORED] * 2, [Receipt.REPEATED] * 2)
        assert sorted(row.key for row in desk.told.events) == ["1", "2", "3"]
