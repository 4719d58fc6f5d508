"""The inbox: events stored once each by account and key, in their order, each in its thread."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.events import Echo
from bridge.store.admission import Known, admit, conflict_keys_of, joins_message, keys_of, wants_turn
from bridge.store.echoes import is_ours
from bridge.store.heads import begins
from bridge.store.lifecycle import InboxState
from bridge.store.takeover import after_news, after_taking, gateway_news, is_taken, may_take

from ..results import Result
from ..rows import EVENT_VALUES, event_row, event_values
from . import statuses, threads
from .evidence import ThreadEvidence
from .heads import busy

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.store.admission import Key
    from bridge.store.records import Arrival, ThreadRow

    from .cache import Cache

_KNOWN: Final = """
SELECT i.account, i.event_key, i.event, i.raw FROM json_each(?) j
JOIN inbox i ON i.account = j.value ->> 0 AND i.event_key = j.value ->> 1
"""
_INSERT: Final = f"INSERT INTO inbox ({EVENT_VALUES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def receive(db: sqlite3.Connection, cache: Cache, units: Sequence[Sequence[Arrival]]) -> list[Result]:
    """Store the arrivals of several webhooks. Each result's `value` is a webhook's list of receipts."""
    known = _look_up(db, keys_of(units, cache.former_until))
    if conflicts := conflict_keys_of(units, known):
        known |= _look_up(db, conflicts)
    inserts: list[tuple[Any, ...]] = []
    results: list[Result] = []
    for number, unit in enumerate(units):
        result = Result(value=[])
        results.append(result)
        for arrival in unit:
            accepted, receipt = admit(known, arrival, number)
            result.value.append(receipt)
            if accepted is not None:
                _place(db, cache, accepted, result, inserts)
    heads = _count_first_attempts(db, results)
    db.executemany(_INSERT, [(*values, int(values[0] in heads)) for values in inserts])
    return results


def _look_up(db: sqlite3.Connection, keys: Sequence[Key]) -> dict[Key, Known]:
    rows = db.execute(_KNOWN, (orjson.dumps(keys).decode(),))
    return {(account, key): Known(encoded, raw) for account, key, encoded, raw in rows}


def _place(
    db: sqlite3.Connection, cache: Cache, arrival: Arrival, result: Result, inserts: list[tuple[Any, ...]]
) -> None:
    """Give an arrival its number and its thread; rows that want a turn go to the listener."""
    if arrival.with_person is not None:
        _place_news(db, cache, arrival, result, inserts)
    number = cache.row_number()
    event, state = arrival.event, arrival.state
    thread: ThreadRow | None = None
    thread_id: int | None = None
    joins = joins_message(arrival)
    if joins:
        thread_id, state = statuses.join(db, arrival, number, result)
    if thread_id is None and arrival.ref is not None and (state is InboxState.OPEN or not joins):
        thread = threads.of(db, cache, arrival.ref, event.contact if event else None, arrival.received_at)
        thread_id = thread.id
    if thread is not None and may_take(event, state):
        _note_taking(db, cache, arrival, thread, number)
    if thread_id is not None:
        result.threads.add(thread_id)
        if event is not None and wants_turn(state, event, thread_id):
            ref = thread.ref if thread else threads.ref_of(db, cache, thread_id)
            result.received.append(event_row(arrival, event, number, thread_id, ref))
    inserts.append(event_values(arrival, number, thread_id, state))


def _place_news(
    db: sqlite3.Connection, cache: Cache, arrival: Arrival, result: Result, inserts: list[tuple[Any, ...]]
) -> None:
    """Before an arrival, what the gateway tells with it of who has the thread, if that is news."""
    if arrival.ref is None or arrival.event is None:
        return
    thread = threads.of(db, cache, arrival.ref, arrival.event.contact, arrival.received_at)
    if (news := gateway_news(arrival, thread)) is not None:
        threads.hold(db, cache, thread, after_news(thread.hold, with_person=bool(arrival.with_person)))
        _place(db, cache, news, result, inserts)


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


def _count_first_attempts(db: sqlite3.Connection, results: Sequence[Result]) -> set[int]:
    """An event that found its thread idle is its runnable head: its first attempt begins with this transaction."""
    thread_ids = {row.thread_id for result in results for row in result.received}
    heads: set[int] = set()
    if not thread_ids:
        return heads
    in_use = busy(db, "inbox", thread_ids)
    for result in results:
        for index, row in enumerate(result.received):
            if begins(row.thread_id, in_use):
                heads.add(row.id)
                result.received[index] = replace(row, attempt=1)
    return heads
