"""Whose threads are whose: only the process that holds a thread works on its events and messages.

A thread in which nothing is open may be taken by whoever stores something in it. With something open it stays with its
holder, who is told what others store in it. What a process leaves behind is taken over by those that live.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.frozen import changed

from ..records import OPEN
from ..results import Result
from .process import CHANNEL
from .transaction import unnest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from bridge.store.records import InboxRow, OutboxRow

    from .transaction import Transaction

AT_ONCE: Final = 1000
"""Threads taken over in one transaction: others wait for it."""
_TOLD: Final = 300
"""Rows named in one notification: it holds less than 8,000 bytes."""
FREE: Final = "free"
"""Told to all processes: there are threads that nobody holds."""

RESOLVED: Final = "resolved"
"""Told to all processes: statuses told the outcomes of these messages."""

PAUSED: Final = "paused"
"""Told to all processes: an account, why it is paused, and for how many seconds."""

_TAKE: Final = "UPDATE threads SET holder = $1 WHERE id = ANY($2::bigint[])"
_BUSY: Final = f"""
SELECT j.id FROM unnest($1::bigint[]) j (id)
WHERE EXISTS (SELECT 1 FROM inbox w WHERE w.thread_id = j.id AND w.{OPEN["inbox"]} AND NOT w.id = ANY($2::bigint[]))
   OR EXISTS (SELECT 1 FROM outbox w WHERE w.thread_id = j.id AND w.{OPEN["outbox"]} AND NOT w.id = ANY($3::bigint[]))
"""
_BEFORE: Final = {
    table: f"""
SELECT j.id, coalesce((SELECT max(w.seq) FROM {table} w
                       WHERE w.thread_id = j.thread_id AND w.{is_open} AND w.seq < j.seq), 0)
FROM {unnest("bigint", "bigint", "bigint")} j (id, thread_id, seq)
"""
    for table, is_open in OPEN.items()
}
_NOTIFY: Final = f"SELECT pg_notify(channel, payload) FROM {unnest('text', 'text')} j (channel, payload)"
_LEFT: Final = f"""
WITH work AS (
    SELECT thread_id FROM inbox WHERE {OPEN["inbox"]} UNION SELECT thread_id FROM outbox WHERE {OPEN["outbox"]})
SELECT t.id, t.holder FROM work JOIN threads t ON t.id = work.thread_id
WHERE t.holder IS NULL OR NOT EXISTS (SELECT 1 FROM processes p WHERE p.epoch = t.holder)
ORDER BY t.id LIMIT $1 FOR NO KEY UPDATE OF t SKIP LOCKED
"""
"""Threads with something open that nobody living holds; those that others are just taking over are theirs."""
_HEAD: Final = """
SELECT n.id FROM unnest($1::bigint[]) j (thread_id) CROSS JOIN LATERAL (
    SELECT w.id, w.attempt FROM {table} w WHERE w.thread_id = j.thread_id AND w.{is_open} ORDER BY w.seq LIMIT 1) n
WHERE n.attempt > 0
"""
_DIED: Final = f"""
UPDATE inbox SET deaths = deaths + CASE WHEN deaths = 0 OR on_trial THEN 1 ELSE 0 END, on_trial = false
WHERE id IN ({_HEAD.format(table="inbox", is_open=OPEN["inbox"])}) RETURNING id, deaths
"""
"""The first death makes a suspect of each event that may have run; more count only where it is noted that it did."""
_ON_THE_WIRE: Final = _HEAD.format(table="outbox", is_open=OPEN["outbox"])
_IN_USE: Final = f"""
holder = $1 AND id IN (
    SELECT thread_id FROM inbox WHERE {OPEN["inbox"]} UNION SELECT thread_id FROM outbox WHERE {OPEN["outbox"]})
"""
_RELEASE: Final = f"""
UPDATE threads SET holder = NULL WHERE {_IN_USE} AND NOT id IN (
    SELECT thread_id FROM inbox WHERE id = ANY($2::bigint[]) UNION
    SELECT thread_id FROM outbox WHERE id = ANY($3::bigint[]))
"""
_BURY: Final = """
DELETE FROM processes WHERE epoch IN (
    SELECT p.epoch FROM unnest($1::bigint[], $2::bigint[]) j (epoch, transactions)
    JOIN processes p ON p.epoch = j.epoch AND p.transactions = j.transactions FOR UPDATE OF p SKIP LOCKED)
RETURNING epoch
"""
"""A process that gave a sign of life since it was looked at is not dead."""
_CLAIM_SLOTS: Final = "UPDATE processes SET claims = $2 WHERE epoch = $1"
_DUTY: Final = """
INSERT INTO duties (name, holder) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET holder = $2
WHERE duties.holder = $2 OR NOT EXISTS (SELECT 1 FROM processes p WHERE p.epoch = duties.holder) RETURNING 1
"""


async def claim(tx: Transaction, results: Sequence[Result]) -> None:
    """Take the threads in which a transaction opened something, where they are free, and leave the others' to them."""
    if tx.had_company and (resolved := [row_id for result in results for row_id in result.resolved]):
        await notify(tx, [(CHANNEL, f"{RESOLVED} {' '.join(map(str, resolved))}")])
    opened = {row.thread_id for result in results for row in result.received}
    opened |= {row.thread_id for result in results for row in result.queued}
    if not opened:
        return
    if foreign := opened - tx.own:
        await _divide(tx, results, foreign)
    if tx.had_company:
        await _look_before(tx, results)


async def _divide(tx: Transaction, results: Sequence[Result], foreign: set[int]) -> None:
    """Of threads that are not ours: take those that are free, and tell their holders of what is in the others."""
    events = [row for result in results for row in result.received if row.thread_id in foreign]
    messages = [row for result in results for row in result.queued if row.thread_id in foreign]
    ids = [row.id for row in events], [row.id for row in messages]
    busy = {row[0] for row in await tx.fetch(_BUSY, [*foreign], *ids)}
    if tx.works and (free := sorted(foreign - busy)):
        await take(tx, free)
    theirs = foreign - tx.own
    if not theirs:
        return
    for result in results:
        result.received = [row for row in result.received if row.thread_id not in theirs]
        result.queued = [row for row in result.queued if row.thread_id not in theirs]
    idle = theirs - busy
    if idle:
        await tx.execute(_TAKE, None, [*idle])
    await _tell_holders(tx, [row for row in events if row.thread_id in busy], "in")
    await _tell_holders(tx, [row for row in messages if row.thread_id in busy], "out")
    if idle:
        await notify(tx, [(CHANNEL, FREE)])


async def take(tx: Transaction, thread_ids: Collection[int]) -> None:
    """Locked threads are ours from now on."""
    await tx.execute(_TAKE, tx.epoch, [*thread_ids])
    tx.own.update(thread_ids)


async def _tell_holders(tx: Transaction, rows: Iterable[InboxRow | OutboxRow], slot: str) -> None:
    by_holder: dict[int, list[int]] = {}
    for row in rows:
        if (holder := tx.holders.get(row.thread_id)) is not None:
            by_holder.setdefault(holder, []).append(row.id)
    await notify(
        tx,
        [
            (f"{CHANNEL}_{holder}", f"{slot} {' '.join(map(str, ids[start : start + _TOLD]))}")
            for holder, ids in by_holder.items()
            for start in range(0, len(ids), _TOLD)
        ],
    )


async def notify(tx: Transaction, told: Sequence[tuple[str, str]]) -> None:
    """Tell other processes something, once the transaction is committed: pairs of a channel and a text."""
    await tx.arrays(_NOTIFY, told)


async def _look_before(tx: Transaction, results: Sequence[Result]) -> None:
    """Of rows that stand behind others, behind which: others may have stored what our lanes do not know."""
    events = await _before(tx, "inbox", [row for result in results for row in result.received])
    messages = await _before(tx, "outbox", [row for result in results for row in result.queued])
    for result in results:
        result.received = [changed(row, after=events.get(row.id, 0)) for row in result.received]
        result.queued = [changed(row, after=messages.get(row.id, 0)) for row in result.queued]


async def _before(tx: Transaction, table: str, rows: Sequence[InboxRow | OutboxRow]) -> dict[int, int]:
    places = [(row.id, row.thread_id, row.seq) for row in rows if not row.attempt]
    return dict(map(tuple, await tx.arrays(_BEFORE[table], places)))


class Inheritance(NamedTuple):
    """What was taken over: how many threads, and which of their heads may have run when their holder died.

    `deaths` tells of events at how many deaths each may have run; `on_the_wire` are messages.
    """

    threads: int
    deaths: Mapping[int, int] = {}
    on_the_wire: frozenset[int] = frozenset()


async def take_over(tx: Transaction) -> Result:
    """Take what nobody living holds, a part of it at a time; the result's `value` is an Inheritance."""
    left = await tx.fetch(_LEFT, AT_ONCE)
    thread_ids = [row[0] for row in left]
    if not thread_ids:
        return Result(value=Inheritance(0))
    tx.memory.forget(thread_ids)
    await take(tx, thread_ids)
    of_dead = [row[0] for row in left if row[1] is not None]
    deaths = dict(map(tuple, await tx.fetch(_DIED, of_dead))) if of_dead else {}
    on_the_wire = frozenset(row[0] for row in await tx.fetch(_ON_THE_WIRE, of_dead)) if of_dead else frozenset()
    return Result(value=Inheritance(len(thread_ids), deaths, on_the_wire))


async def threads_in_use(tx: Transaction) -> set[int]:
    """Our threads in which something is open: those of `release`."""
    return {row[0] for row in await tx.fetch(f"SELECT id FROM threads WHERE {_IN_USE}", tx.epoch)}


async def release(tx: Transaction, running: Mapping[str, Collection[int]]) -> Result:
    """Leave all to the others. What still runs here stays ours: whoever takes it over shall know that it did."""
    if await tx.execute(_RELEASE, tx.epoch, [*running["in"]], [*running["out"]]):
        await notify(tx, [(CHANNEL, FREE)])
    return Result()


async def bury(tx: Transaction, dead: Mapping[int, int]) -> Result:
    """Remove dead processes, given the number that each had come to; the result's `value` tells which are removed."""
    buried = [row[0] for row in await tx.fetch(_BURY, [*dead], [*dead.values()])]
    if buried:
        await notify(tx, [(CHANNEL, FREE)])
    return Result(value=buried)


async def ask_for_duty(tx: Transaction, name: str) -> Result:
    """Whether a duty is ours: it is whose it was, or ours if that process lives no more."""
    return Result(value=bool(await tx.fetch(_DUTY, name, tx.epoch)))


async def tell(tx: Transaction, text: str) -> Result:
    """Tell all processes something."""
    await notify(tx, [(CHANNEL, text)])
    return Result()


async def claim_slots(tx: Transaction, claims: str | None) -> Result:
    """Let the others see what this process has of each account's rate."""
    await tx.execute(_CLAIM_SLOTS, tx.epoch, claims)
    return Result()


async def beat(tx: Transaction) -> Result:
    """A sign of life: the transaction itself is it."""
    del tx
    return Result()
