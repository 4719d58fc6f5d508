"""Rows that are old enough: removed, or emptied where their keys have to stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from bridge.store.retention import Sweep, Swept

from ..results import Result
from ..retention import BY_AGE, LOOKED_AT, chosen, counted, emptied_of, page, places
from ..rows import CONTENTS
from . import broadcasts

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

_PLACES: Final = places("x'01'")
PAGES: Final = {sweep: page(sweep, place).replace("$", "?") for sweep, place in _PLACES.items()}
COUNTS: Final = {sweep: counted(_PLACES[sweep]).replace("$", "?") for sweep in BY_AGE}
_AMONG: Final = "IN (SELECT value FROM json_each(?))"
_EMPTY_EXCHANGES: Final = f"UPDATE attempts SET exchange = NULL WHERE id {_AMONG}"
_EMPTY_MESSAGES: Final = f"""
UPDATE outbox SET message = x'', given_up = NULL, address = NULL, error = NULL WHERE id {_AMONG}
"""
_CONTENTS: Final = f"SELECT {CONTENTS} FROM inbox WHERE id {_AMONG}"
_EMPTY_RAW: Final = "UPDATE inbox SET raw = ? WHERE id = ?"
_EMPTY_EVENT: Final = "UPDATE inbox SET event = ?, raw = ?, address = NULL, error = NULL WHERE id = ?"
_FORGET: Final = {table: f"DELETE FROM {table} WHERE id {_AMONG}" for table in ("inbox", "outbox", "timers", "media")}
_FORGET_TRIES: Final = f"DELETE FROM attempts WHERE outbox_id {_AMONG}"
_FORGET_EARLY: Final = f"DELETE FROM early_statuses WHERE inbox_id {_AMONG}"


def sweep_once(db: sqlite3.Connection, sweep: Sweep, before: int, after: int, limit: int) -> Result:
    """A part of a sweep; the result's `value` is a Swept."""
    if sweep is Sweep.BROADCASTS:
        return Result(value=broadcasts.sweep(db, before, limit))
    rows = db.execute(PAGES[sweep], (after, limit * LOOKED_AT, before)).fetchall()
    goes, swept = chosen(sweep, rows, limit)
    if goes:
        _ACTS.get(sweep, _forget)(db, sweep, goes)
    return Result(value=swept)


def count(db: sqlite3.Connection, sweep: Sweep, before: int, after: int, limit: int) -> Swept:
    """What `sweep_once` would do, and do again until that is over for a sweep by age."""
    if sweep is Sweep.BROADCASTS:
        return Swept(db.execute(broadcasts.COUNT_OLD, (before,)).fetchone()[0], None)
    if sweep in BY_AGE:
        return Swept(db.execute(COUNTS[sweep], (before,)).fetchone()[0], None)
    rows = db.execute(PAGES[sweep], (after, limit, before)).fetchall()
    return chosen(sweep, rows, limit)[1]


def _forget(db: sqlite3.Connection, sweep: Sweep, row_ids: Sequence[int]) -> None:
    among = (_json(row_ids),)
    table = _PLACES[sweep].table
    if table == "outbox":
        db.execute(_FORGET_TRIES, among)
    elif sweep is Sweep.STATUSES:
        db.execute(_FORGET_EARLY, among)
    db.execute(_FORGET[table], among)


def _empty_exchanges(db: sqlite3.Connection, _: Sweep, row_ids: Sequence[int]) -> None:
    db.execute(_EMPTY_EXCHANGES, (_json(row_ids),))


def _empty_messages(db: sqlite3.Connection, _: Sweep, row_ids: Sequence[int]) -> None:
    db.execute(_EMPTY_MESSAGES, (_json(row_ids),))


def _empty_raw(db: sqlite3.Connection, _: Sweep, row_ids: Sequence[int]) -> None:
    rows = db.execute(_CONTENTS, (_json(row_ids),))
    db.executemany(_EMPTY_RAW, [(emptied_of(raw), row_id) for _, raw, row_id in rows])


def _empty_events(db: sqlite3.Connection, _: Sweep, row_ids: Sequence[int]) -> None:
    rows = db.execute(_CONTENTS, (_json(row_ids),))
    emptied = [(emptied_of(event), emptied_of(raw), row_id) for event, raw, row_id in rows]
    db.executemany(_EMPTY_EVENT, emptied)


def _json(row_ids: Sequence[int]) -> str:
    return orjson.dumps(row_ids).decode()


_ACTS: Final[dict[Sweep, Callable[[sqlite3.Connection, Sweep, Sequence[int]], None]]] = {
    Sweep.EXCHANGES: _empty_exchanges,
    Sweep.WEBHOOKS: _empty_raw,
    Sweep.EVENT_CONTENTS: _empty_events,
    Sweep.MESSAGE_CONTENTS: _empty_messages,
}
"""What does not remove rows."""
