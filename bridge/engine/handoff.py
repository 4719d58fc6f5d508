"""Hands threads to a person and back; the event of a return tells the bot what it missed."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from bridge.conversation.effects import QUIET
from bridge.conversation.journal import decode_journal
from bridge.errors import NoThread
from bridge.events import Contact, Handoff, Returned, Timer, encode_event, takes_over
from bridge.store.following import is_follower
from bridge.store.lifecycle import InboxState
from bridge.store.records import Arrival
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.clock import Clock
    from bridge.events import Event
    from bridge.store.port import Store
    from bridge.store.records import InboxRow, ThreadRow

MISSED: Final = 100
"""Events that a return lists as missed."""


class Handoffs:
    """The threads of a store that is ours; bridge.web.control acts on them.

    Both are events of the thread, so that they take effect in its order.
    """

    def __init__(self, store: Store, clock: Clock, name: Callable[[], str] = lambda: uuid.uuid4().hex) -> None:
        """`name` makes the keys of events."""
        self._store = store
        self._clock = clock
        self._name = name

    async def hand_off(self, thread_id: int, note: str) -> bool:
        """Give a thread to a person; False when the thread does not exist."""
        return await self._tell(thread_id, lambda about: Handoff(**about, note=note))

    async def give_back(self, thread_id: int) -> bool:
        """Return a thread to the bot; False when the thread does not exist."""
        return await self._tell(thread_id, lambda about: Returned(**about))

    async def end_dialog(self, thread_id: int) -> bool:
        """End the dialog that waits in a thread; False when none waits there. No event of the thread waits for that."""
        try:
            thread = await self._store.thread(thread_id)
        except NoThread:
            return False
        if thread.dialog is None:
            return False
        return await self._store.end_dialog(thread_id, _timer_of(thread.dialog), self._clock.now())

    async def _tell(self, thread_id: int, make: Callable[..., Event]) -> bool:
        try:
            thread = await self._store.thread(thread_id)
        except NoThread:
            return False
        if is_follower(thread.ref.account):  # nobody speaks there, and what it holds is for no person
            return False
        now = self._clock.now()
        key = f"by hand:{self._name()}"
        event = make({"id": key, "contact": Contact(id=thread.ref.conversation_id), "at": moment(now)})
        await self._store.receive([_arrival(thread, event, now)])
        return True


def _timer_of(dialog: bytes) -> str:
    """The timer of a dialog's question; "" where a later version wrote the dialog."""
    try:
        return decode_journal(dialog).waiting
    except (ValueError, TypeError, KeyError):
        return ""


def returns(event: Event) -> bool:
    """Whether an event gives a thread back to the bot, if a person has it."""
    return isinstance(event, Returned) or (isinstance(event, Timer) and event.name == QUIET)


def is_with_person(event: Event, thread: ThreadRow) -> bool:
    """Whether a person has the thread before and after the turn of an event."""
    return thread.is_held and not returns(event)


def is_with_bot(row: InboxRow, thread: ThreadRow) -> bool:
    """Whether the bot has a thread, had it when this event came, and the event changes nothing about that."""
    hold = thread.hold
    return hold.note is None and row.seq >= hold.taken_seq and not returns(row.event)


def is_too_late(row: InboxRow, thread: ThreadRow) -> bool:
    """Whether a person took the thread after this event, and before it had its turn: it is theirs too."""
    return thread.hold.takes(row.seq) and not takes_over(row.event)


def returned(event: Event, held: Sequence[InboxRow]) -> Returned:
    """The event of a return as the bot gets it, with the events that it missed."""
    return Returned(
        id=event.id,
        contact=event.contact,
        at=event.at,
        quiet=isinstance(event, Timer),
        missed=tuple(row.event for row in held),
    )


def _arrival(thread: ThreadRow, event: Event, now: int) -> Arrival:
    return Arrival(
        account=thread.ref.account,
        key=event.id,
        ref=thread.ref,
        event=event,
        encoded=encode_event(event),
        raw=b"",
        state=InboxState.OPEN,
        received_at=now,
    )
