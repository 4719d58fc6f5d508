"""Contacts and their identities: what the processes of bridge.store.people ask and change, in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.store.lifecycle import TimerState
from bridge.store.people import asking
from bridge.store.people.merging import keep as keeping

from .. import records
from ..rows import ASSERTED, OWNER
from ..rows import FAMILY as FAMILY_COLUMNS
from . import heads, threads

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from bridge.store.people.asking import Process
    from bridge.store.people.identities import Identity
    from bridge.store.records import ThreadRow, TurnCommit

    from .cache import Cache

    T = TypeVar("T")

_OWNER: Final = f"SELECT {OWNER} FROM identities i WHERE i.account = ? AND i.kind = ? AND i.value = ?"
FAMILY: Final = f"""
WITH RECURSIVE up (id, into_id) AS (
    SELECT id, merged_into FROM contacts WHERE id = ? UNION
    SELECT c.id, c.merged_into FROM up JOIN contacts c ON c.id = up.into_id),
down (id) AS (
    SELECT id FROM up WHERE into_id IS NULL UNION
    SELECT c.id FROM down JOIN contacts c ON c.merged_into = down.id AND c.merged_into IS NOT NULL)
SELECT {FAMILY_COLUMNS} FROM down CROSS JOIN contacts c ON c.id = down.id ORDER BY c.id
"""
ASSERTIONS: Final = f"""
SELECT {ASSERTED} FROM json_each(?) j CROSS JOIN identities i ON i.contact_id = j.value
ORDER BY i.account, i.kind, i.value
"""
THREADS_OF: Final = f"""
SELECT {records.THREAD} FROM json_each(?) j
CROSS JOIN threads t ON t.contact_id = j.value AND t.contact_id IS NOT NULL ORDER BY t.id
"""
_OPT_OUTS: Final = """
SELECT o.event_id FROM json_each(?) j CROSS JOIN opt_outs o ON o.contact_id = j.value AND o.account = ?
"""
LAST_CONTACT: Final = "last contact"
"""The cursor that keeps a new contact from getting the number of an erased one."""
_NEW: Final = f"""
INSERT INTO contacts (id, account, created_at, updated_at)
SELECT 1 + max(coalesce((SELECT max(id) FROM contacts), 0),
               coalesce((SELECT CAST(value AS INTEGER) FROM cursors
                         WHERE account = '' AND name = {records.literal(LAST_CONTACT)}), 0)), ?, ?, ?
RETURNING id
"""
_LINK: Final = """
INSERT INTO identities (account, kind, value, contact_id, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_CONTRADICT: Final = """
INSERT INTO conflicts (account, kind, value, contact_id, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_JOIN: Final = "UPDATE contacts SET merged_into = ?, updated_at = ? WHERE id = ?"
_KEEP: Final = "UPDATE contacts SET content = ?, updated_at = ? WHERE id = ?"
_OPTED_OUT: Final = """
INSERT INTO opt_outs (contact_id, account, event_id) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET event_id = excluded.event_id
"""
_OPTED_IN: Final = "DELETE FROM opt_outs WHERE contact_id = ? AND account = ?"
_TIMERS: Final = f"""
SELECT 1 FROM timers WHERE thread_id = ? AND status {records.one_of(TimerState.WAITING, TimerState.DUE)} LIMIT 1
"""


def run(db: sqlite3.Connection, cache: Cache, process: Process[T]) -> T:
    """Answer a process until it ends."""
    answer: Any = None
    while True:
        try:
            request = process.send(answer)
        except StopIteration as end:
            value: T = end.value
            return value
        answer = _ANSWERS[type(request)](db, cache, request)


def keep(db: sqlite3.Connection, cache: Cache, turns: Sequence[TurnCommit]) -> None:
    """What turns keep of their contacts."""
    for turn in turns:
        if turn.person is not None or turn.opts_out is not None:
            run(db, cache, keeping(turn))


def threads_of_person(db: sqlite3.Connection, contact_id: int) -> list[ThreadRow]:
    """The threads of the person that a contact is."""
    return threads_of(db, [row[0] for row in db.execute(FAMILY, (contact_id,))])


def threads_of(db: sqlite3.Connection, contact_ids: Sequence[int]) -> list[ThreadRow]:
    """The threads of contacts."""
    return [records.thread_row(row) for row in db.execute(THREADS_OF, (as_json(contact_ids),))]


def as_json(values: Sequence[object]) -> str:
    """What a query takes as several values."""
    return orjson.dumps(list(values)).decode()


def _owners(db: sqlite3.Connection, _: Cache, ask: asking.Owners) -> dict[Identity, int]:
    rows = [db.execute(_OWNER, (ask.account, *identity)).fetchone() for identity in ask.named]
    return {(row[0], row[1]): row[2] for row in rows if row is not None}


def _threads_of(db: sqlite3.Connection, cache: Cache, ask: asking.ThreadsOf) -> list[ThreadRow]:
    return [cache.newest(thread.id) or thread for thread in threads_of(db, ask.contact_ids)]


def _new_contact(db: sqlite3.Connection, _: Cache, do: asking.NewContact) -> int:
    contact_id: int = db.execute(_NEW, (do.account, do.at, do.at)).fetchone()[0]
    return contact_id


def _opt_outs(db: sqlite3.Connection, _: Cache, ask: asking.OptOuts) -> list[int]:
    return [row[0] for row in db.execute(_OPT_OUTS, (as_json(ask.contact_ids), ask.account))]


def _is_bare(db: sqlite3.Connection, _: Cache, ask: asking.IsBare) -> bool:
    waits = any(heads.busy(db, table, {ask.thread_id}) for table in records.OPEN)
    return not waits and db.execute(_TIMERS, (ask.thread_id,)).fetchone() is None


def _keep_opt_out(db: sqlite3.Connection, _: Cache, do: asking.KeepOptOut) -> None:
    if do.event_id:
        db.execute(_OPTED_OUT, (do.contact_id, do.account, do.event_id))
    else:
        db.execute(_OPTED_IN, (do.contact_id, do.account))


_ANSWERS: Final[Mapping[type, Callable[[sqlite3.Connection, Cache, Any], Any]]] = {
    asking.Owners: _owners,
    asking.Family: lambda db, _, ask: [asking.Known(*row) for row in db.execute(FAMILY, (ask.contact_id,))],
    asking.Assertions: lambda db, _, ask: [
        asking.Asserted(*row) for row in db.execute(ASSERTIONS, (as_json(ask.contact_ids),))
    ],
    asking.ThreadsOf: _threads_of,
    asking.OptOuts: _opt_outs,
    asking.IsBare: _is_bare,
    asking.NewContact: _new_contact,
    asking.NewThread: lambda db, cache, do: threads.of(db, cache, do.ref, do.contact, do.at),
    asking.Link: lambda db, _, do: db.execute(_LINK, (do.account, *do.identity, do.contact_id, do.at)),
    asking.Contradict: lambda db, _, do: db.execute(_CONTRADICT, (do.account, *do.identity, do.contact_id, do.at)),
    asking.Join: lambda db, _, do: db.execute(_JOIN, (do.into, do.at, do.contact_id)),
    asking.KeepContact: lambda db, _, do: db.execute(_KEEP, (do.content, do.at, do.contact_id)),
    asking.KeepOptOut: _keep_opt_out,
    asking.KeepThread: lambda db, cache, do: threads.keep(db, cache, do.thread, is_seen=do.is_seen),
}
