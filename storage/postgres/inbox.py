"""The inbox: events stored once each by account and key, in their order, each in its thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.events import Echo
from bridge.frozen import changed
from bridge.store.admission import Known, admit, conflict_keys_of, joins_message, keys_of, wants_turn
from bridge.store.heads import begins
from bridge.store.lifecycle import InboxState
from bridge.store.people.identities import addressed, is_new_of
from bridge.store.people.meeting import meet
from bridge.store.takeover import after_news, after_taking, gateway_news, is_taken, may_take

from ..media import queue_values
from ..results import Result
from ..rows import EVENT_VALUES, KNOWN, event_row, event_values
from . import media, people, threads
from .evidence import is_ours
from .heads import busy
from .statuses import News
from .transaction import unnest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.events import ThreadRef
    from bridge.store.admission import Key
    from bridge.store.records import Arrival, ThreadRow

    from .transaction import Transaction

_ERASED: Final = r"'\x00'::bytea"
_KNOWN: Final = f"""
SELECT {KNOWN} FROM {unnest("text", "text")} j (account, key)
JOIN inbox i ON i.account = j.account AND i.event_key = j.key
UNION ALL SELECT j.account, j.key, {_ERASED}, {_ERASED}, NULL FROM {unnest("text", "text")} j (account, key)
JOIN tombstones t ON t.account = j.account
    AND t.digest = encode(sha256(convert_to(j.account || chr(10) || j.key, 'UTF8')), 'hex')
"""
"""What is stored under keys, or was until it was erased: as bridge.store.erasure.tombstone has it."""
_TYPES: Final = (
    "bigint text text bigint bigint text bytea bytea text bytea text text bigint bigint bigint"  # of EVENT_VALUES
)
_INSERT: Final = f"INSERT INTO inbox ({EVENT_VALUES}) SELECT * FROM {unnest(*_TYPES.split())}"


async def receive(tx: Transaction, units: Sequence[Sequence[Arrival]]) -> list[Result]:
    """Store the arrivals of several webhooks. Each result's `value` is a webhook's list of receipts."""
    known = await look_up(tx, keys_of(units, tx.memory.former_until))
    if conflicts := conflict_keys_of(units, known):
        known |= await look_up(tx, conflicts)
    results = [Result(value=[]) for _ in units]
    accepted: list[tuple[Arrival, Result]] = []
    for number, (unit, result) in enumerate(zip(units, results, strict=True)):
        for arrival in unit:
            admitted, receipt = admit(known, arrival, number)
            result.value.append(receipt)
            if admitted is not None:
                accepted.append((admitted, result))
    if accepted:
        await _Placing(tx).place(accepted, results)
    return results


async def look_up(tx: Transaction, keys: Sequence[Key]) -> dict[Key, Known]:
    """What is stored under keys."""
    rows = await tx.arrays(_KNOWN, keys)
    return {(account, key): Known(encoded, raw) for account, key, encoded, raw, _ in rows}


class _Placing:
    """Arrivals on their way into their threads."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._news = News()
        self._held: set[int] = set()
        """Threads whose holds changed."""
        self._inserts: list[tuple[Any, ...]] = []
        self._media: list[tuple[Any, ...]] = []
        self._made: set[int] = set()
        """Threads that were made just now."""

    async def place(self, accepted: Sequence[tuple[Arrival, Result]], results: Sequence[Result]) -> None:
        tx, arrivals = self._tx, [arrival for arrival, _ in accepted]
        if statuses := [arrival for arrival in arrivals if joins_message(arrival)]:
            await self._news.look_up(tx, statuses)
            await tx.lock(self._news.threads)
        self._made = await threads.ensure(tx, (arrival for arrival in arrivals if self._needs_thread(arrival)))
        for arrival, result in accepted:
            await self._place(arrival, result)
        await self._news.write(tx)
        await threads.write_holds(tx, self._held)
        heads = await _count_first_attempts(tx, results)
        await tx.arrays(_INSERT, [(*values, int(values[0] in heads)) for values in self._inserts])
        if self._media:
            await media.queue(tx, self._media)

    def _needs_thread(self, arrival: Arrival) -> bool:
        """Whether the thread that an arrival names is its own, or at least learns of it."""
        if arrival.with_person is not None and arrival.event is not None:
            return True
        if joins_message(arrival) and self._news.message_of(arrival) is not None:
            return False
        return arrival.state is InboxState.OPEN or not joins_message(arrival)

    async def _place(self, arrival: Arrival, result: Result) -> None:
        """Give an arrival its number and its thread; rows that want a turn go to the listener."""
        if arrival.with_person is not None:
            await self._place_news(arrival, result)
        tx, event, state = self._tx, arrival.event, arrival.state
        thread: ThreadRow | None = None
        thread_id: int | None = None
        joins = joins_message(arrival)
        if not joins and arrival.ref is not None:
            arrival, thread = await self._goes_on(arrival, arrival.ref, result)
        (number,) = await tx.numbers(1)  # drawn once all threads are locked, so in order inside each
        if joins:
            thread_id, state = self._news.join(arrival, number, result)
            if thread_id is None and arrival.ref is not None and state is InboxState.OPEN:
                arrival, thread = await self._goes_on(arrival, arrival.ref, result)
        if thread is not None:
            thread_id = thread.id
        if thread is not None and may_take(event, state):
            await self._note_taking(arrival, thread, number)
        if thread_id is not None:
            result.threads.add(thread_id)
            if event is not None and wants_turn(state, event, thread_id):
                ref = tx.threads[thread_id].ref
                result.received.append(event_row(arrival, event, number, thread_id, ref))
                if arrival.fetches:
                    self._media.append(queue_values(arrival, event, number, thread_id))
                    result.fetchable = True
        self._inserts.append(event_values(arrival, number, thread_id, state))

    async def _goes_on(self, arrival: Arrival, ref: ThreadRef, result: Result) -> tuple[Arrival, ThreadRow]:
        """The thread in which an arrival goes on: that of its conversation, or another one of its sender.

        What threads hear of people that are one, because it says so, comes before it.
        """
        tx = self._tx
        base = threads.of(tx, ref)
        if not arrival.identities:
            return arrival, base
        thread = base if base.leads_to is None else tx.threads[base.leads_to]
        if is_new_of(arrival, thread):
            is_new = base.id in self._made and base.contact_id is None
            base = await threads.full(tx, base.id)
            thread = base if thread.id == base.id else await threads.full(tx, thread.id)
            thread, told = await people.run(tx, meet(arrival, base, thread, is_new=is_new))
            for news in told:
                await self._place(news, result)
        return addressed(arrival, base, thread), thread

    async def _place_news(self, arrival: Arrival, result: Result) -> None:
        """Before an arrival, what the gateway tells with it of who has the thread, if that is news."""
        if arrival.ref is None or arrival.event is None:
            return
        _, thread = await self._goes_on(arrival, arrival.ref, result)
        if (news := gateway_news(arrival, thread)) is not None:
            threads.hold(self._tx, thread, after_news(thread.hold, with_person=bool(arrival.with_person)))
            self._held.add(thread.id)
            await self._place(news, result)

    async def _note_taking(self, arrival: Arrival, thread: ThreadRow, number: int) -> None:
        """A person may take a thread with this arrival; where that is not certain, its turn finds out."""
        event = arrival.event
        assert event is not None
        ours: bool | None = False
        if isinstance(event, Echo):
            ours = await is_ours(self._tx.fetch, event, arrival.account, thread.id, at=arrival.received_at, waited=0)
        if is_taken(event, ours=ours):
            threads.hold(self._tx, thread, after_taking(thread.hold, number))
            self._held.add(thread.id)


async def _count_first_attempts(tx: Transaction, results: Sequence[Result]) -> set[int]:
    """An event that found its thread idle is its runnable head: its first attempt begins with this transaction."""
    thread_ids = {row.thread_id for result in results for row in result.received}
    in_use = await busy(tx, "inbox", thread_ids)
    heads: set[int] = set()
    for result in results:
        for index, row in enumerate(result.received):
            if begins(row.thread_id, in_use):
                heads.add(row.id)
                result.received[index] = changed(row, attempt=1)
    return heads
