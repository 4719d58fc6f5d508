"""What a look into a store shows: dead letters, summaries of threads and accounts, and what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from bridge.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.events import Contact, ThreadRef


Place: TypeAlias = tuple[int, int]
"""Where something stands in a list with the latest first: its time (microseconds) and its number."""
FIRST: Final[Place] = (2**63 - 1, 2**63 - 1)
"""Before everything in such a list."""


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
class EventSummary:
    """Where an event stands, and what became of the messages that its turn keeps for later.

    `timers` hold those, in the order in which they were set; `due_at` is when the next of them is due (microseconds).
    """

    id: int
    account: str
    thread_id: int | None
    kind: str
    state: str
    reason: str
    replay: int
    at: int
    timers: tuple[int, ...] = ()
    due_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSummary:
    """Where a message stands: one part of a plan. `message_id` is what the provider calls it.

    `unanswered` is how many tries of it had no answer.
    """

    key: str
    account: str
    thread_id: int
    kind: str
    state: str
    outcome: str = ""
    status: str = ""
    reason: str = ""
    message_id: str | None = None
    attempt: int
    at: int
    unanswered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A change that somebody asked for: `who` did `what`, to which `target`. `id` is given by the store.

    `account` is the one it concerns; "" for none.
    """

    at: int
    who: str
    what: str
    account: str = ""
    target: str = ""
    id: int = 0


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
class ThreadSearch:
    """What a person looks for in the list of threads; a thread is found where all of it holds.

    `text` stands in the name, the phone number or an id of the contact; every character of it means itself.
    `held`: a person has the thread, or with False the bot has. `waits`: something in it waits for its turn, to leave,
    or for the person who has it. `dead`: something of it was given up.
    """

    text: str = ""
    account: str | None = None
    channel: str | None = None
    held: bool | None = None
    waits: bool = False
    dead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadPage:
    """Threads that a search found, and the place from which it goes on; None: it came to the end.

    A page that is not full may go on as well: a search looks through so many threads, and no more at once.
    """

    threads: Sequence[ThreadSummary]
    next: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerSummary:
    """A timer that waits until `due_at` (microseconds). `message` is what it says then (JSON), or `handler` is called.

    `contact` is the contact of its thread.
    """

    id: int
    thread_id: int
    ref: ThreadRef
    contact: Contact | None
    name: str
    due_at: int
    set_at: int
    message: bytes | None = None
    handler: str | None = None


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
