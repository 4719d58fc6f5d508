"""The Store port's promises about merging: each thread of the people concerned hears of it, in its order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.events import Merged, Message, Unmerged, decode_event
from bridge.testing.contract.store.desk import AT, Desk, ref_of
from bridge.testing.contract.store.people import PHONE, USER, hear
from bridge.testing.contract.store.suite import StoreSuite

if TYPE_CHECKING:
    from bridge.store.records import InboxRow

ANN, BOB = ("username", "ann"), ("username", "bob")


async def ends_of(desk: Desk) -> tuple[int, int]:
    """The numbers of the two people that there are."""
    first, second = sorted(card.id for card in await desk.store.contacts())
    return first, second


async def heard_in(desk: Desk, thread_id: int) -> list[Merged | Unmerged]:
    """What a thread's history has of merging and parting."""
    history = await desk.store.history(thread_id)
    events = [decode_event(entry.kind, entry.content) for entry in history if entry.direction == "in"]
    return [event for event in events if isinstance(event, Merged | Unmerged)]


class MergingContract(StoreSuite):
    """What threads hear of contacts who are merged and parted."""

    async def test_each_thread_of_two_who_are_merged_hears_of_it_in_its_order(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        ann, bob = await hear(desk, "1", "ann", ANN), await hear(desk, "2", "bob", BOB)
        first, second = await ends_of(desk)
        assert await desk.store.merge_contacts(first, second, AT)
        told = desk.told.events[-2:]
        assert {row.thread_id for row in told} == {ann.thread_id, bob.thread_id}
        assert all(row.seq > max(ann.seq, bob.seq) and row.attempt == 0 for row in told)
        for _ in range(2):
            for row in (ann, bob):
                (event,) = await heard_in(desk, row.thread_id)
                assert isinstance(event, Merged)
                assert (event.person, event.other, event.by_hand) == (first, second, True)
            waiting = await desk.store.inbox_after(bob.thread_id, 0, 10)
            assert [type(row.event) for row in waiting] == [Message, Merged]
            await desk.reopen()

    async def test_each_thread_of_two_who_are_parted_hears_whose_it_is(self, desk: Desk) -> None:
        ann, bob = await hear(desk, "1", "ann", ANN), await hear(desk, "2", "bob", BOB)
        first, second = await ends_of(desk)
        for _ in range(2):  # the second time at the same moment, and all the same it is another event
            await desk.store.merge_contacts(first, second, AT)
            await desk.store.unmerge_contact(second, AT)
        for row, person, other in ((ann, first, second), (bob, second, first)):
            events = await heard_in(desk, row.thread_id)
            assert [type(event) for event in events] == [Merged, Unmerged] * 2
            assert [(event.person, event.other) for event in events[1::2]] == [(person, other)] * 2

    async def test_nothing_is_told_of_what_was_so_already(self, desk: Desk) -> None:
        await hear(desk, "1", "ann", ANN)
        await hear(desk, "2", "bob", BOB)
        first, second = await ends_of(desk)
        assert not await desk.store.unmerge_contact(second, AT)
        await desk.store.merge_contacts(first, second, AT)
        told = len(desk.told.events)
        assert not await desk.store.merge_contacts(second, first, AT)
        assert len(desk.told.events) == told

    async def test_a_webhook_that_merges_two_tells_their_threads_before_it_is_heard(self, desk: Desk) -> None:
        first = await hear(desk, "1", "628", PHONE)
        second = await hear(desk, "2", "ann", USER, ref=replace(ref_of("ann"), channel="telegram"))
        before = len(desk.told.events)
        both = await hear(desk, "3", "628", PHONE, USER)
        told: list[InboxRow] = desk.told.events[before:]
        assert [type(row.event) for row in told] == [Merged, Merged, Message]
        assert [row.thread_id for row in told] == [first.thread_id, second.thread_id, both.thread_id]
        assert [row.seq for row in told] == sorted(row.seq for row in told)
        (card,) = await desk.store.contacts()
        for row in told[:2]:
            assert isinstance(row.event, Merged)
            assert (row.event.person, row.event.other, row.event.by_hand) == (card.id, card.merged[0], False)

    async def test_while_a_person_has_a_thread_it_waits_for_the_return(self, desk: Desk) -> None:
        ann = await hear(desk, "1", "ann", ANN)
        await hear(desk, "2", "bob", BOB)
        await desk.turn(ann, note="hers")
        await desk.store.merge_contacts(*await ends_of(desk), AT)
        (told,) = await desk.events(ann.thread_id)
        await desk.store.commit_turn(replace(await desk.commit_of(told), holds=True))
        assert await desk.store.held(ann.thread_id, 10) == []  # it is nothing that the person answers
        back = await hear(desk, "3", "ann", ANN)
        await desk.store.commit_turn(replace(await desk.commit_of(back, note=None), returns=True))
        assert [row.id for row in await desk.events(ann.thread_id)] == [told.id]

    async def test_a_thread_that_leads_to_another_only_notes_it(self, desk: Desk) -> None:
        first = await hear(desk, "1", "628", PHONE)
        await desk.turn(first, state=b'{"n":1}')
        second = await hear(desk, "2", "ID.1", USER)
        await desk.turn(second)
        before = len(desk.told.events)
        both = await hear(desk, "3", "ID.1", USER, PHONE)
        assert both.thread_id == first.thread_id
        assert [row.thread_id for row in desk.told.events[before:]] == [first.thread_id, first.thread_id]
        assert await desk.store.inbox_after(second.thread_id, 0, 10) == []
        assert len(await heard_in(desk, second.thread_id)) == 1
