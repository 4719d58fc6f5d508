"""Meeting: an event names its sender. Whose is it, and in which thread does it go on?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.events import Send, ThreadRef
from bridge.frozen import changed
from bridge.store.people.asking import (
    Asserted,
    Contradict,
    Family,
    Join,
    KeepOptOut,
    KeepThread,
    Known,
    Link,
    NewContact,
    NewThread,
    Owners,
    ThreadsOf,
)
from bridge.store.people.families import NOBODY, lasting_of, person_of, roots_of
from bridge.store.people.identities import CONVERSATION, decode_identities, judge, lose
from bridge.store.people.merging import refresh
from bridge.store.people.telling import tell_merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.people.asking import Process
    from bridge.store.people.identities import Identity
    from bridge.store.records import Arrival, ThreadRow


def meet(
    arrival: Arrival, base: ThreadRow, thread: ThreadRow, *, is_new: bool
) -> Process[tuple[ThreadRow, list[Arrival]]]:
    """The thread in which an event goes on that names its sender: `thread`, or the one its person has already.

    `base` is the thread of the conversation id itself, from which events go on in `thread` so far. Behind it what
    threads hear before the event: people of whom it tells that they are one.
    """
    named, at, account = decode_identities(arrival.identities), arrival.received_at, arrival.account
    leaves: dict[Identity, int] = yield Owners(account, named)
    if not leaves and thread.contact_id is None:
        return (yield from _somebody_new(arrival, thread, named, is_new=is_new)), []
    roots = yield from roots_of({*leaves.values(), *([] if thread.contact_id is None else [thread.contact_id])})
    owners = {identity: roots[leaf] for identity, leaf in leaves.items()}
    current = None if thread.contact_id is None else roots[thread.contact_id]
    home, merged, refused = judge(named, owners, (yield from lasting_of(account, roots)), current)
    if home is None:
        home = yield NewContact(account, at)
    for identity in named:
        if identity in refused:
            yield Contradict(account, identity, home, at)
        elif identity not in leaves:
            yield Link(account, identity, home, at)
    leaf = next((leaves[identity] for identity in named if owners.get(identity) == home), home)
    is_theirs = current is None or current in {home, *merged}
    people = {home, *merged}
    for person in merged:
        yield Join(max(home, person), min(home, person), at)
        home = min(home, person)
    if not is_theirs:
        thread = yield from _other_person(arrival, base, thread, home)
    elif is_new:
        thread = yield from _first_event(base, leaf)
    elif thread.contact_id is None:
        thread = yield from _adopted(thread, leaf)
    yield from refresh(home)
    thread = yield from _named(arrival, thread)
    return thread, (yield from tell_merged(home, sorted(people - {home}), at)) if merged else []


def _somebody_new(
    arrival: Arrival, thread: ThreadRow, named: Sequence[Identity], *, is_new: bool
) -> Process[ThreadRow]:
    """The thread of a person of whom nothing was known: most first events are of such."""
    home: int = yield NewContact(arrival.account, arrival.received_at)
    for identity in named:
        yield Link(arrival.account, identity, home, arrival.received_at)
    if not is_new:
        thread = yield from _adopted(thread, home)
    asserted = [Asserted(arrival.account, kind, value, home) for kind, value in sorted(set(named))]
    person = person_of([Known(home, None, NOBODY)], asserted)
    thread = changed(thread, contact_id=home, person=person, named=arrival.identities)
    yield KeepThread(thread, is_seen=not is_new)
    return thread


def _adopted(thread: ThreadRow, contact_id: int) -> Process[ThreadRow]:
    """A thread from before people were known is a contact's."""
    thread = changed(thread, contact_id=contact_id)
    yield KeepThread(thread)
    if thread.opted_out:
        yield KeepOptOut(contact_id, thread.ref.account, thread.opted_out)
    return thread


def _named(arrival: Arrival, thread: ThreadRow) -> Process[ThreadRow]:
    """Where the event goes on by now, with the identities that its events name."""
    assert thread.contact_id is not None
    family: list[Known] = yield Family(thread.contact_id)
    rows: list[ThreadRow] = yield ThreadsOf([contact.id for contact in family])
    by_id = {row.id: row for row in rows}
    thread = by_id[thread.id]
    if thread.leads_to in by_id:
        thread = by_id[thread.leads_to]
    if not isinstance(arrival.event, Send) or not thread.named:
        thread = changed(thread, named=arrival.identities)
        yield KeepThread(thread, is_seen=False)
    return thread


def _first_event(base: ThreadRow, contact_id: int) -> Process[ThreadRow]:
    """Where the first event goes under a conversation id: to the thread that its person has on the channel, if any."""
    family: list[Known] = yield Family(contact_id)
    known = yield from _thread_on(base.ref, [contact.id for contact in family], besides=base.id)
    base = changed(base, contact_id=contact_id, leads_to=known.id if known else None)
    yield KeepThread(base, is_seen=False)
    return known or base


def _other_person(arrival: Arrival, base: ThreadRow, thread: ThreadRow, home: int) -> Process[ThreadRow]:
    """The conversation's id is another person's now: who had it keeps the thread, and hears nothing under the id."""
    assert arrival.event is not None
    name = base.ref.conversation_id
    family: list[Known] = yield Family(home)
    yield KeepThread(lose(thread, name))
    target = yield from _thread_on(base.ref, [contact.id for contact in family], besides=thread.id)
    if target is None:
        ref = replace(base.ref, conversation_id=f"{name}#{home}")
        target = yield NewThread(ref, arrival.event.contact, arrival.received_at)
        target = changed(target, contact_id=home, address={CONVERSATION: name})
    target = changed(target, lost=tuple(lost for lost in target.lost if lost != name))
    if target.id == base.id:
        target = changed(target, leads_to=None)
    yield KeepThread(target)
    if target.id != base.id:
        seen = lose(thread, name) if base.id == thread.id else base
        yield KeepThread(changed(seen, leads_to=target.id))
    return target


def _thread_on(ref: ThreadRef, contact_ids: Sequence[int], *, besides: int) -> Process[ThreadRow | None]:
    """The thread that people have on the channel of `ref`: the one where they were heard last."""
    threads: list[ThreadRow] = yield ThreadsOf(contact_ids)
    fitting = [
        thread
        for thread in threads
        if not thread.is_alias and thread.id != besides
        if (thread.ref.account, thread.ref.channel) == (ref.account, ref.channel)
    ]
    return max(fitting, key=lambda thread: (thread.last_heard or 0, -thread.id), default=None)
