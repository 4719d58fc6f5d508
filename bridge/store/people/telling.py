"""Telling: each thread of a person hears when contacts are merged or parted, in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.events import Contact, Merged, Unmerged, encode_event
from bridge.store.lifecycle import InboxState
from bridge.store.people.asking import Family, ThreadsOf
from bridge.store.records import Arrival
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.people.asking import Known, Process
    from bridge.store.records import ThreadRow


def tell_merged(person: int, others: Sequence[int], at: int, *, by_hand: bool = False) -> Process[list[Arrival]]:
    """Events that tell the threads of a person of each other person that was merged into them."""
    threads = yield from _threads_of(person)
    return [
        _arrival(thread, Merged(**_about(thread, other, at), person=person, other=other, by_hand=by_hand), at)
        for other in others
        for thread in threads
    ]


def tell_unmerged(person: int, other: int, at: int) -> Process[list[Arrival]]:
    """Events that tell the threads of two people that they were parted."""
    told: list[Arrival] = []
    for one, another in ((person, other), (other, person)):
        for thread in (yield from _threads_of(one)):
            event = Unmerged(**_about(thread, another, at), person=one, other=another)
            told.append(_arrival(thread, event, at))
    return told


def _threads_of(person: int) -> Process[list[ThreadRow]]:
    family: list[Known] = yield Family(person)
    threads: list[ThreadRow] = yield ThreadsOf([contact.id for contact in family])
    return threads


def _about(thread: ThreadRow, other: int, at: int) -> dict[str, Any]:
    """What an event has in common with all; its key is another one each time that a person is merged and parted."""
    key = f"by hand:people:{thread.id}:{thread.version}:{other}:{at}"
    return {"id": key, "contact": Contact(id=thread.ref.conversation_id), "at": moment(at)}


def _arrival(thread: ThreadRow, event: Merged | Unmerged, at: int) -> Arrival:
    """An event of a thread; where nothing happens any more, because it leads to another, it is only recorded."""
    return Arrival(
        account=thread.ref.account,
        key=event.id,
        ref=thread.ref,
        event=event,
        encoded=encode_event(event),
        raw=b"",
        state=InboxState.DONE if thread.is_alias else InboxState.OPEN,
        received_at=at,
    )
