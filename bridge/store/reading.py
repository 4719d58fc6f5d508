"""The reading half of the Store port: what a look into a store can do, also beside the process that owns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from bridge.store.broadcasts import BroadcastReader
from bridge.store.housekeeping import HousekeepingReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.events import ThreadRef
    from bridge.store.looks import (
        AccountSummary,
        AuditEntry,
        DeadLetter,
        EventSummary,
        HistoryEntry,
        MessageSummary,
        Place,
        ThreadPage,
        ThreadSearch,
        ThreadSummary,
        TimerSummary,
        Unconfirmed,
    )
    from bridge.store.media import MediaRow
    from bridge.store.migrations import Applied
    from bridge.store.people.cards import ContactCard
    from bridge.store.records import (
        InboxRow,
        OutboxRow,
        StepRow,
        ThreadRow,
    )
    from bridge.store.shapes import RawWebhook
    from bridge.store.spending import Spent, SpentBudget
    from bridge.store.traces import Trace, TracedEvent, TracedMessage

MANY: Final = 1 << 62
"""More than any number of a row."""


class StoreReader(HousekeepingReader, BroadcastReader, Protocol):
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
        self,
        *,
        account: str | None = None,
        reason: str = "",
        state: str | None = None,
        limit: int = 1000,
        before: Place | None = None,
    ) -> list[DeadLetter]:
        """What was given up or not understood, newest first, without its content; `before` is a letter's place.

        Only those with a text in the reason, and in a state: "dead" or "quarantined".
        """
        ...

    async def oldest_letters(
        self,
        *,
        account: str | None,
        reason: str,
        until: int,
        limit: int,
        after: Place = (0, 0),
        state: str | None = None,
    ) -> list[tuple[int, str]]:
        """When each was given up, and its id: of an account, with a text in the reason, until then, the oldest first.

        `after` is the place of the last one of those before; `state` is as above.
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

    async def spent(self, account: str, budget: str) -> Spent | None:
        """What was spent of a budget of the account, in the latest period; None: nothing ever was."""
        ...

    async def spending(self, *, account: str | None = None, limit: int = 1000) -> list[SpentBudget]:
        """What was spent of budgets, the one last charged first."""
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

    async def search_threads(
        self, search: ThreadSearch, *, limit: int = 100, before: Place | None = None
    ) -> ThreadPage:
        """Threads that a person looks for, the latest first; `before` is where the page before said to go on.

        Those whose contact has the text as an identity come first, wherever they stand. The cost is bounded, however
        many threads and messages there are.
        """
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

    async def messages(self, turns: Sequence[Sequence[str]]) -> list[MessageSummary]:
        """Where messages stand, by their idempotency keys, in no order.

        The keys of a turn stand together, that of its first message first: where it is not there, nor are the others.
        """
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

    async def last_said(self, thread_ids: Sequence[int]) -> Mapping[int, HistoryEntry]:
        """By thread, what was said last in it, by the contact or by us; a thread without anything said is left out."""
        ...

    async def timeline(
        self, thread_id: int, *, before: int | None = None, limit: int = 100
    ) -> list[TracedEvent | TracedMessage]:
        """The latest events and messages of a thread with ids below `before`, oldest first.

        Events come without the bytes of their webhooks, messages with their tries.
        """
        ...

    async def timers_to_come(
        self, *, account: str | None = None, limit: int = 100, after: Place = (0, 0)
    ) -> list[TimerSummary]:
        """Timers that wait, the next one first; the place of a timer is when it is due and its id."""
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
