"""The Store port's promises to whoever looks in page by page, and the audit of what people and programs asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bridge.store.looks import AuditEntry
from bridge.store.records import TimerRow
from bridge.testing.contract.store.desk import AT, Desk, given_up, refused, saying, sent
from bridge.testing.contract.store.sends import send
from bridge.testing.contract.store.suite import StoreSuite
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bridge.store.looks import DeadLetter, HistoryEntry, ThreadSummary


async def pages(read: Callable[[tuple[int, int] | None], Awaitable[Sequence[ThreadSummary]]]) -> list[int]:
    """All threads, a page at a time."""
    found: list[int] = []
    before = None
    while page := await read(before):
        found += [thread.id for thread in page]
        before = page[-1].last_at, page[-1].id
    return found


class LookingContract(StoreSuite):
    """Lists with places to go on from, and single things by their keys."""

    @pytest.mark.parametrize("held", [False, True])
    async def test_threads_come_page_by_page_each_once(self, desk: Desk, *, held: bool) -> None:
        for number in range(7):
            (row,) = await desk.hear(f"{number}", conversation=f"c{number}", account="shop" if number % 2 else "bar")
            if held:
                await desk.turn(row, note="mine")
        every = [thread.id for thread in await desk.store.threads(held=held)]
        assert len(every) == 7
        assert await pages(lambda before: desk.store.threads(limit=2, held=held, before=before)) == every
        assert [(await desk.store.summary(thread_id)) for thread_id in every] == await desk.store.threads(held=held)
        assert await desk.store.summary(4711) is None
        ours = [thread.id for thread in await desk.store.threads(account="shop", held=held)]
        assert len(ours) == 3
        assert await pages(lambda before: desk.store.threads(account="shop", limit=2, held=held, before=before)) == ours

    async def test_what_was_said_comes_page_by_page_back_to_the_beginning(self, desk: Desk) -> None:
        for number in range(5):
            (row,) = await desk.hear(f"{number}")
            await desk.turn(row, f"answer {number}")
        every = await desk.store.history(row.thread_id, limit=1000)
        assert len(every) == 10
        found: list[HistoryEntry] = []
        before = None
        while page := await desk.store.history(row.thread_id, before=before, limit=3):
            found = page + found
            before = page[0].position
        assert found == every
        between = await desk.store.history(row.thread_id, after=every[2].position, before=every[6].position)
        assert between == every[3:6]

    async def test_dead_letters_come_page_by_page_and_without_their_content(self, desk: Desk) -> None:
        for number in range(3):
            (row,) = await desk.hear(f"{number}", conversation=f"c{number}")
            (message,) = await desk.turn(row, f"answer {number}")
            await desk.store.settle_delivery(refused(message, f"refused {number}"))
            (row,) = await desk.hear(f"again {number}", conversation=f"c{number}")
            await desk.store.settle_turn(given_up(row, f"given up {number}"))
        every = await desk.store.dead_letters()
        assert len(every) == 6
        assert {letter.content for letter in every} == {b""}
        found: list[DeadLetter] = []
        before = None
        while page := await desk.store.dead_letters(limit=2, before=before):
            found += page
            before = page[-1].at, int(page[-1].id.partition("-")[2])
        assert [letter.id for letter in found] == [letter.id for letter in every]

    async def test_dead_letters_are_chosen_by_account_reason_and_age_the_oldest_first(self, desk: Desk) -> None:
        ids = []
        for number, account in enumerate(["shop", "bar", "shop", "shop"]):
            (row,) = await desk.hear(f"{number}", account=account)
            (message,) = await desk.turn(row, f"answer {number}")
            await desk.store.settle_delivery(refused(message, f"HTTP 50{number} 100%"))
            ids.append(f"out-{message.id}")

        async def chosen(account: str | None = None, reason: str = "", until: int = AT, limit: int = 9) -> list[str]:
            found = await desk.store.oldest_letters(account=account, reason=reason, until=until, limit=limit)
            assert {at for at, _ in found} <= {AT}
            return [letter_id for _, letter_id in found]

        assert await chosen() == ids
        assert await chosen("shop") == [ids[0], ids[2], ids[3]]
        assert await chosen(reason="HTTP 502") == [ids[2]]
        assert await chosen(reason="HTTP _02") == []
        assert await chosen(reason="%") == ids
        assert await chosen(reason="' OR 1=1 --") == []
        assert await chosen(until=AT - 1) == []
        assert await chosen(limit=2) == ids[:2]
        place = (AT, int(ids[1].partition("-")[2]))
        rest = await desk.store.oldest_letters(account=None, reason="", until=AT, limit=9, after=place)
        assert [letter_id for _, letter_id in rest] == ids[2:]

    async def test_an_event_and_its_messages_are_found_by_their_keys(self, desk: Desk) -> None:
        await desk.receive(send("a", "bob"))
        row = desk.told.events[-1]
        open_event = await desk.store.event("shop", "send:a")
        assert open_event is not None
        assert (open_event.id, open_event.thread_id, open_event.state) == (row.id, row.thread_id, "open")
        assert (open_event.kind, open_event.at, open_event.due_at) == ("send", AT, None)
        assert await desk.store.event("bar", "send:a") is None
        assert await desk.store.event("shop", "send:%") is None
        first, second = await desk.turn(row, "a", "b")
        await desk.store.settle_delivery(sent(first, "m-1"))
        await desk.store.settle_delivery(refused(second, "no such number"))
        done = await desk.store.event("shop", "send:a")
        assert done is not None
        assert done.state == "done"
        keys = [first.key, second.key, "else"]
        found = sorted(await desk.store.messages([keys, ["nobody's"], []]), key=lambda each: keys.index(each.key))
        assert [(each.state, each.outcome, each.message_id, each.reason) for each in found] == [
            ("sent", "sent", "m-1", ""),
            ("dead", "rejected", None, "no such number"),
        ]
        assert {(each.account, each.thread_id, each.attempt) for each in found} == {("shop", row.thread_id, 1)}

    async def test_a_message_for_later_is_found_by_the_event_that_asked_for_it(self, desk: Desk) -> None:
        await desk.receive(send("a", "bob"))
        due_at = AT + SECOND
        later = TimerRow(due_at=due_at, name="at", message=saying("later").encoded)
        turn = await desk.commit_of(desk.told.events[-1])
        await desk.store.commit_turn(replace(turn, timers=[later, TimerRow(due_at=1, name="other")]))
        event = await desk.store.event("shop", "send:a")
        assert event is not None
        (timer_id,) = event.timers
        assert event.due_at == due_at
        await desk.store.fire_timers(due_at, 10)
        fired = await desk.store.event("shop", "send:a")
        assert fired is not None
        assert (fired.timers, fired.due_at) == ((timer_id,), None)
        assert await desk.store.event("shop", f"timer:{timer_id}") is not None

    async def test_who_asked_for_a_change_is_noted_for_good(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        for number, account in enumerate(["shop", "bar", "shop"]):
            entry = AuditEntry(at=AT + number, who="ci", what="replay", account=account, target=f"in-{number}")
            await desk.store.audit(entry)
        for _ in range(2):
            noted = await desk.store.audited()
            assert [(each.at, each.who, each.what, each.account, each.target) for each in noted] == [
                (AT + 2, "ci", "replay", "shop", "in-2"),
                (AT + 1, "ci", "replay", "bar", "in-1"),
                (AT, "ci", "replay", "shop", "in-0"),
            ]
            assert await desk.store.audited(limit=1) == noted[:1]
            assert await desk.store.audited(before=(noted[1].at, noted[1].id)) == noted[2:]
            assert await desk.store.audited(account="shop", before=(noted[0].at, noted[0].id)) == noted[2:]
            await desk.reopen()
