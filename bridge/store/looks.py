"""What a look into a store shows: dead letters, summaries of threads and accounts, and what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.frozen import dataclass

if TYPE_CHECKING:
    from bridge.events import Contact, ThreadRef


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Something given up or not understood. `id` is "in-7" for an event and "out-7" for a message.

    `content` is the webhook's body, or the message as JSON; `channel` the route's {channel} the webhook came by.
    `trace` is where in the author's code an event failed, `tries` a JSON list of the latest tries of a message.
    """

    id: str
    account: str
    thread: str
    kind: str
    state: str
    reason: str
    attempt: int
    at: int
    content: bytes = b""
    channel: str | None = None
    trace: str = ""
    tries: str = "[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """A message that was sent, and of which nobody has told yet that it was delivered."""

    row_id: int
    ref: ThreadRef
    message_id: str
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadSummary:
    """A line of the list of threads. `reason` is why what waits in it did not go through the last time.

    `note` is for the person who has it (None: the bot does), and `kept_events` wait until it is returned.
    """

    id: int
    ref: ThreadRef
    contact: Contact | None
    step: str | None
    version: int
    open_events: int
    open_messages: int
    last_at: int
    reason: str = ""
    note: str | None = None
    kept_events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSummary:
    """What waits at an account since `oldest` (microseconds; None: nothing does), and how much was given up.

    `last_received` is None when no event of the account is among the latest of the store.
    """

    account: str
    last_received: int | None = None
    open_events: int = 0
    open_messages: int = 0
    oldest: int | None = None
    dead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One thing said in a thread, by the contact ("in") or by us ("out"); `position` pages through them."""

    position: int
    id: int
    direction: str
    kind: str
    state: str
    status: str
    content: bytes
    key: str
    at: int
