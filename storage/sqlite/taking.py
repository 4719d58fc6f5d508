"""Threads that a person takes: noted as soon as it is known, so that the bot is too late whatever it is doing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bridge.events import Echo, Handoff, Returned, encode_event
from bridge.store.lifecycle import InboxState
from storage.sqlite.echoes import sent_by_us

if TYPE_CHECKING:
    import sqlite3

    from bridge.events import Event
    from bridge.store.records import Arrival, ThreadRow, TurnCommit
    from storage.sqlite.memory import Memory

_AT_THE_GATEWAY: Final = "taken over at the gateway"
_SPOKEN: Final = "UPDATE threads SET spoken = ?, silenced = ? WHERE id = ?"
_TAKEN: Final = "UPDATE threads SET taken = ? WHERE id = ?"


def news_of(arrival: Arrival, thread: ThreadRow) -> Arrival | None:
    """The event that says who has a thread, where the gateway tells with what arrives, and that is news.

    That a person has it is news also when we have given it back to the bot ourselves. That the bot has it is news only
    after the gateway said otherwise: what our side has handed off, the gateway cannot know.
    """
    if arrival.with_person is None or arrival.event is None or arrival.state is not InboxState.OPEN:
        return None
    if thread.hold.at_gateway == arrival.with_person and (thread.is_held or not arrival.with_person):
        return None
    key, contact, at = f"by hand:gateway:{arrival.key}", arrival.event.contact, arrival.event.at
    event: Event = Returned(id=key, contact=contact, at=at)
    if arrival.with_person:
        event = Handoff(id=key, contact=contact, at=at, note=_AT_THE_GATEWAY)
    return replace(arrival, key=key, event=event, encoded=encode_event(event), raw=b"", address={}, with_person=None)


def note_news(db: sqlite3.Connection, memory: Memory, thread: ThreadRow, *, taken: bool) -> None:
    """The gateway has said who has a thread."""
    db.execute(_TAKEN, (taken, thread.id))
    memory.stage([replace(thread, hold=replace(thread.hold, at_gateway=taken))])


def note_taking(db: sqlite3.Connection, memory: Memory, arrival: Arrival, thread: ThreadRow, number: int) -> None:
    """A person takes a thread with an event of this number: from now on the bot is too late, whatever it is doing.

    In a thread that is with a person already, what waits in the outbox is what the bot said when it gave it away.
    """
    event, at = arrival.event, arrival.received_at
    if isinstance(event, Echo) and sent_by_us(db, arrival.account, thread.id, event, at=at, waited=0) is not False:
        return  # not theirs for certain: its turn will know
    silenced = thread.hold.silenced_seq if thread.is_held else number
    db.execute(_SPOKEN, (number, silenced, thread.id))
    memory.stage([replace(thread, hold=replace(thread.hold, taken_seq=number, silenced_seq=silenced))])


def silence(memory: Memory, turn: TurnCommit) -> TurnCommit:
    """A turn by which a person takes a thread: what stands in the outbox now is not to leave any more."""
    if not turn.silences:
        return turn
    return replace(turn, thread=replace(turn.thread, hold=replace(turn.thread.hold, silenced_seq=memory.number())))
