"""Rows that are old enough: removed, or emptied where their keys have to stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.store.retention import Sweep, Swept

from ..results import Result
from ..retention import BY_AGE, LOOKED_AT, chosen, counted, page, places
from . import broadcasts

if TYPE_CHECKING:
    from .connection import Fetch
    from .transaction import Transaction

_PLACES: Final = places(r"'\x01'::bytea")
PAGES: Final = {sweep: page(sweep, place) for sweep, place in _PLACES.items()}
COUNTS: Final = {sweep: counted(_PLACES[sweep]) for sweep in BY_AGE}
_EMPTIED: Final = r"""
CASE WHEN w.{0} >= '\x01'::bytea OR w.{0} = ''::bytea THEN '\x00'::bytea || sha256(w.{0}) ELSE w.{0} END
"""
"""As bridge.store.admission.digest has it; what is emptied already stays so."""
_EMPTY: Final = {
    Sweep.EXCHANGES: "exchange = NULL",
    Sweep.WEBHOOKS: f"raw = {_EMPTIED.format('raw')}",
    Sweep.EVENT_CONTENTS: (
        f"event = {_EMPTIED.format('event')}, raw = {_EMPTIED.format('raw')}, address = NULL, error = NULL"
    ),
    Sweep.MESSAGE_CONTENTS: "message = ''::bytea, given_up = NULL, address = NULL, error = NULL",
}
_FORGET_TRIES: Final = "DELETE FROM attempts WHERE outbox_id = ANY($1::bigint[])"
_FORGET_EARLY: Final = "DELETE FROM early_statuses WHERE inbox_id = ANY($1::bigint[])"


async def sweep_once(tx: Transaction, sweep: Sweep, before: int, after: int, limit: int) -> Result:
    """A part of a sweep; the result's `value` is a Swept."""
    if sweep is Sweep.BROADCASTS:
        return Result(value=await broadcasts.sweep(tx, before, limit))
    goes, swept = chosen(sweep, await tx.fetch(PAGES[sweep], after, limit * LOOKED_AT, before), limit)
    if goes:
        table, _, _, _ = _PLACES[sweep]
        if (change := _EMPTY.get(sweep)) is not None:
            await tx.execute(f"UPDATE {table} w SET {change} WHERE w.id = ANY($1::bigint[])", goes)
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
