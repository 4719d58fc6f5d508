"""Merging: two contacts are one person, or are not any more; and what each thread of a person has to know of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import NoContact
from bridge.frozen import changed
from bridge.store.consent import latest
from bridge.store.people.asking import (
    Assertions,
    Family,
    IsBare,
    Join,
    KeepContact,
    KeepOptOut,
    KeepThread,
    OptOuts,
    ThreadsOf,
)
from bridge.store.people.families import person_of, root_of, roots_of
from bridge.store.people.identities import lose
from bridge.store.people.telling import tell_merged, tell_unmerged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.people.asking import Asserted, Known, Process
    from bridge.store.records import Arrival, ThreadRow, TurnCommit


def merge(contact_id: int, other_id: int, at: int) -> Process[list[Arrival] | None]:
    """Two contacts are one person, who goes on as the first; what their threads hear of it. None: they are already."""
    roots = yield from roots_of({contact_id, other_id})
    person, other = roots[contact_id], roots[other_id]
    if person == other:
        return None
    yield Join(other, person, at)
    yield from refresh(contact_id)
    return (yield from tell_merged(person, [other], at, by_hand=True))


def unmerge(contact_id: int, at: int) -> Process[list[Arrival] | None]:
    """A contact is a person of their own again; what the threads hear; None: they are."""
    before: list[Known] = yield Family(contact_id)
    if not before:
        raise NoContact(f"there is no contact {contact_id}")
    contact = next(known for known in before if known.id == contact_id)
    if contact.into is None:
        return None
    yield Join(contact_id, None, at)
    roots = yield from roots_of(known.id for known in before)
    threads: list[ThreadRow] = yield ThreadsOf(sorted(roots))
    by_id = {thread.id: thread for thread in threads}
    for thread in threads:
        target = by_id.get(thread.leads_to or 0)
        if target is None or target.contact_id is None or thread.contact_id is None:
            continue
        if thread.ref.conversation_id in thread.lost:  # that the id changed hands is the gateway's word
            continue
        if roots[target.contact_id] != roots[thread.contact_id]:  # it goes on by itself
            by_id[target.id] = lose(target, thread.ref.conversation_id)
            by_id[thread.id] = changed(by_id[thread.id], leads_to=None)
    for thread in threads:
        if by_id[thread.id] != thread:
            yield KeepThread(by_id[thread.id])
    yield from refresh(contact_id)
    yield from refresh(contact.into)
    return (yield from tell_unmerged(contact_id, roots[contact.into], at))


def refresh(contact_id: int) -> Process[None]:
    """Each thread of a person knows all of them: their identities and fields, and whether they opted out."""
    family: list[Known] = yield Family(contact_id)
    ids = [contact.id for contact in family]
    asserted: list[Asserted] = yield Assertions(ids)
    threads: list[ThreadRow] = yield ThreadsOf(ids)
    person = person_of(family, asserted)
    for account in {thread.ref.account for thread in threads}:
        opted_out = latest((yield OptOuts(ids, account)))
        for thread in threads:
            if thread.ref.account == account and (thread.person, thread.opted_out) != (person, opted_out):
                yield KeepThread(changed(thread, person=person, opted_out=opted_out))
    yield from _redirect(ids)


def _redirect(contact_ids: Sequence[int]) -> Process[None]:
    """A person with several threads on a channel goes on in the one where something waits, if the others are bare."""
    threads: list[ThreadRow] = yield ThreadsOf(contact_ids)
    by_place: dict[tuple[str, str], list[ThreadRow]] = {}
    for thread in threads:
        if thread.leads_to is None:
            by_place.setdefault((thread.ref.account, thread.ref.channel), []).append(thread)
    for several in by_place.values():
        if len(several) > 1:
            yield from _redirect_among(several)


def _redirect_among(threads: Sequence[ThreadRow]) -> Process[None]:
    bare: list[ThreadRow] = []
    for thread in filter(_keeps_nothing, threads):
        if (yield IsBare(thread.id)):
            bare.append(thread)  # noqa: PERF401 - a comprehension cannot yield
    others = [thread for thread in threads if thread not in bare]
    goes_on = others or sorted(bare, key=lambda thread: (thread.last_heard or 0, -thread.id))[-1:]
    if len(goes_on) != 1:
        return
    target = goes_on[0]
    for thread in bare:
        if thread.id != target.id:
            yield KeepThread(changed(thread, leads_to=target.id))
            name = thread.ref.conversation_id
            target = changed(target, lost=tuple(lost for lost in target.lost if lost != name))
    if target != goes_on[0]:
        yield KeepThread(target)


def _keeps_nothing(thread: ThreadRow) -> bool:
    """Whether a conversation could go on in another thread, and nobody would miss anything."""
    waits = thread.dialog is not None or bool(thread.choices) or thread.is_held or thread.step is not None
    return not waits and thread.state == b"{}" and thread.members is None and not thread.lost


def keep(turn: TurnCommit) -> Process[None]:
    """What a turn keeps of its contact, for all their threads."""
    thread = turn.thread
    if thread.contact_id is None:
        return
    family: list[Known] = yield Family(thread.contact_id)
    if turn.person is not None:
        yield KeepContact(root_of(family).id, turn.person, turn.at)
    if turn.opts_out is not None:
        for contact in family:
            if not turn.opts_out or contact.id == thread.contact_id:
                yield KeepOptOut(contact.id, thread.ref.account, thread.opted_out)
    yield from refresh(thread.contact_id)
