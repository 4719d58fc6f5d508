"""The Store port's promises about people: whose an event is, and what their threads have in common."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from bridge.errors import NoContact, ThreadMoved
from bridge.events import Echo, Send, encode_event
from bridge.store.people.identities import CONVERSATION, encode_identities
from bridge.testing.contract.store.desk import AT, Desk, arrival, ref_of
from bridge.testing.contract.store.sends import send
from bridge.testing.contract.store.suite import StoreSuite

if TYPE_CHECKING:
    from bridge.store.people.identities import Identity
    from bridge.store.records import Arrival, InboxRow

PHONE = ("phone", "+6281234567890")
USER = ("user_id", "ID.1")


def named(key: str, conversation: str, *identities: Identity, **changes: Any) -> Arrival:
    """A message that names its sender."""
    return arrival(key, conversation, identities=encode_identities(identities), **changes)


async def hear(desk: Desk, key: str, conversation: str, *identities: Identity, **changes: Any) -> InboxRow:
    """The row that such a message became."""
    await desk.receive(named(key, conversation, *identities, **changes))
    return desk.told.events[-1]


def kept(row: bytes | None) -> dict[str, Any]:
    """What a thread has of its contact."""
    values: dict[str, Any] = orjson.loads(row or b"{}")
    return values


async def keep(desk: Desk, row: InboxRow, **fields: Any) -> None:
    """A turn that keeps fields of its contact."""
    commit = await desk.commit_of(row)
    person = orjson.dumps({"fields": fields, "tags": ["new"]})
    await desk.store.commit_turn(replace(commit, person=person))


class PeopleContract(StoreSuite):
    """What a store makes of the identities that events name."""

    async def test_a_known_person_under_a_new_id_goes_on_in_the_same_thread(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        first = await hear(desk, "1", "628", PHONE)
        await hear(desk, "2", "628", PHONE, USER)
        for key in "34":
            row = await hear(desk, key, "ID.1", USER)
            assert (row.thread_id, row.ref, row.address) == (first.thread_id, first.ref, {CONVERSATION: "ID.1"})
            assert await desk.store.find_thread(ref_of("ID.1")) == first.thread_id
            await desk.reopen()
        back = await hear(desk, "5", "628", PHONE)
        assert (back.thread_id, back.address) == (first.thread_id, {})
        assert [row.id for row in await desk.store.threads()] == [first.thread_id]

    async def test_one_webhook_tells_that_two_who_were_apart_are_one(self, desk: Desk) -> None:
        first = await hear(desk, "1", "628", PHONE)
        await desk.turn(first, state=b'{"n":1}')
        second = await hear(desk, "2", "ID.1", USER)
        assert second.thread_id != first.thread_id
        await desk.turn(second)
        both = await hear(desk, "3", "ID.1", USER, PHONE)
        assert (both.thread_id, both.address) == (first.thread_id, {CONVERSATION: "ID.1"})  # the other was bare
        (card,) = await desk.store.contacts()
        assert {(identity.kind, identity.value) for identity in card.identities} == {PHONE, USER}
        assert len(card.merged) == 1

    async def test_a_thread_where_something_waits_goes_on_by_itself(self, desk: Desk) -> None:
        first = await hear(desk, "1", "628", PHONE)
        await desk.turn(first, step="asked")
        second = await hear(desk, "2", "ID.1", USER)
        await desk.turn(second, dialog=b"{}")
        both = await hear(desk, "3", "ID.1", USER, PHONE)
        assert both.thread_id == second.thread_id
        assert len(await desk.store.threads()) == 2

    async def test_the_id_of_a_conversation_that_changes_hands_takes_nothing_along(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        first = await hear(desk, "1", "628", PHONE, USER)
        await desk.turn(first, "hello", dialog=b"{}")
        other = await hear(desk, "2", "628", PHONE, ("user_id", "ID.2"))
        assert other.thread_id != first.thread_id
        assert other.address == {CONVERSATION: "628"}
        before = await desk.store.thread(first.thread_id)
        assert (before.lost, before.dialog) == (("628",), b"{}")
        assert (await desk.store.thread(other.thread_id)).lost == ()
        await desk.reopen()
        again = await hear(desk, "3", "628", PHONE, ("user_id", "ID.2"))
        assert again.thread_id == other.thread_id
        hers = await hear(desk, "4", "ID.1", USER)
        assert (hers.thread_id, hers.address) == (first.thread_id, {CONVERSATION: "ID.1"})
        (card,) = [card for card in await desk.store.contacts() if card.conflicts]
        assert [(found.kind, found.value) for found in card.conflicts] == [PHONE]

    async def test_a_number_that_comes_back_finds_the_thread_it_left(self, desk: Desk) -> None:
        first = await hear(desk, "1", "628", PHONE, USER)
        other = await hear(desk, "2", "628", PHONE, ("user_id", "ID.2"))
        back = await hear(desk, "3", "628", PHONE, USER)
        assert back.thread_id == first.thread_id
        assert (await desk.store.thread(first.thread_id)).lost == ()
        assert (await desk.store.thread(other.thread_id)).lost == ("628",)
        assert (await hear(desk, "4", "628", PHONE, ("user_id", "ID.2"))).thread_id == other.thread_id

    async def test_timers_and_handoffs_of_a_thread_stay_with_it_when_its_id_changes_hands(self, desk: Desk) -> None:
        first = await hear(desk, "1", "628", PHONE, USER)
        await desk.turn(first)
        await hear(desk, "2", "628", PHONE, ("user_id", "ID.2"))
        echo = Echo(id="e", contact=first.event.contact, at=first.event.at, text="hi", human=True)
        await desk.receive(arrival("3", "628", event=echo, encoded=encode_event(echo)))
        assert desk.told.events[-1].thread_id == first.thread_id

    async def test_what_is_kept_of_a_person_is_in_each_of_their_threads(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        row = await hear(desk, "1", "628", PHONE, USER)
        telegram = replace(ref_of("ann"), channel="telegram")
        other = await hear(desk, "2", "ann", USER, ref=telegram)
        assert other.thread_id != row.thread_id
        await keep(desk, row, name="Ann")
        for _ in range(2):
            for thread_id in (row.thread_id, other.thread_id):
                person = kept((await desk.store.thread(thread_id)).person)
                assert (person["fields"], person["tags"]) == ({"name": "Ann"}, ["new"])
            await desk.reopen()
        threads = await desk.store.threads_of_contact((await desk.store.contacts())[0].id)
        assert {thread.id for thread in threads} == {row.thread_id, other.thread_id}

    @pytest.mark.parametrize("together", [False, True])
    async def test_no_turn_overwrites_what_another_thread_of_the_person_kept(
        self, desk: Desk, *, together: bool
    ) -> None:
        row = await hear(desk, "1", "628", USER)
        other = await hear(desk, "2", "ann", USER, ref=replace(ref_of("ann"), channel="telegram"))
        commits = [
            replace(await desk.commit_of(each), person=orjson.dumps({"fields": {"by": each.key}, "tags": []}))
            for each in (row, other)
        ]
        if together:
            results = await asyncio.gather(*map(desk.store.commit_turn, commits), return_exceptions=True)
        else:
            results = []
            for commit in commits:
                results += await asyncio.gather(desk.store.commit_turn(commit), return_exceptions=True)
        assert [type(result) for result in results] == [type(None), ThreadMoved]
        assert kept((await desk.store.thread(other.thread_id)).person)["fields"] == {"by": "1"}

    async def test_opting_out_holds_in_each_thread_of_the_person_at_the_account(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        row = await hear(desk, "1", "628", PHONE, USER)
        other = await hear(desk, "2", "ann", USER, ref=replace(ref_of("ann"), channel="telegram"))
        commit = await desk.commit_of(row, opted_out=row.id)
        await desk.store.commit_turn(replace(commit, opts_out=True))
        later = await hear(desk, "3", "ann", USER, ref=replace(ref_of("ann"), channel="line"))
        for _ in range(2):
            for each in (row, other, later):
                assert (await desk.store.thread(each.thread_id)).opted_out == row.id
            await desk.reopen()
        commit = await desk.commit_of(later, opted_out=0)
        await desk.store.commit_turn(replace(commit, opts_out=False))
        for each in (row, other, later):
            assert (await desk.store.thread(each.thread_id)).opted_out == 0

    async def test_merged_contacts_are_one_person_until_they_are_parted(self, lasting_desk: Desk) -> None:
        desk = lasting_desk
        ann, bob = await hear(desk, "1", "ann", ("username", "a")), await hear(desk, "2", "bob", ("username", "b"))
        await keep(desk, ann, name="Ann", lang="id")
        await keep(desk, bob, name="Bob", size=7)
        stop = await hear(desk, "3", "bob", ("username", "b"))
        commit = await desk.commit_of(stop, opted_out=stop.id)
        await desk.store.commit_turn(replace(commit, opts_out=True))
        first, second = sorted(card.id for card in await desk.store.contacts())
        assert await desk.store.merge_contacts(first, second, AT)
        assert not await desk.store.merge_contacts(second, first, AT)
        for _ in range(2):
            threads = [await desk.store.thread(row.thread_id) for row in (ann, bob)]
            assert [kept(thread.person)["fields"] for thread in threads] == [
                {"name": "Ann", "lang": "id", "size": 7}
            ] * 2
            assert [thread.opted_out for thread in threads] == [stop.id] * 2
            (card,) = await desk.store.contacts()
            assert (card.id, card.merged) == (first, [second])
            await desk.reopen()
        assert await desk.store.unmerge_contact(second, AT)
        assert not await desk.store.unmerge_contact(second, AT)
        threads = [await desk.store.thread(row.thread_id) for row in (ann, bob)]
        assert [kept(thread.person)["fields"] for thread in threads] == [
            {"name": "Ann", "lang": "id"},
            {"name": "Bob", "size": 7},
        ]
        assert [thread.opted_out for thread in threads] == [0, stop.id]

    @pytest.mark.parametrize("pairs", [[(0, 1), (0, 2)], [(1, 2), (0, 1)]])
    async def test_no_merge_changes_a_field_of_the_one_who_goes_on(
        self, desk: Desk, pairs: list[tuple[int, int]]
    ) -> None:
        people: dict[str, dict[str, Any]] = {"a": {}, "b": {"name": "Bob"}, "c": {"name": "Cid", "lang": "id"}}
        for key, fields in people.items():
            await keep(desk, await hear(desk, key, key, ("username", key)), **fields)
        ids = sorted(card.id for card in await desk.store.contacts())
        for goes_on, other in pairs:
            assert await desk.store.merge_contacts(ids[goes_on], ids[other], AT)
            (card,) = [card for card in await desk.store.contacts() if card.id == ids[goes_on]]
            assert kept(card.kept)["fields"]["name"] == "Bob"
        (card,) = await desk.store.contacts()
        assert kept(card.kept)["fields"] == {"name": "Bob", "lang": "id"}
        assert (card.id, card.merged) == (ids[0], ids[1:])

    async def test_a_turn_that_ran_through_a_merge_runs_again(self, desk: Desk) -> None:
        ann, bob = await hear(desk, "1", "ann", ("username", "a")), await hear(desk, "2", "bob", ("username", "b"))
        commit = await desk.commit_of(bob)
        first, second = sorted(card.id for card in await desk.store.contacts())
        await desk.store.merge_contacts(first, second, AT)
        with pytest.raises(ThreadMoved):
            await desk.store.commit_turn(commit)
        await desk.turn(bob)
        assert ann.thread_id != bob.thread_id

    async def test_an_id_that_went_on_elsewhere_is_parted_with_its_contact(self, desk: Desk) -> None:
        ann, bob = await hear(desk, "1", "ann", ("username", "a")), await hear(desk, "2", "bob", ("username", "b"))
        await desk.turn(ann, dialog=b"{}")
        await desk.turn(bob)
        first, second = sorted(card.id for card in await desk.store.contacts())
        await desk.store.merge_contacts(first, second, AT)
        assert (await hear(desk, "3", "bob", ("username", "b"))).thread_id == ann.thread_id
        await desk.turn(desk.told.events[-1], address={CONVERSATION: "bob"})
        await desk.store.unmerge_contact(second, AT)
        thread = await desk.store.thread(ann.thread_id)
        assert (thread.address, thread.lost) == ({}, ("bob",))
        assert (await hear(desk, "4", "bob", ("username", "b"))).thread_id == bob.thread_id

    async def test_a_contact_that_is_not_there_is_named(self, desk: Desk) -> None:
        row = await hear(desk, "1", "ann", PHONE)
        (card,) = await desk.store.contacts()
        for failing in (desk.store.merge_contacts(card.id, 4711, AT), desk.store.unmerge_contact(4711, AT)):
            with pytest.raises(NoContact, match="4711"):
                await failing
        assert await desk.store.contact(4711) is None
        assert [found.id for found in await desk.store.contacts_named("6281234567890")] == [card.id]
        assert (await desk.store.contact(card.id)) == card
        assert [thread.id for thread in card.threads] == [row.thread_id]

    async def test_what_is_sent_to_a_number_goes_where_its_person_writes(self, desk: Desk) -> None:
        row = await hear(desk, "1", "c-1", ("id", "c-1"), PHONE)
        await desk.receive(replace(send("a", "+628"), identities=encode_identities([PHONE])))
        sent = desk.told.events[-1]
        assert isinstance(sent.event, Send)
        assert sent.thread_id == row.thread_id

    async def test_who_answers_a_message_to_their_number_is_its_person(self, desk: Desk) -> None:
        await desk.receive(replace(send("a", "+628"), identities=encode_identities([PHONE])))
        begun = desk.told.events[-1]
        row = await hear(desk, "1", "c-1", ("id", "c-1"), PHONE)
        assert (row.thread_id, row.address) == (begun.thread_id, {CONVERSATION: "c-1"})

    async def test_an_event_that_names_nobody_is_of_no_contact(self, desk: Desk) -> None:
        (row,) = await desk.hear("1")
        thread = await desk.store.thread(row.thread_id)
        assert (thread.contact_id, thread.person) == (None, None)
        assert await desk.store.contacts() == []
        await desk.turn(row, opted_out=row.id)
        later = await hear(desk, "2", "ann", PHONE)
        assert later.thread_id == row.thread_id
        assert (await desk.store.thread(row.thread_id)).opted_out == row.id
