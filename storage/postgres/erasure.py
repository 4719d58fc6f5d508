"""A conversation that is erased, a part in each transaction."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from bridge.store.admission import digest
from bridge.store.erasure import BESIDE as FAR
from bridge.store.erasure import Erased, ErasedContact, keeps_tombstone, long_keys_of, tombstone
from bridge.store.following import beside, is_follower
from bridge.store.retention import KEYS_KEPT

from ..records import thread_row
from ..results import Result
from ..rows import BESIDE, ERASED_EVENT
from ..views import ACCOUNTS
from . import lookups, media, people, recipients, segments
from .transaction import unnest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.events import ThreadRef

    from ..records import Row
    from .transaction import Transaction

_OF_THREAD: Final = f"""
{segments.back_to("0")}
SELECT r.* FROM s CROSS JOIN LATERAL (
    SELECT {{columns}} FROM {{table}} w WHERE w.id >> {segments.BITS} = s.n AND w.thread_id = $1) r LIMIT $2
"""
_EVENTS: Final = _OF_THREAD.format(columns=ERASED_EVENT, table="inbox")
_MESSAGES: Final = _OF_THREAD.format(columns="w.id", table="outbox")
_BESIDE: Final = f"""
SELECT {BESIDE} FROM inbox o WHERE o.id > $1 AND o.id < $2 AND o.received_at = $3 AND o.account = $4
    AND o.thread_id IS DISTINCT FROM $5
"""
_EMPTY_RAW: Final = f"UPDATE inbox i SET raw = j.raw FROM {unnest('bytea', 'bigint')} j (raw, id) WHERE i.id = j.id"
_BURY: Final = f"""
INSERT INTO tombstones (account, digest, at) SELECT * FROM {unnest("text", "text", "bigint")}
ON CONFLICT (account, digest) DO UPDATE SET at = excluded.at
"""
_TOO_OLD: Final = "DELETE FROM tombstones WHERE at <= $1"
_FORGET_EVENTS: Final = "DELETE FROM inbox WHERE id = ANY($1::bigint[])"
_FORGET_MESSAGES: Final = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
_FORGET_TRIES: Final = "DELETE FROM attempts WHERE outbox_id = ANY($1::bigint[])"
_FORGET_TIMERS: Final = "DELETE FROM timers WHERE thread_id = $1"
_FORGET_STEPS: Final = "DELETE FROM steps WHERE thread_id = $1"
_FORGET_KEYS: Final = "DELETE FROM secrets WHERE account = $1 AND name >= $2 AND name < $3"
_FORGET_THREAD: Final = "DELETE FROM threads WHERE id = $1"
_OF_CONTACT: Final = {
    "conflicts": "DELETE FROM conflicts WHERE contact_id = ANY($1::bigint[])",
    "opt-outs": "DELETE FROM opt_outs WHERE contact_id = ANY($1::bigint[])",
    "identities": "DELETE FROM identities WHERE contact_id = ANY($1::bigint[])",
    "contacts": "DELETE FROM contacts WHERE id = ANY($1::bigint[])",
}
_LEADS_NOWHERE: Final = "UPDATE threads SET leads_to = NULL WHERE leads_to = $1 RETURNING id"
"""A thread that was found to be another conversation of the same person."""


async def erase(tx: Transaction, thread_id: int, at: int, limit: int) -> Result:
    """Remove at most `limit` events and as many messages of a thread, and with the last of them the thread.

    The result's `value` is an Erased; of a thread that is not there nothing is removed.
    """
    found = await tx.fetch(lookups.ONE_THREAD, thread_id)
    if not found:
        return Result(value=Erased({}, more=False))
    for told in await _told_of(tx, thread_row(found[0]).ref):
        part: Erased = (await erase(tx, told, at, limit)).value
        return Result(value=Erased({"outgoing events": part.rows.get("messages", 0)}, more=True))
    await tx.execute(_TOO_OLD, at - KEYS_KEPT)
    rows: Counter[str] = Counter()
    rows["media"] = (await media.forget(tx, thread_id, None, limit)).value
    events = await tx.fetch(_EVENTS, thread_id, limit)
    messages = [row[0] for row in await tx.fetch(_MESSAGES, thread_id, limit)]
    await _erase_events(tx, thread_id, events, at, rows)
    rows["tries"] = await tx.execute(_FORGET_TRIES, messages)
    rows["messages"] = await tx.execute(_FORGET_MESSAGES, messages)
    rows["timers"] = await tx.execute(_FORGET_TIMERS, thread_id)
    rows["steps"] = await tx.execute(_FORGET_STEPS, thread_id)
    more = max(len(events), len(messages), rows["media"]) >= limit
    if not more:
        ref = thread_row(found[0]).ref
        rows["recipients"] = await recipients.forget(tx, thread_id, ref)
        rows["long keys"] = await _forget_keys(tx, ref, thread_id)
        for (led,) in await tx.fetch(_LEADS_NOWHERE, thread_id):
            tx.memory.drop(led)
        rows["threads"] = await tx.execute(_FORGET_THREAD, thread_id)
    tx.memory.drop(thread_id)
    return Result(value=Erased(rows, more=more), threads={thread_id}, fetchable=bool(rows["media"]))


async def _told_of(tx: Transaction, ref: ThreadRef) -> list[int]:
    """The threads in which followers are told of a thread, locked: they go first."""
    accounts = [row[0] for row in await tx.fetch(ACCOUNTS) if is_follower(row[0]) and not is_follower(ref.account)]
    own = [beside(account, ref) for account in accounts]
    await tx.lock((), own)
    return [thread.id for thread in map(tx.find, own) if thread is not None]


async def erase_contact(tx: Transaction, contact_id: int) -> Result:
    """Remove a person of whom no thread is left; the result's `value` is an ErasedContact."""
    family = [row[0] for row in await tx.fetch(people.FAMILY, [contact_id])]
    threads = sorted(row[0] for row in await tx.fetch(people.IDS, family))
    if threads:
        return Result(value=ErasedContact({}, threads))
    rows = {kind: await tx.execute(statement, family) for kind, statement in _OF_CONTACT.items()}
    return Result(value=ErasedContact({"identities": rows["identities"], "contacts": rows["contacts"]}))


async def _erase_events(tx: Transaction, thread_id: int, events: Sequence[Row], at: int, rows: Counter[str]) -> None:
    ids = [row[0] for row in events]
    for row_id, account, _, received_at, raw in events:
        if raw:
            around = (row_id - FAR, row_id + FAR, received_at, account, thread_id)
            emptied = [(digest(raw), other) for same, other in await tx.fetch(_BESIDE, *around) if same == raw]
            await tx.arrays(_EMPTY_RAW, emptied)
            rows["webhooks of other conversations"] += len(emptied)
    recent = {
        (account, tombstone(account, key)): received_at
        for _, account, key, received_at, _ in events
        if keeps_tombstone(received_at, at)
    }
    await tx.arrays(_BURY, [(*key, received_at) for key, received_at in recent.items()])
    rows["events"] = await tx.execute(_FORGET_EVENTS, ids)


async def _forget_keys(tx: Transaction, ref: ThreadRef, thread_id: int) -> int:
    removed = 0
    for prefix in long_keys_of(ref, thread_id):
        removed += await tx.execute(_FORGET_KEYS, ref.account, prefix, f"{prefix}\U0010ffff")
    return removed
