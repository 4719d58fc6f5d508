"""The states of events, messages, timers, media and holds, and every move between them.

A row begins in one of its machine's `starts`. Whatever happens to it goes through `move`: no store changes a state on
its own account.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

State = TypeVar("State", bound=StrEnum)
Move = TypeVar("Move", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Machine(Generic[State, Move]):
    """A life cycle: the states it begins in, each with its reason, and by state what can happen and where it leads."""

    name: str
    starts: Mapping[State, str]
    moves: Mapping[State, Mapping[Move, State]]

    def move(self, state: State, happened: Move) -> State:
        """The next state. Raises ValueError when this cannot happen in that state."""
        target = self.moves[state].get(happened)
        if target is None:
            raise ValueError(f"{self.name}: '{happened}' cannot happen in the state {state}")
        return target

    def can(self, state: State, happened: Move) -> bool:
        """Whether this can happen in that state."""
        return happened in self.moves[state]

    def reach(self, state: State, target: State) -> State:
        """The target, if one move leads to it. Raises ValueError when none does."""
        if target not in self.moves[state].values():
            raise ValueError(f"{self.name}: nothing leads from {state} to {target}")
        return target

    def before(self, happened: Move) -> tuple[State, ...]:
        """The states in which this can happen."""
        return tuple(state for state, moves in self.moves.items() if happened in moves)

    def after(self, happened: Move) -> State:
        """The state that this leads to, whatever the state before."""
        (target,) = {moves[happened] for moves in self.moves.values() if happened in moves}
        return target

    def targets(self) -> Mapping[State, frozenset[State]]:
        """By state, where one move leads."""
        return {state: frozenset(moves.values()) for state, moves in self.moves.items()}


# Events


class InboxState(StrEnum):
    """Where an event stands."""

    OPEN = "open"
    """Waits for its turn, or is in it."""
    HELD = "held"
    """Came while a person held the thread: kept until the thread is returned."""
    DONE = "done"
    """Its turn is committed, or it needed none."""
    DEAD = "dead"
    """Given up with a reason; its thread went on without it."""
    QUARANTINED = "quarantined"
    """Authentic and not understood: kept raw."""
    EARLY = "early"
    """News of a message that the store does not know yet: joined as soon as it does."""
    DROPPED = "dropped"
    """Put aside by a person."""


OPEN: Final = InboxState.OPEN
QUARANTINED: Final = InboxState.QUARANTINED
"""What each event is asked about: Python 3.11 takes 850 instructions to find a member in its class."""


class InboxMove(StrEnum):
    """What happens to an event."""

    ANSWERED = "its turn is committed"
    KEPT = "its turn comes while a person has the thread"
    GIVEN_UP = "its turn fails for good"
    CANCELLED = "its timer is cancelled"
    RETURNED = "the thread is returned, and a timer or status waits again"
    MISSED = "the thread is returned, and the person has answered"
    JOINED = "its message is known, and its turn is wanted"
    RECORDED = "its message is known, and no turn is wanted"
    REPLAYED = "a person appends it again"
    REREAD = "it is understood now, and its events take its place"
    DROPPED = "a person puts it aside"


INBOX: Final[Machine[InboxState, InboxMove]] = Machine(
    "event",
    starts={
        InboxState.OPEN: "it wants a turn",
        InboxState.DONE: "it is only recorded",
        InboxState.EARLY: "it speaks of a message not known yet",
        InboxState.QUARANTINED: "it is not understood, or its key is known with another content",
    },
    moves={
        InboxState.OPEN: {
            InboxMove.ANSWERED: InboxState.DONE,
            InboxMove.KEPT: InboxState.HELD,
            InboxMove.GIVEN_UP: InboxState.DEAD,
            InboxMove.CANCELLED: InboxState.DONE,
        },
        InboxState.HELD: {
            InboxMove.RETURNED: InboxState.OPEN,
            InboxMove.MISSED: InboxState.DONE,
            InboxMove.CANCELLED: InboxState.DONE,
        },
        InboxState.DONE: {},
        InboxState.DEAD: {InboxMove.REPLAYED: InboxState.OPEN, InboxMove.DROPPED: InboxState.DROPPED},
        InboxState.QUARANTINED: {
            InboxMove.REPLAYED: InboxState.OPEN,
            InboxMove.REREAD: InboxState.DONE,
            InboxMove.DROPPED: InboxState.DROPPED,
        },
        InboxState.EARLY: {InboxMove.JOINED: InboxState.OPEN, InboxMove.RECORDED: InboxState.DONE},
        InboxState.DROPPED: {},
    },
)


# Messages


class Outcome(StrEnum):
    """What the last try of a message came to."""

    SENT = "sent"
    """The provider took it."""
    REJECTED = "rejected"
    """The provider refused it for good."""
    NOT_SENT = "not sent"
    """It did not leave, or the provider did not take it: safe to repeat."""
    UNKNOWN = "unknown"
    """It left, and no answer came."""
    CLAIMED = "claimed"
    """A try that must not be repeated has begun."""
    RESOLVED = "resolved"
    """No answer came, and a status reports that it was sent."""


class OutboxState(StrEnum):
    """Where a message stands."""

    OPEN = "open"
    """Waits to be sent, or is being sent."""
    SENT = "sent"
    """The provider took it."""
    DEAD = "dead"
    """Refused, given up or parked, with a reason."""
    EXPIRED = "expired"
    """Was worth nothing any more when its time to leave came."""
    DROPPED = "dropped"
    """Put aside by a person."""


class OutboxMove(StrEnum):
    """What happens to a message."""

    SENT = "the provider takes it"
    RESOLVED = "a status reports that a try without an answer was sent, also after it was given up"
    GIVEN_UP = "it is refused, given up, parked or silenced"
    EXPIRED = "its time is over before it leaves"
    REPLAYED = "a person appends it again"
    DROPPED = "a person puts it aside"


OUTBOX: Final[Machine[OutboxState, OutboxMove]] = Machine(
    "message",
    starts={OutboxState.OPEN: "it wants to leave", OutboxState.DEAD: "its plan dropped it"},
    moves={
        OutboxState.OPEN: {
            OutboxMove.SENT: OutboxState.SENT,
            OutboxMove.RESOLVED: OutboxState.SENT,
            OutboxMove.GIVEN_UP: OutboxState.DEAD,
            OutboxMove.EXPIRED: OutboxState.EXPIRED,
        },
        OutboxState.SENT: {},
        OutboxState.DEAD: {
            OutboxMove.RESOLVED: OutboxState.SENT,
            OutboxMove.REPLAYED: OutboxState.OPEN,
            OutboxMove.DROPPED: OutboxState.DROPPED,
        },
        OutboxState.EXPIRED: {},
        OutboxState.DROPPED: {},
    },
)


# Timers


class TimerState(StrEnum):
    """Where a timer stands."""

    WAITING = "waiting"
    """Its time has not come."""
    DUE = "due"
    """It is an event of its thread, which has no turn yet."""
    FIRED = "fired"
    """Its event had its turn."""
    CANCELLED = "cancelled"
    """A turn cancelled it, waiting or due."""
    UNREADABLE = "unreadable"
    """This version cannot read it: set aside, because it would hold up all others."""


class TimerMove(StrEnum):
    """What happens to a timer."""

    DUE = "its time comes"
    UNREADABLE = "its time comes, and it cannot be read"
    HANDLED = "its event has its turn"
    CANCELLED = "a turn cancels it"
    RESTARTED = "its thread is returned, and it waits its whole time again"


TIMERS: Final[Machine[TimerState, TimerMove]] = Machine(
    "timer",
    starts={TimerState.WAITING: "a turn sets it"},
    moves={
        TimerState.WAITING: {
            TimerMove.DUE: TimerState.DUE,
            TimerMove.UNREADABLE: TimerState.UNREADABLE,
            TimerMove.CANCELLED: TimerState.CANCELLED,
            TimerMove.RESTARTED: TimerState.WAITING,
        },
        TimerState.DUE: {
            TimerMove.HANDLED: TimerState.FIRED,
            TimerMove.CANCELLED: TimerState.CANCELLED,
            TimerMove.RESTARTED: TimerState.WAITING,
        },
        TimerState.FIRED: {},
        TimerState.CANCELLED: {},
        TimerState.UNREADABLE: {},
    },
)


# Media


class MediaState(StrEnum):
    """Where a medium stands: the file of a contact, or one of ours."""

    WAITING = "waiting"
    """Its link is to be fetched, or is being fetched."""
    KEPT = "kept"
    """Its bytes are in the media store."""
    FAILED = "failed"
    """Its link is dead or refused, or gives what may not be kept: given up with a reason."""
    FORGOTTEN = "forgotten"
    """Not to be read any more: its bytes are about to be removed."""
    REMOVED = "removed"
    """Its bytes are gone."""


class MediaMove(StrEnum):
    """What happens to a medium."""

    FETCHED = "its bytes are stored"
    GIVEN_UP = "its link cannot be fetched"
    FORGOTTEN = "it goes with its person, or by its age"
    REMOVED = "its bytes are removed, unless another medium has the same"


MEDIA: Final[Machine[MediaState, MediaMove]] = Machine(
    "medium",
    starts={MediaState.WAITING: "a contact sends it", MediaState.KEPT: "a turn says it"},
    moves={
        MediaState.WAITING: {
            MediaMove.FETCHED: MediaState.KEPT,
            MediaMove.GIVEN_UP: MediaState.FAILED,
            MediaMove.FORGOTTEN: MediaState.FORGOTTEN,
        },
        MediaState.KEPT: {MediaMove.FORGOTTEN: MediaState.FORGOTTEN},
        MediaState.FAILED: {MediaMove.FORGOTTEN: MediaState.FORGOTTEN},
        MediaState.FORGOTTEN: {MediaMove.REMOVED: MediaState.REMOVED},
        MediaState.REMOVED: {},
    },
)


# Holds


class HoldState(StrEnum):
    """Who has a thread, and what the gateway says of it."""

    BOT = "bot"
    """The bot has it."""
    CLAIMED = "claimed"
    """The gateway says that a person has it, the bot still answers: the takeover waits for its turn, or ended here."""
    PERSON = "person"
    """A person has it, by a handoff or by their own words."""
    AT_GATEWAY = "at the gateway"
    """A person has it, and the gateway says so."""


class HoldMove(StrEnum):
    """What happens to the hold on a thread."""

    TAKEN = "a turn leaves it with a person"
    RETURNED = "a turn returns it to the bot"
    GATEWAY_TOOK = "the gateway says that a person has it"
    GATEWAY_GAVE = "the gateway says that no person has it"


HOLDS: Final[Machine[HoldState, HoldMove]] = Machine(
    "hold",
    starts={HoldState.BOT: "a thread begins"},
    moves={
        HoldState.BOT: {HoldMove.TAKEN: HoldState.PERSON, HoldMove.GATEWAY_TOOK: HoldState.CLAIMED},
        HoldState.CLAIMED: {
            HoldMove.TAKEN: HoldState.AT_GATEWAY,
            HoldMove.GATEWAY_TOOK: HoldState.CLAIMED,
            HoldMove.GATEWAY_GAVE: HoldState.BOT,
        },
        HoldState.PERSON: {
            HoldMove.TAKEN: HoldState.PERSON,
            HoldMove.RETURNED: HoldState.BOT,
            HoldMove.GATEWAY_TOOK: HoldState.AT_GATEWAY,
        },
        HoldState.AT_GATEWAY: {
            HoldMove.TAKEN: HoldState.AT_GATEWAY,
            HoldMove.RETURNED: HoldState.CLAIMED,
            HoldMove.GATEWAY_GAVE: HoldState.PERSON,
        },
    },
)
"""What a gateway repeats is no move: only news of it becomes an event of the thread."""


# Statuses

STATUS_RANK: Final[Mapping[str, int]] = {"sent": 1, "delivered": 2, "read": 3, "failed": 4}
"""A message's status only climbs: late and repeated news change nothing."""


def climbs(before: str | None, value: str) -> bool:
    """Whether a status is news of a message whose last one is `before`."""
    return STATUS_RANK[value] > STATUS_RANK.get(before or "", 0)


INBOX_MOVES: Final = INBOX.targets()
OUTBOX_MOVES: Final = OUTBOX.targets()
