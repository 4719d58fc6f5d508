"""What a store tells of the way of one event: its turn, the messages of that, each try, and what came of them."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.events import Echo, Status, Timer
from bridge.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NEWS: Final = (Status.tag, Echo.tag, Timer.tag)
"""Kinds of events that may come of a turn, later in its thread."""
LOOKED_THROUGH: Final = 5000
"""Events of a thread among which the news of a turn is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedEvent:
    """An event as stored. Times are in microseconds; `trace` is where in the author's code its last turn failed.

    `thread_id` is None, and `thread` "", where no thread is known; `content` is the event as JSON.
    """

    id: int
    account: str
    thread_id: int | None
    thread: str
    seq: int
    key: str
    kind: str
    state: str
    attempt: int
    replay: int
    received_at: int
    available_at: int
    tried_at: int
    done_at: int | None
    reason: str
    trace: str
    content: bytes
    raw: bytes = b""
    address: Mapping[str, str] = field(default_factory=dict)
    channel: str | None = None

    @property
    def letter(self) -> str:
        """Its id, as commands take it."""
        return f"in-{self.id}"

    @property
    def values(self) -> Mapping[str, Any]:
        """The fields of the event; none in quarantine."""
        values: Mapping[str, Any] = orjson.loads(self.content) if self.content else {}
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One try of a message; `exchange` is its redacted requests and answers as JSON."""

    attempt: int
    at: int
    outcome: str
    reason: str
    exchange: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedMessage:
    """A message as stored, with its tries. `event_id` is the event whose turn said it.

    `given_up` is what its channel cannot carry; `status` what the gateway told last of it.
    """

    id: int
    account: str
    thread_id: int
    thread: str
    event_id: int | None
    seq: int
    key: str
    kind: str
    content: bytes
    given_up: Sequence[str]
    state: str
    outcome: str
    status: str
    status_error: str
    message_id: str | None
    attempt: int
    available_at: int
    expires_at: int | None
    created_at: int
    done_at: int | None
    reason: str
    tries: Sequence[Try] = ()

    @property
    def letter(self) -> str:
        """Its id, as commands take it."""
        return f"out-{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedTimer:
    """A timer that a turn set, and that waits or is due."""

    id: int
    name: str
    due_at: int
    set_at: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """An event (None: it is not stored any more), and what came of it. `later` is what the thread heard of that."""

    event: TracedEvent | None
    messages: Sequence[TracedMessage] = ()
    timers: Sequence[TracedTimer] = ()
    later: Sequence[TracedEvent] = field(default=())


def comes_of(news: TracedEvent, event: TracedEvent | None, messages: Sequence[TracedMessage]) -> bool:
    """Whether an event of the same thread tells of these messages, or is a timer that the turn of `event` set."""
    values = news.values
    if news.kind == Timer.tag:
        return event is not None and event.done_at is not None and values.get("set_at") == event.done_at
    names = {name for message in messages for name in (message.key, message.message_id) if name}
    about = (values.get("message_id"),) if news.kind == Status.tag else (values.get("id"), values.get("message_key"))
    return any(name in names for name in about if name)


def of_turn(event: TracedEvent, messages: Sequence[TracedMessage]) -> list[TracedMessage]:
    """Those of its turn, out of the messages of a thread.

    They name the newest event that their turn answers, and were said when it was settled.
    """
    said = [message for message in messages if message.created_at == event.done_at]
    answered = [message.event_id for message in said if message.event_id is not None and message.event_id >= event.id]
    return [message for message in said if answered and message.event_id == min(answered)]
