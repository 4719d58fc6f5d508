"""People who take a thread and give it back: what a gateway's news of it means, what is silenced, what waits again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.events import (
    Echo,
    Handoff,
    Job,
    Merged,
    Message,
    Postback,
    Returned,
    Send,
    Signal,
    Status,
    Timer,
    Unmerged,
    encode_event,
    takes_over,
)
from bridge.frozen import changed
from bridge.store.lifecycle import HOLDS, OPEN, HoldMove, HoldState, InboxMove, InboxState

if TYPE_CHECKING:
    from bridge.events import Event
    from bridge.store.records import Arrival, Hold, ThreadRow

MISSED: Final = "a person had the thread"
"""Why an event that was kept needs no turn."""
UNSAID: Final = (Timer.tag, Status.tag, Send.tag, Signal.tag, Job.tag)
"""Kinds of events that are no part of a thread's history."""
UNMISSED: Final = (*UNSAID, Merged.tag, Unmerged.tag)
"""Kinds of events that come from no person: kept, they wait for their turns until the thread is returned."""
SPOKEN: Final = (Message.tag, Postback.tag)
"""Kinds of events in which the contact speaks."""

_AT_GATEWAY: Final = frozenset({HoldState.CLAIMED, HoldState.AT_GATEWAY})
_NOTE: Final = "taken over at the gateway"


def gateway_news(arrival: Arrival, thread: ThreadRow) -> Arrival | None:
    """The event to store before an arrival, because the gateway tells with it that the thread changed hands.

    That a person has it is news also after it was returned here. That the bot has it is news only after the gateway
    said otherwise: it cannot know of a handoff on this side.
    """
    if arrival.with_person is None or arrival.event is None or arrival.state is not OPEN:
        return None
    if not HOLDS.can(thread.hold.state, _told(with_person=arrival.with_person)):
        return None
    key, contact, at = f"by hand:gateway:{arrival.key}", arrival.event.contact, arrival.event.at
    event: Event = Returned(id=key, contact=contact, at=at)
    if arrival.with_person:
        event = Handoff(id=key, contact=contact, at=at, note=_NOTE)
    return changed(arrival, key=key, event=event, encoded=encode_event(event), raw=b"", address={}, with_person=None)


def after_news(hold: Hold, *, with_person: bool) -> Hold:
    """The hold once the gateway told who has the thread."""
    state = HOLDS.move(hold.state, _told(with_person=with_person))
    return changed(hold, at_gateway=state in _AT_GATEWAY)


def may_take(event: Event | None, state: InboxState) -> bool:
    """Whether a person may take a thread with an event that is stored in this state; see `is_taken`."""
    return state is OPEN and takes_over(event)


def is_taken(event: Event, *, ours: bool | None) -> bool:
    """Whether it is certain at once that a person takes the thread; `ours` is what is known of an echo."""
    return not isinstance(event, Echo) or ours is False


def after_taking(hold: Hold, event_seq: int) -> Hold:
    """The hold as soon as an event by which a person takes the thread is stored: the bot is too late from now on.

    In a thread that is with a person already, the bot said what waits in the outbox when it gave the thread away.
    """
    silenced = hold.silenced_seq if hold.note is not None else event_seq
    return changed(hold, taken_seq=event_seq, silenced_seq=silenced)


def after_silence(thread: ThreadRow, seq: int) -> ThreadRow:
    """The thread once a turn silenced all messages before `seq`."""
    return changed(thread, hold=changed(thread.hold, silenced_seq=seq))


def after_turn(hold: Hold, note: str | None) -> Hold:
    """The hold as a turn leaves it: with the person whom `note` is for, or with the bot (None)."""
    if note is None and hold.note is None:
        return hold
    HOLDS.move(hold.state, HoldMove.TAKEN if note is not None else HoldMove.RETURNED)
    return changed(hold, note=note)


def given_back(kind: str) -> InboxMove:
    """What becomes of a kept event when its thread is returned: the person has answered all that was said."""
    return InboxMove.RETURNED if kind in UNMISSED else InboxMove.MISSED


def restarted(due_at: int, set_at: int, now: int) -> int:
    """When a timer is due that waits its whole time again."""
    return now + due_at - set_at


def _told(*, with_person: bool) -> HoldMove:
    return HoldMove.GATEWAY_TOOK if with_person else HoldMove.GATEWAY_GAVE
