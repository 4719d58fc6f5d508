"""Broadcasts: one message for many contacts, each of whom is a row until the message is an event of their thread."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from bridge.frozen import dataclass
from bridge.store.lifecycle import InboxState, Machine, OutboxState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.store.looks import EventSummary, MessageSummary, Place
    from bridge.store.records import Arrival


class BroadcastState(StrEnum):
    """Where a broadcast stands."""

    DRAFT = "draft"
    """Its recipients are being stored: nothing leaves."""
    RUNNING = "running"
    """Its messages leave, or its time has not come."""
    PAUSED = "paused"
    """It releases no more messages until it is resumed."""
    DONE = "done"
    """Each recipient has an outcome."""
    CANCELLED = "cancelled"
    """A person ended it."""


class BroadcastMove(StrEnum):
    """What happens to a broadcast."""

    STARTED = "a person starts or resumes it"
    PAUSED = "a person pauses it, or too many messages fail or contacts opt out"
    ENDED = "its last recipient has an outcome"
    CANCELLED = "a person cancels it"


BROADCAST: Final[Machine[BroadcastState, BroadcastMove]] = Machine(
    "broadcast",
    starts={BroadcastState.DRAFT: "a person begins it"},
    moves={
        BroadcastState.DRAFT: {
            BroadcastMove.STARTED: BroadcastState.RUNNING,
            BroadcastMove.CANCELLED: BroadcastState.CANCELLED,
        },
        BroadcastState.RUNNING: {
            BroadcastMove.PAUSED: BroadcastState.PAUSED,
            BroadcastMove.ENDED: BroadcastState.DONE,
            BroadcastMove.CANCELLED: BroadcastState.CANCELLED,
        },
        BroadcastState.PAUSED: {
            BroadcastMove.STARTED: BroadcastState.RUNNING,
            BroadcastMove.CANCELLED: BroadcastState.CANCELLED,
        },
        BroadcastState.DONE: {},
        BroadcastState.CANCELLED: {},
    },
)


class RecipientState(StrEnum):
    """Where the message for one recipient stands."""

    WAITING = "waiting"
    """It is not an event yet."""
    RELEASED = "released"
    """It is an event of the recipient's thread, and may be on the wire."""
    SENT = "sent"
    """The gateway took it."""
    DELIVERED = "delivered"
    """The gateway says that it arrived."""
    READ = "read"
    """The gateway says that it was read."""
    FAILED = "failed"
    """The gateway refused it, or it was given up."""
    REFUSED = "refused"
    """It did not leave: consent, a closed window, a person in the conversation, or no form on the channel."""
    EXPIRED = "expired"
    """It was worth nothing any more when it could leave."""


class RecipientMove(StrEnum):
    """What happens to the message for a recipient."""

    RELEASED = "it becomes an event of the thread"
    SENT = "the gateway takes it"
    DELIVERED = "a status says that it arrived"
    READ = "a status says that it was read"
    FAILED = "it is refused or given up, or a status says so"
    REFUSED = "it must not leave"
    EXPIRED = "its time is over before it leaves"


_NEWS: Final = {
    RecipientMove.DELIVERED: RecipientState.DELIVERED,
    RecipientMove.READ: RecipientState.READ,
    RecipientMove.FAILED: RecipientState.FAILED,
}
RECIPIENT: Final[Machine[RecipientState, RecipientMove]] = Machine(
    "recipient",
    starts={RecipientState.WAITING: "it is added to a draft"},
    moves={
        RecipientState.WAITING: {
            RecipientMove.RELEASED: RecipientState.RELEASED,
            RecipientMove.REFUSED: RecipientState.REFUSED,
        },
        RecipientState.RELEASED: {
            RecipientMove.SENT: RecipientState.SENT,
            RecipientMove.FAILED: RecipientState.FAILED,
            RecipientMove.REFUSED: RecipientState.REFUSED,
            RecipientMove.EXPIRED: RecipientState.EXPIRED,
        },
        RecipientState.SENT: _NEWS,
        RecipientState.DELIVERED: {move: _NEWS[move] for move in (RecipientMove.READ, RecipientMove.FAILED)},
        RecipientState.READ: {RecipientMove.FAILED: RecipientState.FAILED},
        RecipientState.FAILED: {
            RecipientMove.SENT: RecipientState.SENT,
            RecipientMove.DELIVERED: RecipientState.DELIVERED,
            RecipientMove.READ: RecipientState.READ,
        },
        RecipientState.REFUSED: {},
        RecipientState.EXPIRED: {},
    },
)
STATUS_MOVES: Final = {
    "sent": RecipientMove.SENT,
    "delivered": RecipientMove.DELIVERED,
    "read": RecipientMove.READ,
    "failed": RecipientMove.FAILED,
}
"""What a status of its message does to a recipient."""
_REACHED: Final = (RecipientState.SENT, RecipientState.DELIVERED, RecipientState.READ)
BLAMED: Final = 3 * 86_400 * 1_000_000
"""How long after a message an opt-out counts as one because of it (microseconds)."""
AFTERWARDS: Final = (*_REACHED, RecipientState.FAILED)
"""States in which an opt-out counts: before, the contact did not get the message."""


class Bounds(NamedTuple):
    """What stops a broadcast: the shares of messages that fail and of contacts that opt out, from so many on."""

    failures: float = 0.05
    opt_outs: float = 0.03
    at_least: int = 100


@dataclass(frozen=True, slots=True)
class Counts:
    """How many recipients stand where. `opt_outs`: contacts who opted out after it. `unanswered`: tries without answer.

    After such a try the message is sent again, so that many contacts at most may have it twice.
    """

    states: Mapping[str, int] = field(default_factory=dict)
    opt_outs: int = 0
    unanswered: int = 0

    def of(self, *states: RecipientState) -> int:
        """How many stand in one of these."""
        return sum(self.states.get(state, 0) for state in states)

    @property
    def total(self) -> int:
        """All recipients."""
        return sum(self.states.values())

    @property
    def reached(self) -> int:
        """Recipients whose message the gateway took."""
        return self.of(*_REACHED)

    @property
    def open(self) -> int:
        """Recipients without an outcome."""
        return self.of(RecipientState.WAITING, RecipientState.RELEASED)

    @property
    def failed(self) -> int:
        """Recipients whose message failed."""
        return self.of(RecipientState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """A broadcast. `content` is what its composer keeps, as JSON. Times are in microseconds.

    `base` are failures, contacts reached and opt-outs when it was last resumed: bounds are about what came since.
    """

    id: str
    account: str
    state: BroadcastState = BroadcastState.DRAFT
    reason: str = ""
    content: bytes
    bounds: Bounds = Bounds()
    base: tuple[int, int, int] = (0, 0, 0)
    begins_at: int
    created_at: int
    updated_at: int = 0

    @property
    def is_draft(self) -> bool:
        """Whether it takes recipients."""
        return self.state is BroadcastState.DRAFT


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A row of a broadcast. `to` is the contact as given ("" for a thread that is known), `fields` its columns as JSON.

    `number` is its place in the list, and `conversation` on its `channel` where the message goes. The message is
    looked at again at `look_at` (microseconds).
    """

    number: int
    to: str
    channel: str
    conversation: str
    fields: bytes = b"{}"
    state: RecipientState = RecipientState.WAITING
    reason: str = ""
    look_at: int = 0
    opted_out: bool = False
    unanswered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientEnd:
    """The outcome of a recipient's message. `key` is the idempotency key of its last part, if it has any."""

    number: int
    move: RecipientMove
    reason: str = ""
    key: str | None = None
    unanswered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastStep:
    """A step of a broadcast, in one transaction: recipients whose messages become events, and others' outcomes.

    `releases` are left out unless it is running. `later`: numbers, each with when it is looked at again.
    """

    broadcast_id: str
    at: int
    releases: Sequence[tuple[int, Arrival]] = ()
    ends: Sequence[RecipientEnd] = ()
    later: Sequence[tuple[int, int]] = ()


class BroadcastReader(Protocol):
    """What a look into a store can tell of broadcasts."""

    async def broadcasts(
        self, *, account: str | None = None, active: bool = False, before: Place | None = None, limit: int = 100
    ) -> list[Broadcast]:
        """The newest first; `before` is a place: when one was begun, and 0.

        With `active` those that run, or of which messages may be on the wire.
        """
        ...

    async def broadcast(self, broadcast_id: str) -> Broadcast | None:
        """One of them."""
        ...

    async def broadcast_counts(self, broadcast_id: str) -> Counts:
        """How many recipients stand where. Its cost grows with this broadcast's recipients, and not with history."""
        ...

    async def recipients(
        self, broadcast_id: str, *, state: RecipientState | None = None, after: int = 0, limit: int = 1000
    ) -> list[Recipient]:
        """Recipients by their numbers, behind one of them."""
        ...


class BroadcastWriter(BroadcastReader, Protocol):
    """What changes broadcasts."""

    async def add_broadcast(self, broadcast: Broadcast) -> None:
        """Begin a draft."""
        ...

    async def add_recipients(self, broadcast_id: str, recipients: Sequence[Recipient]) -> list[int] | None:
        """Add to a draft; the numbers of those whose conversation it has already, which are left out.

        None: there is no such draft. The same recipients again change nothing.
        """
        ...

    async def move_broadcast(self, broadcast_id: str, move: BroadcastMove, at: int, reason: str = "") -> bool:
        """Start, pause, cancel or end one; False: there is none, or it cannot happen to it as it stands."""
        ...

    async def step_broadcast(self, step: BroadcastStep) -> Mapping[int, int | None]:
        """Release recipients, and note outcomes. By their numbers, the threads of those that are released now."""
        ...


def bounds_crossed(counts: Counts, broadcast: Broadcast) -> str:
    """Why a broadcast stops itself; "": it goes on."""
    bounds, (failed, reached, opt_outs) = broadcast.bounds, base_of(counts)
    failed, reached, opt_outs = (
        now - then for now, then in zip((failed, reached, opt_outs), broadcast.base, strict=True)
    )
    if failed + reached >= bounds.at_least and failed > bounds.failures * (failed + reached):
        return f"{failed:,} of {failed + reached:,} messages failed: more than {bounds.failures:.3g} of them may not"
    if reached >= bounds.at_least and opt_outs > bounds.opt_outs * reached:
        return f"{opt_outs:,} of {reached:,} contacts opted out: more than {bounds.opt_outs:.3g} of them may not"
    return ""


def base_of(counts: Counts) -> tuple[int, int, int]:
    """What bounds are about, as it stands: see Broadcast.base."""
    return counts.failed, counts.reached, counts.opt_outs


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What has become of a recipient's message: its end, or None and when to look again (0: as soon as it changes).

    `retries`: a try failed, and it waits for the next one.
    """

    move: RecipientMove | None = None
    reason: str = ""
    key: str | None = None
    unanswered: int = 0
    look_at: int = 0
    retries: bool = False


_GONE: Final = Standing(move=RecipientMove.FAILED, reason="its event was erased")
_UNSAID: Final[Mapping[str, tuple[RecipientMove, str]]] = {
    InboxState.HELD: (RecipientMove.REFUSED, "a person has the conversation: the message waits for its return"),
    InboxState.DONE: (RecipientMove.REFUSED, "nothing was to be said"),
}
"""What has become of a message whose turn said nothing."""


def standing_of(event: EventSummary | None, parts: Sequence[MessageSummary]) -> Standing:
    """Where the message for a recipient stands: its event, and the parts of its plan in their order, if it has any."""
    if parts:
        return _of_parts(parts)
    if event is None:
        return _GONE
    if event.state == InboxState.OPEN or event.due_at is not None or (event.state == InboxState.DONE and event.timers):
        return Standing(look_at=event.due_at or 0)
    move, reason = _UNSAID.get(event.state, (RecipientMove.FAILED, "its turn failed"))
    return Standing(move=move, reason=event.reason or reason)


def _of_parts(parts: Sequence[MessageSummary]) -> Standing:
    unanswered, last = sum(part.unanswered for part in parts), parts[-1]
    if any(part.state == OutboxState.OPEN for part in parts):
        return Standing(retries=any(part.attempt > 1 for part in parts))
    bad = next((part for part in parts if part.state != OutboxState.SENT), None)
    if bad is None:
        return Standing(move=RecipientMove.SENT, key=last.key, unanswered=unanswered)
    if bad.state == OutboxState.EXPIRED:
        move = RecipientMove.EXPIRED
    else:
        move = RecipientMove.FAILED if bad.outcome else RecipientMove.REFUSED
    return Standing(move=move, reason=bad.reason, key=last.key, unanswered=unanswered)
