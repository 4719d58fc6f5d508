"""Threads: found or made, the hold on them, and what a turn leaves behind in them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import orjson

from bridge.frozen import changed
from bridge.store.records import ThreadRow
from bridge.store.takeover import SPOKEN

from .. import records
from ..rows import PLACE_OF, kept_values, thread_values
from .transaction import place_of, unnest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bridge.events import Contact, ThreadRef
    from bridge.store.records import Arrival, Hold, TurnCommit

    from ..results import Result
    from .transaction import Transaction

_INSERT: Final = f"""
INSERT INTO threads (account, provider, channel, conversation, contact, created_at, updated_at, holder)
SELECT a, p, c, v, contact, at, at, $7 FROM {unnest("text", "text", "text", "text", "bytea", "bigint")}
    j (a, p, c, v, contact, at)
ORDER BY a, c, v ON CONFLICT (account, channel, conversation) DO NOTHING RETURNING {PLACE_OF}
"""
"""In the order of their names: two processes that make the same threads wait for each other, and not in a circle."""
_CONTACT: Final = "UPDATE threads SET contact = $1 WHERE id = $2"
_KEEP: Final = """
UPDATE threads SET contact_id = $1, person = $2, named = $3, leads_to = $4, lost = $5, opted_out = $6, address = $7,
                   version = $8 WHERE id = $9
"""
_HOLD: Final = f"""
UPDATE threads t SET spoken = j.spoken, silenced = j.silenced, taken = j.taken
FROM {unnest("bigint", "bigint", "bigint", "boolean")} j (id, spoken, silenced, taken) WHERE t.id = j.id
"""
_TYPES: Final = "bytea text bytea bytea bigint bigint bytea bytea text bigint bigint bytea bigint bigint"
_TURN: Final = f"""
UPDATE threads t SET state = j.state, step = j.step, version = t.version + 1, choices = j.choices,
                     address = j.address, last_heard = j.last_heard, heard = j.heard, dialog = j.dialog,
                     members = j.members, note = j.note, silenced = j.silenced, opted_out = j.opted_out,
                     contact = coalesce(j.contact, t.contact), updated_at = j.at
FROM {unnest(*_TYPES.split())}
    j (state, step, choices, address, last_heard, heard, dialog, members, note, silenced, opted_out, contact, at, id)
WHERE t.id = j.id
"""
_THREADS: Final = f"SELECT {records.THREAD} FROM threads t WHERE t.id = ANY($1::bigint[])"
_HEARD: Final = f"""
UPDATE threads SET heard = version + 1
WHERE id = $1 AND EXISTS (SELECT 1 FROM inbox WHERE id = $2 AND kind {records.one_of(*SPOKEN)}) RETURNING heard
"""


async def ensure(tx: Transaction, arrivals: Iterable[Arrival]) -> set[int]:
    """Lock the threads of arrivals; those of which nothing was heard before are made, and their ids given."""
    wanted: dict[ThreadRef, Arrival] = {}
    for arrival in arrivals:
        if arrival.ref is not None:
            wanted.setdefault(arrival.ref, arrival)
    return await ensure_all(
        tx,
        {
            ref: (arrival.event.contact if arrival.event else None, arrival.received_at)
            for ref, arrival in wanted.items()
        },
    )


async def ensure_all(tx: Transaction, wanted: Mapping[ThreadRef, tuple[Contact | None, int]]) -> set[int]:
    """Lock threads; those that are not there are made, with a contact and a time, and their ids given."""
    await tx.lock((), wanted)
    new = {place_of(ref): ref for ref in wanted if tx.find(ref) is None}
    made = await _insert(tx, [(ref, *wanted[ref]) for ref in new.values()])
    if len(made) < len(new):  # another process has just made them
        await tx.lock((), new.values())
    return made


async def make(tx: Transaction, ref: ThreadRef, contact: Contact, at: int) -> ThreadRow:
    """A thread; another process may have made it."""
    if not await _insert(tx, [(ref, contact, at)]):
        await tx.lock((), [ref])
    return await full(tx, of(tx, ref).id)


async def _insert(tx: Transaction, wanted: Sequence[tuple[ThreadRef, Contact | None, int]]) -> set[int]:
    """Make threads; the ids of those that were not there."""
    contacts = {place_of(ref): orjson.dumps(contact) if contact else None for ref, contact, _ in wanted}
    later = tx.sealer is not None  # a value is encrypted for its row, whose number the database gives
    values = [
        (ref.account, ref.provider, *place_of(ref)[1:], None if later else contacts[place_of(ref)], at)
        for ref, _, at in wanted
    ]
    refs = {place_of(ref): ref for ref, _, _ in wanted}
    holder = tx.epoch if tx.works else None
    made: set[int] = set()
    for thread_id, account, channel, conversation in await tx.arrays(_INSERT, values, holder):
        place = account, channel, conversation
        tx.remember(ThreadRow(id=thread_id, ref=refs[place]))
        tx.hold(thread_id, holder)
        made.add(thread_id)
        if later:
            await tx.execute(_CONTACT, contacts[place], thread_id)
    return made


async def full(tx: Transaction, thread_id: int) -> ThreadRow:
    """A thread that is locked, with all that is stored of it."""
    row = records.thread_row((await tx.fetch(_THREADS, [thread_id]))[0])
    return changed(row, hold=tx.threads[thread_id].hold)


async def keep(tx: Transaction, thread: ThreadRow, *, is_seen: bool) -> None:
    """Whose a thread is, and where its messages go; a turn that has seen it otherwise finds another version."""
    kept = changed(thread, version=thread.version + is_seen)
    await tx.execute(_KEEP, *kept_values(kept))
    tx.remember(kept)


def of(tx: Transaction, ref: ThreadRef) -> ThreadRow:
    """A thread that is ensured."""
    thread = tx.find(ref)
    assert thread is not None
    return thread


def hold(tx: Transaction, thread: ThreadRow, held: Hold) -> None:
    """The hold on a thread changed before its turn; `write_holds` stores it."""
    tx.see(changed(thread, hold=held))
    if (remembered := tx.memory.newest(thread.id)) is not None:
        tx.memory.stage([changed(remembered, hold=held)])


async def recall(tx: Transaction, results: Sequence[Result]) -> None:
    """Read the threads whose turns are about to begin, all at once: each turn would ask for its own."""
    begun = {row.thread_id for result in results for row in result.received if row.attempt == 1}
    missing = [thread_id for thread_id in begun & tx.own if tx.memory.newest(thread_id) is None]
    if not missing:
        return
    for row in await tx.fetch(_THREADS, missing):
        with suppress(*records.UNREADABLE):  # its turn finds out
            tx.remember(records.thread_row(row))


async def write_holds(tx: Transaction, thread_ids: Iterable[int]) -> None:
    """Store the holds that changed."""
    holds = [(thread_id, tx.threads[thread_id].hold) for thread_id in thread_ids]
    await tx.arrays(_HOLD, [(row_id, held.taken_seq, held.silenced_seq, held.at_gateway) for row_id, held in holds])


async def commit(tx: Transaction, turns: Sequence[TurnCommit]) -> None:
    """Threads as turns leave them."""
    await tx.arrays(_TURN, [thread_values(turn) for turn in turns])
    for turn in turns:
        tx.remember(changed(turn.thread, version=turn.thread.version + 1))


async def note_heard(tx: Transaction, thread_id: int, inbox_id: int) -> None:
    """What the contact said in an event that is given up was said all the same: no dialog asks for it again."""
    heard = await tx.fetch(_HEARD, thread_id, inbox_id)
    if heard and (thread := tx.memory.newest(thread_id)) is not None:
        tx.memory.stage([changed(thread, heard=heard[0][0])])
