"""Contacts and their identities: what the processes of bridge.store.people ask and change, in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.frozen import changed
from bridge.store.lifecycle import TimerState
from bridge.store.people import asking
from bridge.store.people.merging import keep as keeping

from .. import records
from ..rows import ASSERTED, OWNER
from ..rows import FAMILY as FAMILY_COLUMNS
from . import heads, threads
from .transaction import unnest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import TypeVar

    from bridge.store.people.asking import Process
    from bridge.store.people.identities import Identity
    from bridge.store.records import ThreadRow, TurnCommit

    from .transaction import Transaction

    T = TypeVar("T")

_OWNERS: Final = f"""
SELECT {OWNER} FROM {unnest("text", "text")} j (kind, value)
JOIN identities i ON i.account = $3 AND i.kind = j.kind AND i.value = j.value
"""
FAMILY: Final = f"""
WITH RECURSIVE up (id, into_id) AS (
    SELECT id, merged_into FROM contacts WHERE id = ANY($1::bigint[]) UNION
    SELECT c.id, c.merged_into FROM up JOIN contacts c ON c.id = up.into_id),
down (id) AS (
    SELECT id FROM up WHERE into_id IS NULL UNION
    SELECT c.id FROM down JOIN contacts c ON c.merged_into = down.id)
SELECT {FAMILY_COLUMNS} FROM down JOIN contacts c ON c.id = down.id ORDER BY c.id
"""
ASSERTIONS: Final = f"""
SELECT {ASSERTED} FROM identities i WHERE i.contact_id = ANY($1::bigint[])
ORDER BY i.account, i.kind, i.value
"""
THREADS_OF: Final = f"SELECT {records.THREAD} FROM threads t WHERE t.contact_id = ANY($1::bigint[]) ORDER BY t.id"
IDS: Final = "SELECT t.id FROM threads t WHERE t.contact_id = ANY($1::bigint[])"
_OPT_OUTS: Final = "SELECT event_id FROM opt_outs WHERE contact_id = ANY($1::bigint[]) AND account = $2"
_NEW: Final = "INSERT INTO contacts (account, created_at, updated_at) VALUES ($1, $2, $2) RETURNING id"
_LINK: Final = """
INSERT INTO identities (account, kind, value, contact_id, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
_CONTRADICT: Final = """
INSERT INTO conflicts (account, kind, value, contact_id, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
_JOIN: Final = "UPDATE contacts SET merged_into = $1, updated_at = $2 WHERE id = $3"
_KEEP: Final = "UPDATE contacts SET content = $1, updated_at = $2 WHERE id = $3"
_OPTED_OUT: Final = """
INSERT INTO opt_outs (contact_id, account, event_id) VALUES ($1, $2, $3)
ON CONFLICT (contact_id, account) DO UPDATE SET event_id = excluded.event_id
"""
_OPTED_IN: Final = "DELETE FROM opt_outs WHERE contact_id = $1 AND account = $2"
_TIMERS: Final = f"""
SELECT 1 FROM timers WHERE thread_id = $1 AND status {records.one_of(TimerState.WAITING, TimerState.DUE)} LIMIT 1
"""
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtext(k)) FROM unnest($1::text[]) k"
"""Two events that name the same new person at the same time, in two processes, make one contact."""


async def run(tx: Transaction, process: Process[T]) -> T:
    """Answer a process until it ends."""
    answer: Any = None
    while True:
        try:
            request = process.send(answer)
        except StopIteration as end:
            value: T = end.value
            return value
        answer = await _ANSWERS[type(request)](tx, request)


async def keep(tx: Transaction, turns: Sequence[TurnCommit]) -> None:
    """What turns keep of their contacts."""
    for turn in turns:
        if turn.person is not None or turn.opts_out is not None:
            await run(tx, keeping(turn))


async def threads_concerned(tx: Transaction, contact_ids: Sequence[int]) -> set[int]:
    """The threads of people: what changes them locks all at once."""
    if not contact_ids:
        return set()
    family = [row[0] for row in await tx.fetch(FAMILY, [*contact_ids])]
    return {row[0] for row in await tx.fetch(IDS, family)}


async def _owners(tx: Transaction, ask: asking.Owners) -> dict[Identity, int]:
    await tx.fetch(_ONE_AT_A_TIME, sorted(f"{ask.account} {kind} {value}" for kind, value in ask.named))
    rows = await tx.arrays(_OWNERS, ask.named, ask.account)
    return {(kind, value): contact_id for kind, value, contact_id in rows}


async def _family(tx: Transaction, ask: asking.Family) -> list[asking.Known]:
    return [asking.Known(*row) for row in await tx.fetch(FAMILY, [ask.contact_id])]


async def _assertions(tx: Transaction, ask: asking.Assertions) -> list[asking.Asserted]:
    return [asking.Asserted(*row) for row in await tx.fetch(ASSERTIONS, [*ask.contact_ids])]


async def _threads_of(tx: Transaction, ask: asking.ThreadsOf) -> list[ThreadRow]:
    await tx.lock(row[0] for row in await tx.fetch(IDS, [*ask.contact_ids]))
    rows = [records.thread_row(row) for row in await tx.fetch(THREADS_OF, [*ask.contact_ids])]
    return [changed(row, hold=tx.threads[row.id].hold) for row in rows]


async def _opt_outs(tx: Transaction, ask: asking.OptOuts) -> list[int]:
    return [row[0] for row in await tx.fetch(_OPT_OUTS, [*ask.contact_ids], ask.account)]


async def _is_bare(tx: Transaction, ask: asking.IsBare) -> bool:
    for table in records.OPEN:
        if await heads.busy(tx, table, {ask.thread_id}):
            return False
    return not await tx.fetch(_TIMERS, ask.thread_id)


async def _new_contact(tx: Transaction, do: asking.NewContact) -> int:
    contact_id: int = (await tx.fetch(_NEW, do.account, do.at))[0][0]
    return contact_id


async def _new_thread(tx: Transaction, do: asking.NewThread) -> ThreadRow:
    return await threads.make(tx, do.ref, do.contact, do.at)


async def _link(tx: Transaction, do: asking.Link) -> None:
    await tx.execute(_LINK, do.account, *do.identity, do.contact_id, do.at)


async def _contradict(tx: Transaction, do: asking.Contradict) -> None:
    await tx.execute(_CONTRADICT, do.account, *do.identity, do.contact_id, do.at)


async def _join(tx: Transaction, do: asking.Join) -> None:
    await tx.execute(_JOIN, do.into, do.at, do.contact_id)


async def _keep_contact(tx: Transaction, do: asking.KeepContact) -> None:
    await tx.execute(_KEEP, do.content, do.at, do.contact_id)


async def _keep_opt_out(tx: Transaction, do: asking.KeepOptOut) -> None:
    if do.event_id:
        await tx.execute(_OPTED_OUT, do.contact_id, do.account, do.event_id)
    else:
        await tx.execute(_OPTED_IN, do.contact_id, do.account)


async def _keep_thread(tx: Transaction, do: asking.KeepThread) -> None:
    await threads.keep(tx, do.thread, is_seen=do.is_seen)


_ANSWERS: Final[Mapping[type, Callable[[Transaction, Any], Awaitable[Any]]]] = {
    asking.Owners: _owners,
    asking.Family: _family,
    asking.Assertions: _assertions,
    asking.ThreadsOf: _threads_of,
    asking.OptOuts: _opt_outs,
    asking.IsBare: _is_bare,
    asking.NewContact: _new_contact,
    asking.NewThread: _new_thread,
    asking.Link: _link,
    asking.Contradict: _contradict,
    asking.Join: _join,
    asking.KeepContact: _keep_contact,
    asking.KeepOptOut: _keep_opt_out,
    asking.KeepThread: _keep_thread,
}
