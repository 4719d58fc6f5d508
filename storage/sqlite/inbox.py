"""The inbox: events stored once each by account and key, in their order, each in its thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from bridge.events import Echo
from bridge.frozen import dataclass
from bridge.store.admission import ERASED, Known, admit, conflict_keys_of, joins_message, keys_of, wants_turn
from bridge.store.echoes import is_ours
from bridge.store.erasure import tombstone
from bridge.store.heads import begins
from bridge.store.lifecycle import InboxState
from bridge.store.people.identities import addressed, is_new_of
from bridge.store.people.meeting import meet
from bridge.store.takeover import after_news, after_taking, gateway_news, is_taken, may_take

from ..media import queue_values
from ..results import Result
from ..rows import EVENT_VALUES, KNOWN, event_row, event_values
from . import media, people, statuses, threads
from .evidence import ThreadEvidence
from .heads import busy
from .inserting import Insert

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.events import Event, ThreadRef
    from bridge.store.admission import Key
    from bridge.store.records import Arrival, ThreadRow

    from .cache import Cache

_KNOWN: Final = f"""
SELECT {KNOWN} FROM json_each(?) k CROSS JOIN json_each(k.value) j
CROSS JOIN inbox i ON i.account = k.key AND i.event_key = j.value
"""
ANY_TOMBSTONE: Final = "SELECT 1 FROM tombstones LIMIT 1"
_TOMBSTONE: Final = "SELECT 1 FROM tombstones WHERE account = ? AND digest = ?"
_INSERT: Final = Insert("inbox", EVENT_VALUES)


Waiting: TypeAlias = "tuple[Result, Arrival, Event, int, int, ThreadRef]"
"""An arrival that wants a turn: whose result it is in, itself, its event, its number, its thread and where that is."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """What becomes of the arrivals of a webhook: its result, the rows to insert, and those that wait for a turn."""

    result: Result
    inserts: list[tuple[Any, ...]]
    waiting: list[Waiting]


def receive(db: sqlite3.Connection, cache: Cache, units: Sequence[Sequence[Arrival]]) -> list[Result]:
    """Store the arrivals of several webhooks. Each result's `value` is a webhook's list of receipts."""
    known = look_up(db, keys_of(units, cache.former_until))
    if conflicts := conflict_keys_of(units, known):
        known |= look_up(db, conflicts)
    inserts: list[tuple[Any, ...]] = []
    results: list[Result] = []
    waiting: list[Waiting] = []
    for number, unit in enumerate(units):
        result = Result([])
        results.append(result)
        placed = _Placed(result, inserts, waiting)
        for arrival in unit:
            accepted, receipt = admit(known, arrival, number)
            result.value.append(receipt)
            if accepted is not None:
                _place(db, cache, accepted, placed)
    heads = _hand_on(db, waiting)
    _INSERT.run(db, [(*values, int(values[0] in heads)) for values in inserts])
    if any(arrival.fetches for _, arrival, *_ in waiting):
        _queue_media(db, waiting)
    return results


def _queue_media(db: sqlite3.Connection, waiting: Sequence[Waiting]) -> None:
    for result, arrival, event, number, thread_id, _ in waiting:
        if arrival.fetches:
            db.execute(media.QUEUE, queue_values(arrival, event, number, thread_id))
            result.fetchable = True


def look_up(db: sqlite3.Connection, keys: Sequence[Key]) -> dict[Key, Known]:
    """What is stored under keys, or was until it was erased."""
    by_account: dict[str, list[str]] = {}
    for account, key in keys:
        by_account.setdefault(account, []).append(key)
    rows = db.execute(_KNOWN, (orjson.dumps(by_account).decode(),))
    known = {(account, key): Known(encoded, raw) for account, key, encoded, raw, _ in rows}
    if db.execute(ANY_TOMBSTONE).fetchone() is not None:
        for account, key in keys:
            if db.execute(_TOMBSTONE, (account, tombstone(account, key))).fetchone() is not None:
                known.setdefault((account, key), Known(ERASED, ERASED))
    return known


def _place(db: sqlite3.Connection, cache: Cache, arrival: Arrival, placed: _Placed) -> None:
    """Give an arrival its number and its thread; it waits for its turn, if it wants one."""
    if arrival.with_person is not None:
        _place_news(db, cache, arrival, placed)
    event, state = arrival.event, arrival.state
    thread: ThreadRow | None = None
    thread_id: int | None = None
    joins = joins_message(arrival)
    if not joins and arrival.ref is not None:
        arrival, thread = _goes_on(db, cache, arrival, arrival.ref, placed)
    number = cache.row_number()
    if joins:
        thread_id, state = statuses.join(db, arrival, number, placed.result)
        if thread_id is None and arrival.ref is not None and state is InboxState.OPEN:
            arrival, thread = _goes_on(db, cache, arrival, arrival.ref, placed)
    if thread is not None:
        thread_id = thread.id
    if thread is not None and may_take(event, state):
        _note_taking(db, cache, arrival, thread, number)
    if thread_id is not None:
        placed.result.threads.add(thread_id)
        if event is not None and wants_turn(state, event, thread_id):
            ref = thread.ref if thread else threads.ref_of(db, cache, thread_id)
            placed.waiting.append((placed.result, arrival, event, number, thread_id, ref))
    placed.inserts.append(event_values(arrival, number, thread_id, state))


def _goes_on(
    db: sqlite3.Connection, cache: Cache, arrival: Arrival, ref: ThreadRef, placed: _Placed
) -> tuple[Arrival, ThreadRow]:
    """The thread in which an arrival goes on: that of its conversation, or another one of its sender.

    What threads hear of people that are one, because it says so, comes before it.
    """
    base, is_new = cache.find(ref), False
    if base is None:
        contact = arrival.event.contact if arrival.event else None
        base, is_new = threads.found(db, cache, ref, contact, arrival.received_at)
    if not arrival.identities:
        return arrival, base
    thread = base if base.leads_to is None else threads.one(db, cache, base.leads_to)
    if is_new_of(arrival, thread):
        thread, told = people.run(db, cache, meet(arrival, base, thread, is_new=is_new))
        for news in told:
            _place(db, cache, news, placed)
    return (arrival if thread is base else addressed(arrival, base, thread)), thread


def _place_news(db: sqlite3.Connection, cache: Cache, arrival: Arrival, placed: _Placed) -> None:
    """Before an arrival, what the gateway tells with it of who has the thread, if that is news."""
    if arrival.ref is None or arrival.event is None:
        return
    _, thread = _goes_on(db, cache, arrival, arrival.ref, placed)
    if (news := gateway_news(arrival, thread)) is not None:
        threads.hold(db, cache, thread, after_news(thread.hold, with_person=bool(arrival.with_person)))
        _place(db, cache, news, placed)


def _note_taking(db: sqlite3.Connection, cache: Cache, arrival: Arrival, thread: ThreadRow, number: int) -> None:
    """A person may take a thread with this arrival; where that is not certain, its turn finds out."""
    event = arrival.event
    assert event is not None
    ours: bool | None = False
    if isinstance(event, Echo):
        evidence = ThreadEvidence(db, arrival.account, thread.id)
        ours = is_ours(event, evidence, at=arrival.received_at, waited=0)
    if is_taken(event, ours=ours):
        threads.hold(db, cache, thread, after_taking(thread.hold, number))


def _hand_on(db: sqlite3.Connection, waiting: Sequence[Waiting]) -> set[int]:
    """The rows that want a turn go to the listener; the numbers of those whose first attempt begins.

    An event that found its thread idle is its runnable head: its first attempt begins with this transaction.
    """
    heads: set[int] = set()
    if not waiting:
        return heads
    in_use = busy(db, "inbox", {thread_id for _, _, _, _, thread_id, _ in waiting})
    for result, arrival, event, number, thread_id, ref in waiting:
        attempt = 0
        if begins(thread_id, in_use):
            attempt = 1
            heads.add(number)
        result.received.append(event_row(arrival, event, number, thread_id, ref, attempt=attempt))
    return heads
