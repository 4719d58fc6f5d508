"""Outgoing events: which facts of a transaction systems that follow conversations are told of, and in which words.

Each follower has an account of its own, and in it a thread beside each thread that it is told of. What it is told
waits in the outbox of that thread, as any message does. The words are those of the REST API.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import orjson

from bridge.events import Echo, Merged, Message, Postback, ThreadRef, Unmerged, encode_event
from bridge.messages import Raw, encode_message
from bridge.store.lifecycle import OutboxState
from bridge.store.looks import HistoryEntry
from bridge.store.records import Saying
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from bridge.store.looks import DeadLetter
    from bridge.store.records import InboxRow, Settled, ThreadRow, TurnCommit

EventType = Literal[
    "message.received",
    "message.sent",
    "message.delivered",
    "message.read",
    "message.failed",
    "message.echoed",
    "thread.handed_off",
    "thread.returned",
    "contact.opted_out",
    "contact.opted_in",
    "contact.merged",
    "contact.unmerged",
    "dead_letter.created",
]
TYPES: Final[tuple[EventType, ...]] = get_args(EventType)
PREFIX: Final = ":events:"
"""Accounts of our own begin with a colon, and no configured one does."""
_PROVIDER: Final = "events"


def account_of(follower: str) -> str:
    """The account of a follower, by its name in the configuration."""
    return f"{PREFIX}{follower}"


def is_follower(account: str) -> bool:
    """Whether an account is a follower's."""
    return account.startswith(PREFIX)


def beside(account: str, ref: ThreadRef) -> ThreadRef:
    """The thread of a follower's account in which it is told of the thread `ref`."""
    return ThreadRef(account, _PROVIDER, ref.channel, f"{ref.account}:{ref.conversation_id}")


@dataclass(frozen=True, slots=True)
class Followers:
    """By account, which types each is told of. `qualified`: ids hold their account, since there are several stores."""

    types: Mapping[str, Collection[str]]
    qualified: bool = False

    def of(self, kind: str) -> Iterator[str]:
        """The accounts that are told of a type."""
        return (account for account, types in self.types.items() if kind in types)

    def id_of(self, account: str, own: object) -> str:
        """The id of something, as the REST API has it."""
        return f"{account}:{own}" if self.qualified else str(own)


@dataclass(slots=True)
class Fact:
    """Something that a transaction made true of a thread, at a time (microseconds).

    `event` is the one that says it. `message` is the number of an outbox row, `letter` the id of a dead letter: both
    are still to be read. `more` is what there is to tell beside.
    """

    type: EventType
    thread_id: int
    at: int
    event: InboxRow | None = None
    message: int | None = None
    letter: str | None = None
    more: Mapping[str, object] = field(default_factory=dict)


# What happened


def of_arrivals(rows: Sequence[InboxRow]) -> Iterator[Fact]:
    """Of events that were stored just now and want a turn."""
    for row in rows:
        if isinstance(row.event, Message | Postback):
            yield Fact("message.received", row.thread_id, row.received_at, event=row)
        elif isinstance(row.event, Echo) and row.event.human:
            yield Fact("message.echoed", row.thread_id, row.received_at, event=row)


def of_turn(turn: TurnCommit) -> Iterator[Fact]:
    """Of a turn that is committed."""
    thread_id, event, held = turn.thread.id, turn.row.event, turn.thread.is_held
    if isinstance(event, Merged | Unmerged) and not turn.dead:
        about = {"contact_id": str(event.person), "other_id": str(event.other)}
        yield Fact(
            "contact.merged" if isinstance(event, Merged) else "contact.unmerged", thread_id, turn.at, more=about
        )
    if turn.opts_out is not None:
        yield Fact("contact.opted_out" if turn.opts_out else "contact.opted_in", thread_id, turn.at)
    if held != turn.was_held:
        note = {"note": turn.thread.hold.note} if held else {}
        yield Fact("thread.handed_off" if held else "thread.returned", thread_id, turn.at, more=note)
    if turn.dead:
        for row in turn.rows:
            yield Fact("dead_letter.created", thread_id, turn.at, letter=f"in-{row.id}")


def of_event_given_up(end: Settled) -> Iterator[Fact]:
    """Of an event whose turn failed for good."""
    yield Fact("dead_letter.created", end.thread_id, end.at, letter=f"in-{end.row_id}")


def of_delivery(end: Settled) -> Iterator[Fact]:
    """Of a message at the end of its journey."""
    if end.state is OutboxState.SENT:
        yield Fact("message.sent", end.thread_id, end.at, message=end.row_id)
        return
    yield Fact("message.failed", end.thread_id, end.at, message=end.row_id, more={"reason": end.reason or None})
    if end.state is OutboxState.DEAD:
        yield Fact("dead_letter.created", end.thread_id, end.at, letter=f"out-{end.row_id}")


RESOLVED: Final = "resolved"
"""News of a message: a status proved that it was sent."""
DROPPED: Final = "dropped"
"""News of a message: its plan dropped it."""
_NEWS: Final[Mapping[str, EventType]] = {
    RESOLVED: "message.sent",
    "delivered": "message.delivered",
    "read": "message.read",
    "failed": "message.failed",
    DROPPED: "message.failed",
}
"""That a gateway says "sent" is no news: it took the message."""


def of_news(thread_id: int, row_id: int, value: str, reason: str, at: int) -> Iterator[Fact]:
    """Of news of a message: a status by its gateway, RESOLVED or DROPPED."""
    if (kind := _NEWS.get(value)) is None:
        return
    more = {"reason": reason or None} if kind == "message.failed" else {}
    yield Fact(kind, thread_id, at, message=row_id, more=more)
    if value == DROPPED:
        yield Fact("dead_letter.created", thread_id, at, letter=f"out-{row_id}")


# In the words of the REST API


def said(entry: HistoryEntry) -> dict[str, Any]:
    """Something said in a thread."""
    return {
        "id": entry.key,
        "direction": entry.direction,
        "kind": entry.kind,
        "state": entry.state,
        "status": entry.status or None,
        "at": moment(entry.at),
        "content": _content(entry.content),
    }


def _content(content: bytes) -> dict[str, Any]:
    """A JSON object; where retention emptied it, or a foreign hand wrote it, nothing."""
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def dead(letter: DeadLetter, named: str) -> dict[str, Any]:
    """A dead letter, by the id that the API gives it."""
    return {
        "id": named,
        "account": letter.account,
        "thread": letter.thread,
        "kind": letter.kind,
        "state": letter.state,
        "reason": letter.reason,
        "attempt": letter.attempt,
        "at": moment(letter.at),
    }


def _arrived(row: InboxRow) -> HistoryEntry:
    return HistoryEntry(
        position=row.id,
        id=row.id,
        direction="in",
        kind=row.event.tag,
        state="open",
        status="",
        content=encode_event(row.event),
        key=row.key,
        at=row.received_at,
    )


def payload_of(
    fact: Fact, thread: ThreadRow, followers: Followers, entry: HistoryEntry | None, letter: DeadLetter | None
) -> dict[str, Any]:
    """What a follower is told, as JSON that stays the same when it is read and written again."""
    ref = thread.ref
    data: dict[str, Any] = {
        "thread": {
            "id": followers.id_of(ref.account, thread.id),
            "account": ref.account,
            "provider": ref.provider,
            "channel": ref.channel,
            "conversation": ref.conversation_id,
            "contact_id": None if thread.contact_id is None else followers.id_of(ref.account, thread.contact_id),
        }
    }
    if fact.event is not None:
        entry = _arrived(fact.event)
    if entry is not None:
        data["message"] = said(entry)
    if letter is not None:
        data["letter"] = dead(letter, followers.id_of(letter.account, letter.id))
    made: dict[str, Any] = orjson.loads(
        orjson.dumps({"type": fact.type, "timestamp": moment(fact.at), "data": {**data, **fact.more}})
    )
    return made


def saying_of(account: str, number: int, fact: Fact, payload: Mapping[str, Any]) -> Saying:
    """The row of the outbox that tells a follower; its key is the id of the event, the same on every try."""
    digest = sha1(f"{account}\n{fact.type}\n{fact.thread_id}\n{fact.at}\n{number}".encode(), usedforsecurity=False)
    message = Raw(payload=payload)
    return Saying(key=f"evt_{digest.hexdigest()[:32]}", message=message, encoded=encode_message(message))
