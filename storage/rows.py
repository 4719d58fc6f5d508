"""New rows: what is stored of an arrival, of a saying and of a turn, column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.events import FROM_CONTACT
from bridge.frozen import changed, dataclass
from bridge.store.admission import done_at
from bridge.store.records import InboxRow, OutboxRow, ThreadRow

from .records import REF, pack, pack_choices

if TYPE_CHECKING:
    from bridge.events import Contact, Event, ThreadRef
    from bridge.store.lifecycle import InboxState
    from bridge.store.records import Arrival, Saying, TurnCommit

EVENT_VALUES: Final = (
    "id, account, event_key, thread_id, seq, kind, event, raw, channel, address, status, error, received_at, done_at, "
    "attempt"
)
"""What `event_values` gives, and behind it the attempt."""
MESSAGE_VALUES: Final = (
    "id, key, account, thread_id, inbox_id, seq, kind, message, given_up, address, status, attempt, available_at, "
    "expires_at, created_at, error, done_at"
)


KNOWN: Final = "i.account, i.event_key, i.event, i.raw, i.id"
TRIED: Final = "o.id, o.message, o.status, coalesce(o.done_at, o.created_at)"
CONTENTS: Final = "event, raw, id"
ERASED_EVENT: Final = "w.id, w.account, w.event_key, w.received_at, w.raw"
BESIDE: Final = "o.raw, o.id"
SPOKEN: Final = f"o.id, o.thread_id, o.delivery, o.status, o.outcome, {REF}"
PLACE_OF: Final = "id, account, channel, conversation"
LOCKED: Final = (
    f"t.id, t.holder, {REF}, t.version, t.note, t.spoken, t.silenced, t.taken, t.contact_id, t.named, t.leads_to"
)
FAMILY: Final = "c.id, c.merged_into, c.content"
SECRETS: Final = "value, account, name"
SPENT_BUDGET: Final = "account, name, period, amount"
STANDING: Final = "s.account, s.name, s.period, s.amount"
EARLY: Final = "inbox_id, value, error, wanted"
OWNER: Final = "i.kind, i.value, i.contact_id"
ASSERTED: Final = "i.account, i.kind, i.value, i.contact_id"
CONTRADICTED: Final = "c.account, c.kind, c.value"
"""Columns that both databases read: storage.sealing knows these lists, as those of the other records."""


def event_row(
    arrival: Arrival, event: Event, number: int, thread_id: int, ref: ThreadRef, *, attempt: int = 0
) -> InboxRow:
    """An arrival that wants its turn, as the engine has it."""
    return InboxRow(
        id=number,
        seq=number,
        thread_id=thread_id,
        ref=ref,
        key=arrival.key,
        event=event,
        attempt=attempt,
        address=arrival.address,
        received_at=arrival.received_at,
        size=len(arrival.encoded) + len(arrival.raw),
    )


# A state is written as a plain str: sqlite3 asks how to write any other, at 1,400 instructions for each.


def event_values(arrival: Arrival, number: int, thread_id: int | None, state: InboxState) -> tuple[Any, ...]:
    """The columns EVENT_VALUES without the attempt."""
    return (
        number,
        arrival.account,
        arrival.key,
        thread_id,
        number,
        arrival.event.tag if arrival.event else "webhook",
        arrival.encoded,
        arrival.raw,
        arrival.channel,
        pack(arrival.address),
        str(state),
        arrival.reason or None,
        arrival.received_at,
        done_at(state, arrival.received_at),
    )


@dataclass(frozen=True, slots=True)
class Said:
    """A saying in its thread, said at a time (microseconds); `inbox_id` is the event whose turn said it."""

    saying: Saying
    thread: ThreadRow
    at: int
    inbox_id: int | None = None
    answers: int = 0


def said_by(turn: TurnCommit) -> list[Said]:
    """What a turn says."""
    answers = turn.row.id if isinstance(turn.row.event, FROM_CONTACT) else 0
    return [Said(saying, turn.thread, turn.at, turn.row.id, answers) for saying in turn.sayings]


def message_row(said: Said, number: int, *, attempt: int) -> OutboxRow:
    """A saying as the engine has it."""
    saying, thread = said.saying, said.thread
    return OutboxRow(
        id=number,
        seq=number,
        thread_id=thread.id,
        ref=thread.ref,
        key=saying.key,
        message=saying.message,
        attempt=attempt,
        address=thread.address,
        created_at=said.at,
        available_at=saying.available_at,
        expires_at=saying.expires_at,
        answers=said.answers,
        size=len(saying.encoded),
    )


def message_values(said: Said, row: OutboxRow) -> tuple[Any, ...]:
    """The columns MESSAGE_VALUES."""
    saying = said.saying
    return (
        row.id,
        row.key,
        row.ref.account,
        row.thread_id,
        said.inbox_id,
        row.seq,
        row.message.kind,
        saying.encoded,
        pack(list(saying.given_up)),
        pack(row.address),
        str(saying.state),
        row.attempt,
        row.available_at,
        row.expires_at,
        row.created_at,
        saying.dropped or None,
        row.created_at if saying.dropped else None,
    )


def thread_values(turn: TurnCommit) -> tuple[Any, ...]:
    """What a turn leaves behind in its thread: from its state to when it was, and its id."""
    thread, event = turn.thread, turn.row.event
    contact = orjson.dumps(event.contact) if isinstance(event, FROM_CONTACT) else None
    hold = thread.hold
    return (
        thread.state,
        thread.step,
        pack_choices(thread.choices),
        pack(thread.address) or b"{}",
        thread.last_heard,
        thread.heard,
        thread.dialog,
        thread.members,
        hold.note,
        hold.silenced_seq,
        thread.opted_out,
        contact,
        turn.at,
        thread.id,
    )


def kept_values(thread: ThreadRow) -> tuple[Any, ...]:
    """Whose a thread is: from its contact to its version, and its id."""
    address = pack(thread.address) or b"{}"
    whose = (thread.contact_id, thread.person, thread.named, thread.leads_to, pack(list(thread.lost)))
    return *whose, thread.opted_out, address, thread.version, thread.id


def committed(thread: ThreadRow, contact: Contact | None) -> ThreadRow:
    """A thread once the turn that leaves it so is committed, and the contact with it."""
    return changed(thread, version=thread.version + 1, contact=contact)
