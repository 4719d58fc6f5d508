"""What a store keeps, in the engine's words: its rows, what goes into it, and every state a row can be in."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from bridge.events import FROM_CONTACT
from bridge.frozen import changed, dataclass
from bridge.store.lifecycle import HoldState, InboxMove, OutboxState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Self

    from bridge.events import Contact, Event, StatusValue, ThreadRef
    from bridge.messages import Outgoing
    from bridge.planning.choices import Choice
    from bridge.planning.plan import Bar
    from bridge.statements import Statement
    from bridge.store.lifecycle import InboxState, Outcome
    from bridge.store.media import KeptMedium
    from bridge.store.spending import Charge


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The hold that a person has, or had, on a thread.

    `note` is for the person; None while the bot has the thread. `taken_seq` is the `seq` of the last event by which a
    person took the thread. `silenced_seq` is the `seq` below which messages must not leave any more. `at_gateway`: the
    gateway itself says that a person has the thread.
    """

    note: str | None = None
    taken_seq: int = 0
    silenced_seq: int = 0
    at_gateway: bool = False

    @property
    def state(self) -> HoldState:
        """Where the hold stands."""
        if self.note is None:
            return HoldState.CLAIMED if self.at_gateway else HoldState.BOT
        return HoldState.AT_GATEWAY if self.at_gateway else HoldState.PERSON

    def takes(self, event_seq: int) -> bool:
        """Whether the person took the thread after this event: without a turn so far, it is theirs too."""
        return event_seq < self.taken_seq

    def silences(self, message_seq: int) -> bool:
        """Whether this message must not leave any more."""
        return message_seq < self.silenced_seq


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRow:
    """A conversation as it stands. `version` climbs with every committed turn.

    `address` is what an answer has to carry beside the thread; `last_heard` when the contact last spoke (microseconds).
    `heard` is the version that the turn made in which the contact last did.
    `dialog` is the dialog that waits in it, as bridge.conversation.journal writes it; `members` are the states of its
    members, as bridge.conversation.members writes them.
    `opted_out` is the id of the event with which the contact did so; 0: they did not.
    `contact_id` is the contact whose thread it is (None: a group's, or not known yet), and `person` what is known of
    them; `named` are the identities that its events name. `leads_to`: events that come under its conversation id go on
    in that thread. `lost` are conversation ids that another person has now. See bridge.store.people.
    `contact` is the contact as stored, where this process has stored it; else None.
    """

    id: int
    ref: ThreadRef
    state: bytes = b"{}"
    step: str | None = None
    version: int = 0
    choices: Sequence[Choice] = ()
    address: Mapping[str, str] = field(default_factory=dict)
    last_heard: int | None = None
    heard: int = 0
    dialog: bytes | None = None
    members: bytes | None = None
    hold: Hold = Hold()
    opted_out: int = 0
    contact_id: int | None = None
    person: bytes | None = None
    named: bytes = b""
    leads_to: int | None = None
    lost: Sequence[str] = ()
    contact: Contact | None = field(default=None, compare=False)

    @property
    def is_held(self) -> bool:
        """Whether a person has the thread, and the bot is silent."""
        return self.hold.note is not None

    @property
    def is_alias(self) -> bool:
        """Whether nothing happens in it any more. A thread that lost its id to another person goes on under others."""
        return self.leads_to is not None and not self.lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An event at the door. `state` is OPEN when it wants a turn, DONE when it is only recorded, or QUARANTINED.

    `key` begins with one of admission.OWN_KEYS if and only if it was made here. `ref` is None where only the message a
    Status speaks of tells the thread, and in quarantine. `event` is None in quarantine only. `encoded` is the event as
    stored; `raw` the webhook's own bytes. `with_person` is whether the gateway says that a person has the thread; when
    that is news, a Handoff or a Returned is stored right before. `former_keys` are the keys of the same event in
    databases from before keys held their conversation. `fetches`: its medium is to be fetched. `identities` name its
    sender, as bridge.store.people writes them.
    """

    account: str
    key: str
    ref: ThreadRef | None
    event: Event | None
    encoded: bytes
    raw: bytes
    state: InboxState
    address: Mapping[str, str] = field(default_factory=dict)
    channel: str | None = None
    reason: str = ""
    received_at: int
    with_person: bool | None = None
    former_keys: tuple[str, ...] = ()
    fetches: bool = False
    identities: bytes = b""


class Receipt(StrEnum):
    """What became of an arrival."""

    STORED = "stored"
    REPEATED = "repeated"
    CONFLICT = "conflict"
    """The key is known with another content: the first one counts, this one is quarantined."""


STORED: Final = Receipt.STORED
CONFLICT: Final = Receipt.CONFLICT


READ_BYTES: Final = 1 << 20
"""A read of rows of work ends with the row that makes it so large: they take several times that in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """An event that wants its turn. `replay` counts how often a person appended it again.

    `received_at` is when it was stored, `tried_at` when it failed last (microseconds). `size` is in stored bytes.
    `after` is the `seq` of the open event before it, where another process may have stored that one; else 0.
    """

    id: int
    seq: int
    thread_id: int
    ref: ThreadRef
    key: str
    event: Event
    attempt: int
    replay: int = 0
    available_at: int = 0
    address: Mapping[str, str] = field(default_factory=dict)
    received_at: int = 0
    tried_at: int = 0
    size: int = field(default=0, compare=False)
    after: int = field(default=0, compare=False)

    def as_of(self, now: int) -> Self:
        """The row as it is read now. A wait that was written down while the clock was ahead begins now."""
        if self.tried_at <= now:
            return self
        return changed(self, available_at=now + max(0, self.available_at - self.tried_at), tried_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """One part of a plan, to become one outbox row; `encoded` is the message as stored.

    `dropped` says why it does not even begin its journey: it is a dead letter from the start. `bar` is the kind of it.
    """

    key: str
    message: Outgoing
    encoded: bytes
    available_at: int = 0
    expires_at: int | None = None
    given_up: Sequence[str] = ()
    dropped: str = ""
    bar: Bar | None = None

    @property
    def state(self) -> OutboxState:
        """Where its row begins."""
        return OutboxState.DEAD if self.dropped else OutboxState.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerRow:
    """A timer of a thread, waiting: at `due_at` (microseconds) it becomes an inbox event with the key `timer:<id>`.

    `message` is a message as JSON, or `handler` a function ("module:qualname") with `arguments` (JSON), that sees the
    state as `model`. `held` is the `taken_seq` of the hold for which it is set; see bridge.events.Timer.
    """

    due_at: int
    name: str = ""
    unless: str | None = None
    message: bytes | None = None
    handler: str | None = None
    arguments: bytes = b"{}"
    model: str | None = None
    held: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A message that wants to leave. Times are in microseconds, `tried_at` is when it failed last.

    `unanswered`: a try of it had no answer, so the contact may have it. `size` is in stored bytes.
    `after` is the `seq` of the open message before it, where another process may have stored that one; else 0.
    `answers` is the id of the event that it answers directly, something that the contact said; 0: it answers none.
    """

    id: int
    seq: int
    thread_id: int
    ref: ThreadRef
    key: str
    message: Outgoing
    answers: int = 0
    attempt: int
    address: Mapping[str, str] = field(default_factory=dict)
    created_at: int
    available_at: int = 0
    expires_at: int | None = None
    claimed: bool = False
    tried_at: int = 0
    unanswered: bool = False
    size: int = field(default=0, compare=False)
    after: int = field(default=0, compare=False)

    def as_of(self, now: int) -> Self:
        """The row as it is read now. A wait that was written down while the clock was ahead begins now."""
        if self.tried_at <= now:
            return self
        return changed(self, available_at=now + max(0, self.available_at - self.tried_at), tried_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnCommit:
    """All that one turn does, in one transaction: the event is done, the thread moves on, the messages wait to leave.

    `thread` is the thread as the turn leaves it, its `version` still the one the turn began with. `cancelled` names
    timers set earlier, due or not; `timers` are set after that. `others` are older events that this turn answers too.
    `holds`: the event is kept, not done, because a person has the thread. `returns`: events kept so are done, and the
    timers and statuses among them wait for their turns again; timers named in `restarts` wait their whole time again.
    `silences`: a person took the thread, and what waits in its outbox is not to leave any more. `dead`: why the event
    is given up. `steps`: runs of dialogs that took steps or ended; what was noted of these is in the dialog now, or of
    no use any more. `sends`: events of other threads, each a bridge.events.Send. `statements` are the author's own.
    `media`: what the messages carry of our own. `person`: what is kept of the contact from now on, if that is news.
    `opts_out`: the contact opts out of messages, or in again. `was_held`: a person had the thread before the turn.
    """

    row: InboxRow
    thread: ThreadRow
    was_held: bool = False
    others: Sequence[InboxRow] = ()
    sayings: Sequence[Saying] = ()
    timers: Sequence[TimerRow] = ()
    cancelled: Sequence[str] = ()
    holds: bool = False
    returns: bool = False
    restarts: Sequence[str] = ()
    silences: bool = False
    dead: str = ""
    steps: Collection[str] = ()
    sends: Sequence[Arrival] = ()
    statements: Sequence[Statement] = ()
    media: Sequence[KeptMedium] = ()
    person: bytes | None = None
    opts_out: bool | None = None
    at: int

    @property
    def rows(self) -> Sequence[InboxRow]:
        """The events of the turn, oldest first."""
        return (*self.others, self.row)

    @property
    def is_plain(self) -> bool:
        """Whether the turn answers one event of a contact with messages, and does nothing else: nearly all do so."""
        if self.others or self.timers or self.cancelled or self.steps or self.sends or self.statements or self.media:
            return False
        if self.holds or self.returns or self.restarts or self.silences or self.dead:
            return False
        return self.person is None and self.opts_out is None and isinstance(self.row.event, FROM_CONTACT)

    @property
    def move(self) -> InboxMove:
        """What the turn does to its events."""
        if self.dead:
            return InboxMove.GIVEN_UP
        return InboxMove.KEPT if self.holds else InboxMove.ANSWERED


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """A step that a dialog takes in a turn which is not committed yet: `run` and `position` tell which, `call` what.

    `key` is what it is known by outside, `result` JSON, or None while it is not known to have ended.
    `charges` are taken from their budgets at the start, and settled by the `cost` at the end; no store keeps them here.
    """

    thread_id: int
    run: str
    position: int
    call: str
    key: str
    at: int
    result: bytes | None = None
    charges: tuple[Charge, ...] = ()
    cost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A row that failed and is tried again, not before `available_at`.

    `attempt` is that of the next try; with `free` the last one did not count, and the next has the same number.
    `others` are events of the same thread behind it that took part in its turn: it counts as an attempt of theirs too.
    """

    row_id: int
    thread_id: int
    attempt: int
    reason: str
    available_at: int
    at: int
    exchange: bytes = b""
    outcome: Outcome | None = None
    free: bool = False
    others: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The end of a message's journey, or of an event that is given up.

    For messages `state` is SENT, DEAD or EXPIRED; `exchange` is the redacted last try as JSON. For events `trace` is
    where in the author's code the last try failed.
    """

    row_id: int
    thread_id: int
    attempt: int
    state: InboxState | OutboxState
    at: int
    outcome: Outcome | None = None
    reason: str = ""
    message_id: str | None = None
    status: StatusValue | None = None
    exchange: bytes = b""
    trace: str = ""
