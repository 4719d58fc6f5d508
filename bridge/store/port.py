"""The Store port: what the engine asks of a database, in the engine's words.

A store assigns `seq` (the order inside a thread) in the transaction that stores a row, counts an attempt in the
transaction that makes a row the runnable head of its thread, and hands rows on in commit order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from bridge.store.broadcasts import BroadcastWriter
from bridge.store.housekeeping import Housekeeping
from bridge.store.reading import MANY, StoreReader

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bridge.statements import Record, Statement
    from bridge.store.following import Followers
    from bridge.store.looks import AuditEntry
    from bridge.store.media import FetchEnd, FetchRetry, MediaRow
    from bridge.store.migrations import Migration
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
    from bridge.store.shares import Use


__all__ = ["MANY", "Listener", "Store", "StoreReader"]


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

    def broadcasting(self) -> None:
        """A broadcast was started, paused, cancelled or ended, here or in another process."""
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


class Store(StoreReader, Housekeeping, BroadcastWriter, Protocol):
    """Durable conversations. Every method that changes something returns after its commit.

    All of them raise Unavailable (not stored; may work later) and Broken (stop), and what their text names. Where
    several processes share a database, each works in the threads that it holds, and reads rows of work of these only.
    What works in a thread of another process raises ClaimLost. A store with one process holds every thread.
    """

    def listen(self, listener: Listener) -> None:
        """Whom to tell what was committed, from now on."""
        ...

    def follow(self, followers: Followers) -> None:
        """Put what followers are told into the outbox, from now on, in the transaction in which it happens."""
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
        """Note durably that a step is about to be taken; the one noted under its name before, if there is one.

        Takes its charges, unless its result is known. Raises BudgetSpent, and notes nothing, where one does not fit.
        """
        ...

    async def end_step(self, step: StepRow) -> None:
        """Note durably what a step gave, so that it is not taken again when its turn is. Settles its charges, once."""
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
