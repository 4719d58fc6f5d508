"""Rows that are old enough: removed, or emptied where their keys have to stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.store.retention import Sweep, Swept

from ..results import Result
from ..retention import BY_AGE, LOOKED_AT, chosen, counted, emptied_of, page, places
from ..rows import CONTENTS
from . import broadcasts
from .transaction import unnest

if TYPE_CHECKING:
    from .connection import Fetch
    from .transaction import Transaction

_PLACES: Final = places(r"'\x01'::bytea")
PAGES: Final = {sweep: page(sweep, place) for sweep, place in _PLACES.items()}
COUNTS: Final = {sweep: counted(_PLACES[sweep]) for sweep in BY_AGE}
_EMPTY: Final = {
    Sweep.EXCHANGES: "UPDATE attempts SET exchange = NULL WHERE id = ANY($1::bigint[])",
    Sweep.MESSAGE_CONTENTS: """
UPDATE outbox SET message = ''::bytea, given_up = NULL, address = NULL, error = NULL WHERE id = ANY($1::bigint[])
""",
}
_CONTENTS: Final = f"SELECT {CONTENTS} FROM inbox WHERE id = ANY($1::bigint[])"
_DIGESTED: Final = {
    Sweep.WEBHOOKS: f"""
UPDATE inbox i SET raw = j.raw FROM {unnest("bytea", "bigint")} j (raw, id)
WHERE i.id = j.id AND i.id = ANY($2::bigint[])
""",
    Sweep.EVENT_CONTENTS: f"""
UPDATE inbox i SET event = j.event, raw = j.raw, address = NULL, error = NULL
FROM {unnest("bytea", "bytea", "bigint")} j (event, raw, id) WHERE i.id = j.id AND i.id = ANY($3::bigint[])
""",
}
"""Their numbers stand there twice: for so many PostgreSQL would else read the table."""
_FORGET_TRIES: Final = "DELETE FROM attempts WHERE outbox_id = ANY($1::bigint[])"
_FORGET_EARLY: Final = "DELETE FROM early_statuses WHERE inbox_id = ANY($1::bigint[])"


async def sweep_once(tx: Transaction, sweep: Sweep, before: int, after: int, limit: int) -> Result:
    """A part of a sweep; the result's `value` is a Swept."""
    if sweep is Sweep.BROADCASTS:
        return Result(value=await broadcasts.sweep(tx, before, limit))
    goes, swept = chosen(sweep, await tx.fetch(PAGES[sweep], after, limit * LOOKED_AT, before), limit)
    if goes:
        if (statement := _EMPTY.get(sweep)) is not None:
            await tx.execute(statement, goes)
        elif (statement := _DIGESTED.get(sweep)) is not None:
            emptied = [
                (*((emptied_of(event),) if sweep is Sweep.EVENT_CONTENTS else ()), emptied_of(raw), row_id)
                for event, raw, row_id in await tx.fetch(_CONTENTS, goes)
            ]
            await tx.arrays(statement, emptied)
        else:
            await _forget(tx, sweep, goes)
    return Result(value=swept)


async def count(fetch: Fetch, sweep: Sweep, before: int, after: int, limit: int) -> Swept:
    """What `sweep_once` would do, and do again until that is over for a sweep by age."""
    if sweep is Sweep.BROADCASTS:
        return Swept((await fetch(broadcasts.COUNT_OLD, before))[0][0], None)
    if sweep in BY_AGE:
        return Swept((await fetch(COUNTS[sweep], before))[0][0], None)
    return chosen(sweep, await fetch(PAGES[sweep], after, limit, before), limit)[1]


async def _forget(tx: Transaction, sweep: Sweep, row_ids: list[int]) -> None:
    """Another process may append a dead letter again, or join a status, in this moment: such a row stays."""
    table, _, goes, _ = _PLACES[sweep]
    where = goes.replace("$3", "9223372036854775807")
    query = f"DELETE FROM {table} w WHERE w.id = ANY($1::bigint[]) AND {where} RETURNING w.id"
    forgotten = [row[0] for row in await tx.fetch(query, row_ids)]
    if table == "outbox":
        await tx.execute(_FORGET_TRIES, forgotten)
    elif sweep is Sweep.STATUSES:
        await tx.execute(_FORGET_EARLY, forgotten)
