"""The writing half of the Store port, over a group commit: what is the same whatever the database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from .results import together
from .writer import Unit, Writer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.errors import StoreError
    from bridge.store.broadcasts import Broadcast, BroadcastMove, BroadcastStep, Recipient
    from bridge.store.encryption import Resealed
    from bridge.store.erasure import Erased, ErasedContact
    from bridge.store.following import Followers
    from bridge.store.looks import AuditEntry
    from bridge.store.measures import Commits
    from bridge.store.media import FetchEnd, FetchRetry
    from bridge.store.migrations import Migration
    from bridge.store.port import Listener
    from bridge.store.records import Arrival, Receipt, Retry, Settled, StepRow, ThreadRow, TurnCommit
    from bridge.store.retention import Sweep, Swept

    from .memory import ThreadMemory
    from .results import Result
    from .suspects import Marks
    from .unreadable import Unreadable

SLOTS: Final = {"in": "inbox", "out": "outbox"}
"""What suspects are rows of."""
_BY_SEQ: Final = attrgetter("seq")


class Owner(ABC):
    """Hands each change to the writer as a unit, and each commit to the listener."""

    def __init__(self, memory: ThreadMemory, marks: Marks | None) -> None:
        """Nothing is written until the writer starts."""
        self._memory = memory
        self._marks = marks
        self._listener: Listener | None = None
        self._followers: Followers | None = None
        self._writer = Writer(self._transact, self._tell, self._broke)

    @abstractmethod
    async def _transact(self, units: Sequence[Unit]) -> list[Result | StoreError]:
        """See Writer."""

    @property
    def commits(self) -> Commits:
        """See bridge.store.measures.Measured."""
        return self._writer.commits

    def listen(self, listener: Listener) -> None:
        """Whom to tell what was committed, from now on."""
        self._listener = listener

    def follow(self, followers: Followers) -> None:
        """Tell followers what happens in threads, from now on."""
        self._followers = followers

    async def receive(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Store events, once each by account and key, all or none, in the given order."""
        size = 0
        for arrival in arrivals:
            size += len(arrival.raw) + len(arrival.encoded)
        receipts: list[Receipt] = (await self._writer.submit(Unit("receive", arrivals, size, lapses=True))).value
        return receipts

    def peek(self, thread_id: int) -> ThreadRow | None:
        """A thread as last committed, if it is remembered."""
        return self._memory.thread(thread_id)

    async def commit_turn(self, turn: TurnCommit) -> None:
        """One turn's whole effect. Raises ClaimLost when the event is settled, ThreadMoved when only the thread is."""
        await self._writer.put(Unit("commit turn", turn))

    async def migrate(self, migration: Migration, at: int) -> bool:
        """Apply a migration of the author's, and note it; False: another process did."""
        return bool((await self._writer.put(Unit("migrate", (migration, at)))).value)

    async def end_dialog(self, thread_id: int, timer: str, at: int) -> bool:
        """End the dialog that waits in a thread; False: none waits."""
        return bool((await self._writer.put(Unit("end dialog", (thread_id, timer, at)))).value)

    async def start_step(self, step: StepRow) -> StepRow | None:
        """Note durably that a step is about to be taken; the one noted under its name before, if there is one."""
        noted: StepRow | None = (await self._writer.put(Unit("start step", step))).value
        return noted

    async def end_step(self, step: StepRow) -> None:
        """Note durably what a step gave, so that it is not taken again when its turn is."""
        await self._writer.put(Unit("end step", step))

    async def fire_timers(self, now: int, limit: int) -> int | None:
        """Make inbox events of the timers that are due, at most `limit`; when the next one is due, or None."""
        due: int | None = (await self._writer.put(Unit("fire timers", (now, limit)))).value
        return due

    async def retry_turn(self, retry: Retry) -> None:
        """The turn failed and will be tried again; counts the next attempt."""
        await self._writer.put(Unit("retry turn", retry))

    async def settle_turn(self, settled: Settled) -> None:
        """The event is given up; its thread goes on."""
        await self._writer.put(Unit("settle turn", settled))

    async def retry_delivery(self, retry: Retry) -> None:
        """The message did not leave and will be tried again; counts the next attempt."""
        await self._writer.put(Unit("retry delivery", retry))

    async def claim_delivery(self, row_id: int, at: int) -> None:
        """Note durably that the message is about to be sent."""
        await self._writer.put(Unit("claim delivery", (row_id, at)))

    async def settle_delivery(self, settled: Settled) -> None:
        """The message's journey ended; joins any status that came early; the thread's next one may go."""
        await self._writer.put(Unit("settle delivery", settled))

    async def advance(self, account: str, name: str, value: str) -> None:
        """Everything before `value` is received."""
        await self._writer.put(Unit("advance", (account, name, value)))

    async def keep_secret(self, account: str, name: str, value: str) -> str:
        """Keep a value under a name; the value kept there before, if there is one, else this one."""
        kept: str = (await self._writer.put(Unit("keep secret", (account, name, value)))).value
        return kept

    async def renew_secret(self, account: str, name: str, value: str) -> None:
        """Keep a value under a name, in the place of the one before."""
        await self._writer.put(Unit("renew secret", (account, name, value)))

    async def retry_fetch(self, retry: FetchRetry) -> None:
        """The fetch failed and will be tried again."""
        await self._writer.put(Unit("retry fetch", retry))

    async def settle_fetch(self, end: FetchEnd) -> bool:
        """The fetch ended; False: nobody wants the bytes any more."""
        return bool((await self._writer.put(Unit("settle fetch", end))).value)

    async def forget_media(self, *, thread_id: int | None = None, before: int | None = None, limit: int = 1000) -> int:
        """Let nobody read media any more: those of a thread, those queued before a time, or both."""
        count: int = (await self._writer.put(Unit("forget media", (thread_id, before, limit)))).value
        return count

    async def remove_media(self, media_id: int) -> None:
        """The bytes of a forgotten medium are gone."""
        await self._writer.put(Unit("remove media", media_id))

    async def sweep(self, sweep: Sweep, before: int, *, after: int = 0, limit: int = 200) -> Swept:
        """Remove or empty rows that are older than `before`, at most `limit`, from row `after` on."""
        swept: Swept = (await self._writer.put(Unit("sweep", (sweep, before, after, limit)))).value
        return swept

    async def erase(self, thread_id: int, at: int, *, limit: int = 100) -> Erased:
        """Remove a part of a thread, and with the last part the thread itself."""
        erased: Erased = (await self._writer.put(Unit("erase", (thread_id, at, limit)))).value
        return erased

    async def erase_contact(self, contact_id: int) -> ErasedContact:
        """Remove what is known of a person, once no thread of theirs is left."""
        erased: ErasedContact = (await self._writer.put(Unit("erase contact", (contact_id,)))).value
        return erased

    async def wipe(self) -> bool:
        """A database on a server overwrites what is erased by itself, in its own time."""
        return True

    async def reseal(self, limit: int = 500) -> Resealed:
        """A part of a rotation of the keys, from where the last part ended."""
        resealed: Resealed = (await self._writer.put(Unit("reseal", (limit,)))).value
        return resealed

    async def leap(self) -> None:
        """Leave out numbers of timers."""
        await self._writer.put(Unit("leap", ()))

    async def merge_contacts(self, contact_id: int, other_id: int, at: int) -> bool:
        """Two contacts are one person from now on; False: they were before."""
        return bool((await self._writer.put(Unit("merge", (contact_id, other_id, at)))).value)

    async def unmerge_contact(self, contact_id: int, at: int) -> bool:
        """A contact that was merged is a person of their own again; False: they were not merged."""
        return bool((await self._writer.put(Unit("unmerge", (contact_id, at)))).value)

    async def replay(self, letter_id: str, at: int, arrivals: Sequence[Arrival] | None = None) -> bool:
        """Append a dead letter to its thread again; for quarantine, the events it now turns out to hold."""
        return bool((await self._writer.put(Unit("replay", (letter_id, at, arrivals)))).value)

    async def drop(self, letter_id: str, at: int) -> bool:
        """Put a dead letter aside for good."""
        return bool((await self._writer.put(Unit("drop", (letter_id, at)))).value)

    async def add_broadcast(self, broadcast: Broadcast) -> None:
        """Begin a draft."""
        await self._writer.put(Unit("add broadcast", (broadcast,)))

    async def add_recipients(self, broadcast_id: str, recipients: Sequence[Recipient]) -> list[int] | None:
        """Add to a draft; the numbers of those whose conversation it has already. None: there is no such draft."""
        size = sum(len(recipient.fields) for recipient in recipients)
        result = await self._writer.put(Unit("add recipients", (broadcast_id, recipients), size))
        repeated: list[int] | None = result.value
        return repeated

    async def move_broadcast(self, broadcast_id: str, move: BroadcastMove, at: int, reason: str = "") -> bool:
        """Start, pause, cancel or end a broadcast; False: that cannot happen to it."""
        return bool((await self._writer.put(Unit("move broadcast", (broadcast_id, move, at, reason)))).value)

    async def step_broadcast(self, step: BroadcastStep) -> Mapping[int, int | None]:
        """Release recipients, and note outcomes."""
        threads: Mapping[int, int | None] = (await self._writer.put(Unit("step broadcast", (step,)))).value
        return threads

    async def audit(self, entry: AuditEntry) -> None:
        """Note durably who asked for a change."""
        await self._writer.put(Unit("audit", entry))

    def mark(self, slot: str, row_id: int, *, running: bool) -> None:
        """Note that a row ("in" or "out") is being worked on in this very moment."""
        if self._marks is not None:
            self._marks.mark(slot, row_id, running=running)

    def suspects(self, slot: str) -> frozenset[int]:
        """The rows that were being worked on when the last process died."""
        return self._marks.suspects[slot] if self._marks is not None else frozenset()

    def deaths(self, slot: str, row_id: int) -> int:
        """At how many deaths of a process a suspect was being worked on; 0: it is none."""
        return self._marks.deaths(slot, row_id) if self._marks is not None else 0

    async def _give_up(self, table: str, rows: Sequence[Unreadable]) -> bool:
        await self._writer.put(Unit("give up unreadable", (table, rows)))
        return True

    def _tell(self, results: Sequence[Result | StoreError]) -> None:
        """Hand on what a transaction brought, in the order of its numbers."""
        if self._listener is None:
            return
        news = together(results)
        if news.received:
            news.received.sort(key=_BY_SEQ)
            self._listener.received(news.received)
        if news.queued:
            news.queued.sort(key=_BY_SEQ)
            self._listener.queued(news.queued)
        if news.resolved:
            self._listener.resolved(news.resolved)
        if news.due is not None:
            self._listener.timed(news.due)
        if news.fetchable:
            self._listener.fetchable()
        if news.broadcasts:
            self._listener.broadcasting()
        self._listener.changed(news.threads)

    def _broke(self, error: Exception) -> None:
        if self._listener is not None:
            self._listener.broken(error)


def indexes_by_kind(units: Sequence[Unit]) -> dict[str, list[int]]:
    """The indexes of units, by their kinds."""
    indexes: dict[str, list[int]] = {}
    for index, unit in enumerate(units):
        if unit.kind in indexes:
            indexes[unit.kind].append(index)
        else:
            indexes[unit.kind] = [index]
    return indexes
