"""The Store port: what the engine asks of a database, in the engine's words.

A store assigns `seq` (the order inside a thread) in the transaction that stores a row, counts an attempt in the
transaction that makes a row the runnable head of its thread, and hands rows on in commit order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from bridge.store.housekeeping import Housekeeping, HousekeepingReader

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bridge.events import ThreadRef
    from bridge.statements import Record, Statement
    from bridge.store.looks import (
        AccountSummary,
        AuditEntry,
        DeadLetter,
        EventSummary,
        HistoryEntry,
        MessageSummary,
        Place,
        ThreadSummary,
        Unconfirmed,
    )
    from bridge.store.media import FetchEnd, FetchRetry, MediaRow
    from bridge.store.migrations import Applied, Migration
    from bridge.store.people.cards import ContactCard
    from bridge.store.records import (
        Arrival,
        InboxRow,
        OutboxRow,
        Receipt,
        Retry,
        Settled,
        StepRow,
        ThreadRow,
        TurnCommit,
    )
    from bridge.store.shapes import RawWebhook
    from bridge.store.shares import Use
    from bridge.store.traces import Trace, TracedEvent, TracedMessage


MANY: Final = 1 << 62
"""More than any number of a row."""


class Listener(Protocol):
    """Who is told what was committed: called by the store's writer, in commit order, before any caller is answered."""

    def received(self, rows: Sequence[InboxRow]) -> None:
        """Events that want a turn."""
        ...

    def queued(self, rows: Sequence[OutboxRow]) -> None:
        """Messages that want to leave."""
        ...

    def resolved(self, row_ids: Sequence[int]) -> None:
        """Messages whose unknown outcome a status settled: they are sent."""
        ...

    def timed(self, due_at: int) -> None:
        """A timer was set, due then."""
        ...

    def fetchable(self) -> None:
        """Media are to be fetched now."""
        ...

    def paused(self, account: str, reason: str, seconds: float) -> None:
        """Another process found that an account's provider takes nothing, or by 0 seconds that it does again."""
        ...

    def uses(self) -> Mapping[str, Use]:
        """Of each account with a rate, what this process can use of it."""
        ...

    def shared(self, processes: int, slots: Mapping[str, int]) -> None:
        """So many processes share the store now. `slots`: of an account's rate, those that are ours.

        Where an account is not named, each process has an equal part.
        """
        ...

    def inherited(self, *, missed: bool) -> None:
        """There are threads of a process that is gone: see `suspects`. `missed`: and rows that nobody told of."""
        ...

    def changed(self, thread_ids: Collection[int]) -> None:
        """Threads in which there is something new to see."""
        ...

    def broken(self, error: Exception) -> None:
        """The store failed for good; nothing may be acknowledged any more."""
        ...


class StoreReader(HousekeepingReader, Protocol):
    """What a look into a store can do, also beside the process that owns it.

    Every method raises Unavailable (may work later) and Broken (stop). The owner's listener hears of Broken first.
    """

    async def thread(self, thread_id: int) -> ThreadRow:
        """A thread as last committed. Raises NoThread when there is no such thread."""
        ...

    async def steps(self, thread_id: int) -> list[StepRow]:
        """The steps noted in a thread whose turn is not committed."""
        ...

    async def held(self, thread_id: int, limit: int) -> list[InboxRow]:
        """The latest events kept in a thread because a person has it, oldest first, without timers and statuses."""
        ...

    async def sent_by_us(self, row: InboxRow, now: int) -> bool | None:
        """Whether an echo is of a message of ours; None while one of its thread may be on the wire, and so unnamed."""
        ...

    async def dialogs(self, *, after: int = 0, limit: int = 1000) -> list[ThreadRow]:
        """Threads in which a dialog waits, by id from `after` on."""
        ...

    async def due_at(self, thread_id: int, name: str) -> int | None:
        """When the next timer of a name is due in a thread (microseconds); None: none waits."""
        ...

    async def inbox_after(self, thread_id: int, seq: int, limit: int) -> list[InboxRow]:
        """A thread's open events after `seq`, in order; at most `limit`, and fewer once they have READ_BYTES.

        The owner makes dead letters of rows that it cannot read, here and below: nothing may wait behind them.
        """
        ...

    async def outbox_after(self, thread_id: int, seq: int, limit: int) -> list[OutboxRow]:
        """A thread's open messages after `seq`, in order."""
        ...

    async def inbox_heads(self, after_seq: int, limit: int, account: str | None = None) -> list[InboxRow]:
        """The first open event of each thread that has one, by seq, from `after_seq` on."""
        ...

    async def outbox_heads(self, after_seq: int, limit: int, account: str | None = None) -> list[OutboxRow]:
        """The first open message of each thread that has one, by seq, from `after_seq` on."""
        ...

    async def dead_letters(
        self, *, account: str | None = None, limit: int = 1000, before: Place | None = None
    ) -> list[DeadLetter]:
        """What was given up or not understood, newest first, without its content; `before` is a letter's place."""
        ...

    async def oldest_letters(
        self, *, account: str | None, reason: str, until: int, limit: int, after: Place = (0, 0)
    ) -> list[tuple[int, str]]:
        """When each was given up, and its id: of an account, with a text in the reason, until then, the oldest first.

        `after` is the place of the last one of those before.
        """
        ...

    async def dead_letter(self, letter_id: str) -> DeadLetter | None:
        """One of them, with its content."""
        ...

    async def cursor(self, account: str, name: str) -> str | None:
        """How far what is called `name` was read at the provider, or None."""
        ...

    async def secret(self, account: str, name: str) -> str | None:
        """The value that is kept under a name of the account, or None."""
        ...

    async def unconfirmed(self, account: str, *, since: int, after: int, limit: int) -> list[Unconfirmed]:
        """Messages said since then (microseconds) that are sent, and neither delivered nor failed as far as is known.

        By row id, from `after` on, and only those that the provider gave an id.
        """
        ...

    async def threads(
        self, *, account: str | None = None, limit: int = 1000, held: bool = False, before: Place | None = None
    ) -> list[ThreadSummary]:
        """Threads, the latest first; with `held` those that a person has. `before` is a thread's place."""
        ...

    async def summary(self, thread_id: int) -> ThreadSummary | None:
        """The line of one thread."""
        ...

    async def accounts(self) -> list[AccountSummary]:
        """What waits and what was given up, by account. Its cost grows with that, and not with history."""
        ...

    async def threads_of_contact(self, contact_id: int) -> list[ThreadRow]:
        """All threads of a person, those of contacts merged with this one among them."""
        ...

    async def contacts(self, *, before: int = MANY, limit: int = 100) -> list[ContactCard]:
        """People whose numbers are lower than `before`, the newest first."""
        ...

    async def contact(self, contact_id: int) -> ContactCard | None:
        """The person that a contact is, also one that is merged into another; None: there is no such contact."""
        ...

    async def contacts_named(self, value: str) -> list[ContactCard]:
        """People by the value of an identity; a phone number also without its plus."""
        ...

    async def find_thread(self, ref: ThreadRef) -> int | None:
        """The id of the thread in which a conversation goes on."""
        ...

    async def history(
        self, thread_id: int, *, after: int = 0, before: int | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        """The latest `limit` things said in a thread between two positions, oldest first."""
        ...

    async def event(self, account: str, key: str) -> EventSummary | None:
        """Where the event of a key stands."""
        ...

    async def messages(self, keys: Sequence[str]) -> list[MessageSummary]:
        """Where messages stand, by their idempotency keys, in no order."""
        ...

    async def audited(
        self, *, account: str | None = None, before: Place | None = None, limit: int = 100
    ) -> list[AuditEntry]:
        """What was asked for, newest first; `before` is an entry's place."""
        ...

    async def find(self, name: str) -> list[str]:
        """The ids ("in-7", "out-12") of the events and messages that a name is for.

        A name is such an id or its number, an event key, an idempotency key, or what the gateway calls a message.
        """
        ...

    async def trace(self, letter_id: str) -> Trace | None:
        """The way of an event, or of that whose turn said a message; None: there is no such row."""
        ...

    async def recorded(self, thread_id: int, *, after: int = 0, limit: int = 1000) -> list[TracedEvent]:
        """A thread's events as stored, whatever became of them, by their ids, behind one of them."""
        ...

    async def spoken(self, thread_id: int, *, after: int = 0, limit: int = 1000) -> list[TracedMessage]:
        """A thread's messages as stored, whatever became of them, by their ids, behind one of them."""
        ...

    async def raws(self, limit: int, before: int | None = None) -> list[RawWebhook]:
        """What the latest webhooks brought, newest first, of events below a row id (None: of all)."""
        ...

    async def migrations(self) -> list[Applied]:
        """The author's migrations that are applied, by their numbers."""
        ...

    async def media(self, inbox_ids: Sequence[int]) -> list[MediaRow]:
        """The media of events, in no order; none for an event whose medium is not to be fetched."""
        ...

    async def forgotten_media(self, limit: int) -> list[tuple[MediaRow, bool]]:
        """Media whose bytes are to be removed; True beside one whose bytes another medium has too."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """How much is waiting, for health and the console."""
        ...

    async def processes(self) -> list[str]:
        """The processes that share the store, each as it names itself; none where one alone can have it."""
        ...

    async def close(self) -> None:
        """Let go of the store; one that writes finishes first what it accepted."""
        ...


class Store(StoreReader, Housekeeping, Protocol):
    """Durable conversations. Every method that changes something returns after its commit.

    All of them raise Unavailable (not stored; may work later) and Broken (stop), and what their text names. Where
    several processes share a database, each works in the threads that it holds, and reads rows of work of these only.
    What works in a thread of another process raises ClaimLost. A store with one process holds every thread.
    """

    def listen(self, listener: Listener) -> None:
        """Whom to tell what was committed, from now on."""
        ...

    async def receive(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Store events, once each by account and key, all or none, in the given order."""
        ...

    async def take_over(self) -> None:
        """Take the threads that nobody works in, and be told of work from now on."""
        ...

    def peek(self, thread_id: int) -> ThreadRow | None:
        """A thread as this process saw it last, if it remembers."""
        ...

    async def claimed(self, thread_id: int) -> ThreadRow:
        """A thread to work in, as it stands now, whoever changed it. Raises ClaimLost: another process has it now."""
        ...

    async def tell_pause(self, account: str, reason: str, seconds: float) -> None:
        """Tell the other processes that an account is paused, or by 0 seconds that it is not any more."""
        ...

    async def has_duty(self, name: str) -> bool:
        """Whether this is the process that does what is done once for all: takes a duty that nobody living has."""
        ...

    async def commit_turn(self, turn: TurnCommit) -> None:
        """One turn's whole effect.

        Raises:
            ClaimLost: the event is settled.
            ThreadMoved: it is not, but the thread moved on, or another turn sends under the same key right now.
            KeyTaken: it sends under a key that is known with other messages.
            StatementFailed: the database does not take a statement of the author's.
        """
        ...

    def statement(self, sql: str, parameters: Sequence[Any]) -> Statement:
        """A statement of the author's that changes rows, with `?` for each parameter, ready for `TurnCommit`.

        Raises:
            HandlerError: it is of another kind, or several, or the parameters do not go with it.
        """
        ...

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> list[Record]:
        """The rows of a query of the author's, as last committed.

        Raises:
            HandlerError: it is no query, or the parameters do not go with it.
            StatementFailed: the database does not take it.
        """
        ...

    async def migrate(self, migration: Migration, at: int) -> bool:
        """Apply a migration of the author's, and note it; False: another process did.

        Raises:
            HandlerError: it holds what no migration may.
            StatementFailed: the database does not take it; nothing of it is left.
        """
        ...

    async def end_dialog(self, thread_id: int, timer: str, at: int) -> bool:
        """End the dialog that waits in a thread, its open choices and the `timer` of its question; False: none waits.

        A turn of the thread that runs meanwhile is fenced off as by another turn.
        """
        ...

    async def start_step(self, step: StepRow) -> StepRow | None:
        """Note durably that a step is about to be taken; the one noted under its name before, if there is one."""
        ...

    async def end_step(self, step: StepRow) -> None:
        """Note durably what a step gave, so that it is not taken again when its turn is."""
        ...

    async def fire_timers(self, now: int, limit: int) -> int | None:
        """Make inbox events of the timers that are due, at most `limit`; when the next one is due, or None.

        Accounts with some have equal shares of the limit.
        """
        ...

    async def retry_turn(self, retry: Retry) -> None:
        """The turn failed and will be tried again; counts the next attempt."""
        ...

    async def settle_turn(self, settled: Settled) -> None:
        """The event is given up; its thread goes on."""
        ...

    async def retry_delivery(self, retry: Retry) -> None:
        """The message did not leave and will be tried again; counts the next attempt."""
        ...

    async def claim_delivery(self, row_id: int, at: int) -> None:
        """Note durably that the message is about to be sent: for accounts that want it at most once."""
        ...

    async def settle_delivery(self, settled: Settled) -> None:
        """The message's journey ended; joins any status that came early; the thread's next one may go."""
        ...

    async def claim_media(self, now: int, limit: int) -> tuple[list[MediaRow], int | None]:
        """Media to be fetched now, at most `limit` of each account, and when the next one is due (None: none waits).

        They are this process's until they are settled or it dies. It is given them again when it asks again.
        """
        ...

    async def retry_fetch(self, retry: FetchRetry) -> None:
        """The fetch failed and will be tried again."""
        ...

    async def settle_fetch(self, end: FetchEnd) -> bool:
        """The fetch ended; False: nobody wants the bytes any more."""
        ...

    async def forget_media(self, *, thread_id: int | None = None, before: int | None = None, limit: int = 1000) -> int:
        """Let nobody read media any more: those of a thread, those queued before a time, or both; how many these were.

        At most `limit`; the content of each is to be removed after that.
        """
        ...

    async def remove_media(self, media_id: int) -> None:
        """The bytes of a forgotten medium are gone."""
        ...

    def mark(self, slot: str, row_id: int, *, running: bool) -> None:
        """Note, without waiting for a disk, that a row ("in" or "out") is being worked on in this very moment.

        The note outlives the process (not the machine), so that after a crash the suspects are known.
        """
        ...

    def suspects(self, slot: str) -> frozenset[int]:
        """The rows that were being worked on when the last process died, or before and not again since."""
        ...

    def deaths(self, slot: str, row_id: int) -> int:
        """At how many deaths of a process a suspect was being worked on; 0: it is none."""
        ...

    async def try_suspect(self, row_id: int) -> None:
        """Note durably that a suspect event is about to run, where `mark` does not outlive the process."""
        ...

    async def merge_contacts(self, contact_id: int, other_id: int, at: int) -> bool:
        """Two contacts are one person from now on, who goes on as the first; False: they were before.

        Raises:
            NoContact: there is no such contact.
        """
        ...

    async def unmerge_contact(self, contact_id: int, at: int) -> bool:
        """A contact that was merged into another is a person of their own again; False: they are. Raises NoContact."""
        ...

    async def replay(self, letter_id: str, at: int, arrivals: Sequence[Arrival] | None = None) -> bool:
        """Append a dead letter to its thread again; for quarantine, the events it now turns out to hold.

        Raises:
            Unmappable: this version cannot read it.
        """
        ...

    async def drop(self, letter_id: str, at: int) -> bool:
        """Put a dead letter aside for good."""
        ...

    async def audit(self, entry: AuditEntry) -> None:
        """Note durably who asked for a change; nothing changes or removes the note."""
        ...

    async def advance(self, account: str, name: str, value: str) -> None:
        """Everything before `value` is received."""
        ...

    async def renew_secret(self, account: str, name: str, value: str) -> None:
        """Keep a value under a name of the account, in the place of the one before."""
        ...

    async def keep_secret(self, account: str, name: str, value: str) -> str:
        """Keep a value under a name of the account; the value kept there before, if there is one, else this one."""
        ...
