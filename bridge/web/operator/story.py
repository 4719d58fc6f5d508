"""A thread as a person reads it: what was said, by whom, what became of it, and what happened beside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.conversation.effects import QUIET
from bridge.events import Echo, Handoff, Job, Merged, Message, Postback, Returned, Send, Signal, Status, Timer, Unmerged
from bridge.frozen import dataclass
from bridge.store.lifecycle import InboxState, OutboxState
from bridge.store.looks import HistoryEntry
from bridge.store.traces import TracedEvent
from bridge.units import SECOND
from bridge.web.console.entries import shown_entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.store.traces import TracedMessage

_SPOKEN: Final = frozenset({Message.tag, Postback.tag})
_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {
    Handoff.tag: ("A person takes the conversation", "note"),
    Returned.tag: ("The conversation is returned to the bot",),
    Timer.tag: ("A timer is due", "name"),
    Status.tag: ("The gateway reports", "value", "error"),
    Signal.tag: ("Something happened outside", "name"),
    Job.tag: ("A job is due", "name"),
    Merged.tag: ("Two contacts are one person from here on",),
    Unmerged.tag: ("The contact is a person of their own from here on",),
    Send.tag: ("Messages to send",),
}
"""By kind of event, what to say of it, and its fields that stand behind that."""
_ENDS: Final[Mapping[str, str]] = {
    InboxState.OPEN: "waits",
    InboxState.HELD: "kept for the person",
    InboxState.DONE: "handled",
    InboxState.DEAD: "given up",
}
_FATES: Final[Mapping[str, str]] = {OutboxState.OPEN: "to be sent", OutboxState.DEAD: "given up"}
_TRIES: Final = 10
"""Tries of a message that are shown, the latest of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing of a story. `by` is "contact", "bot" or "person" where somebody said it; "" beside the talk.

    `content` is as bridge.web.console.entries has it. `state` is its fate, `word` that for people, and `why` more of
    it. `row` is what the store has of it.
    """

    id: str
    at: int
    by: str
    state: str
    why: str
    content: Mapping[str, Any]
    row: TracedEvent | TracedMessage
    word: str
    exchanges: Sequence[Mapping[str, Any]] = ()
    seconds: float | None = None


def story_of(rows: Sequence[TracedEvent | TracedMessage]) -> list[Told]:
    """The story of the events and messages of a thread, oldest first; what says nothing to a reader is left out."""
    written = {row.id for row in rows if isinstance(row, TracedEvent) and row.kind == Send.tag and _human(row)}
    told = (_event(row) if isinstance(row, TracedEvent) else _message(row, written) for row in rows)
    return [one for one in told if one is not None]


def _message(row: TracedMessage, written: set[int]) -> Told:
    """`written` are the events by which a person wrote something."""
    tries = row.tries[-_TRIES:]
    return Told(
        id=row.letter,
        at=row.created_at,
        by="person" if row.event_id in written else "bot",
        state=(state := row.status if row.state == OutboxState.SENT and row.status else row.state),
        word=_FATES.get(state, state),
        why=row.status_error or row.reason,
        content=_content(row, row.created_at, "out"),
        row=row,
        exchanges=[
            {
                "attempt": one.attempt,
                "at": one.at,
                "outcome": one.outcome,
                "reason": one.reason,
                "exchange": orjson.loads(one.exchange) if one.exchange else [],
            }
            for one in tries
        ],
    )


def _event(row: TracedEvent) -> Told | None:
    by = "contact" if row.kind in _SPOKEN else ""
    if row.kind == Echo.tag and _human(row):
        by = "person"
    content = _content(row, row.received_at, "in") if by else _beside(row)
    if content is None:
        return None
    took = None if row.done_at is None else (row.done_at - row.received_at) / SECOND
    return Told(
        id=row.letter,
        at=row.received_at,
        by=by,
        state=row.state,
        word=_ENDS.get(row.state, row.state),
        why=row.reason,
        content=content,
        row=row,
        seconds=took if row.attempt else None,
    )


def _beside(row: TracedEvent) -> Mapping[str, Any] | None:
    """What happened beside the talk, as a text and what is to stand behind it; None: it is told elsewhere."""
    values = row.values
    if row.kind == Echo.tag or (row.kind == Send.tag and row.state == InboxState.DONE):
        return None
    if row.kind == Timer.tag and values.get("name") == QUIET:
        return {"text": "The person said nothing for long: the bot has the conversation again", "more": ""}
    text, *fields = _BESIDE.get(row.kind, ("Something else",))
    more = " ".join(str(value) for name in fields if (value := values.get(name)))
    return {"text": text, "more": more if row.kind in _BESIDE else row.kind}


def _content(row: TracedEvent | TracedMessage, at: int, direction: str) -> Mapping[str, Any]:
    entry = HistoryEntry(
        position=row.id,
        id=row.id,
        direction=direction,
        kind=row.kind,
        state=row.state,
        status="",
        content=row.content,
        key=row.key,
        at=at,
    )
    return shown_entry(entry) or {"kind": row.kind, "text": "", "choices": [], "media": None}


def _human(row: TracedEvent) -> bool:
    return row.values.get("human") is True
