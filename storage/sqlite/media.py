"""Media: queued with their events, fetched, forgotten, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from ..media import (
    ACCOUNTS,
    AFTER_FETCHED,
    AFTER_FORGOTTEN,
    AFTER_GIVEN_UP,
    AFTER_REMOVED,
    FORGOTTEN,
    KEEP_VALUES,
    LIVING,
    MEDIUM,
    QUEUE_VALUES,
    SHARED,
    WAITING,
    keep_values,
    media_row,
)
from ..results import Result

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from typing import Any

    from bridge.errors import StoreError
    from bridge.store.media import FetchEnd, FetchRetry, MediaRow
    from bridge.store.records import TurnCommit

QUEUE: Final = f"INSERT INTO media ({QUEUE_VALUES}) VALUES (?, ?, ?, ?, ?, ?, ?)"
_KEEP: Final = f"INSERT INTO media ({KEEP_VALUES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_OF_EVENTS: Final = f"SELECT {MEDIUM} FROM json_each(?) j CROSS JOIN media m ON m.inbox_id = j.value"
_DUE: Final = f"""
SELECT {MEDIUM} FROM media m WHERE m.{WAITING} AND m.account = ? AND m.available_at <= ?
ORDER BY m.available_at, m.id LIMIT ?
"""
_NEXT: Final = f"SELECT min(available_at) FROM media WHERE {WAITING} AND account = ? AND available_at > ?"
_RETRY: Final = f"UPDATE media SET attempt = ?, available_at = ?, error = ? WHERE id = ? AND {WAITING}"
_FETCHED: Final = f"""
UPDATE media SET status = {AFTER_FETCHED}, sha256 = ?, size = ?, mime_type = ?, error = NULL, done_at = ?
WHERE id = ? AND {WAITING}
"""
_GIVEN_UP: Final = f"UPDATE media SET status = {AFTER_GIVEN_UP}, error = ?, done_at = ? WHERE id = ? AND {WAITING}"
_LEFT_BEHIND: Final = f"UPDATE media SET sha256 = ? WHERE id = ? AND {FORGOTTEN}"
"""The bytes of a medium that was forgotten while it was fetched."""
_FORGET: Final = f"""
UPDATE media SET status = {AFTER_FORGOTTEN}, url = '' WHERE id IN (
    SELECT id FROM media WHERE {LIVING} AND {{where}} ORDER BY queued_at LIMIT ?)
"""
FORGET_OF_THREAD: Final = _FORGET.format(where="thread_id = ? AND queued_at < ?")
FORGET_OLD: Final = _FORGET.format(where="queued_at < ?")
FORGOTTEN_MEDIA: Final = f"SELECT {MEDIUM}, {SHARED} FROM media m WHERE m.{FORGOTTEN} ORDER BY m.id LIMIT ?"
_REMOVED: Final = f"UPDATE media SET status = {AFTER_REMOVED}, sha256 = NULL WHERE id = ? AND {FORGOTTEN}"
_ANY_TIME: Final = 1 << 62


def keep(db: sqlite3.Connection, turns: Sequence[TurnCommit]) -> None:
    """What turns say of our own."""
    if values := [row for turn in turns if turn.media for row in keep_values(turn)]:
        db.executemany(_KEEP, values)


def of_events(db: sqlite3.Connection, inbox_ids: Sequence[int]) -> list[MediaRow]:
    """The media of events."""
    return [media_row(row) for row in db.execute(_OF_EVENTS, (orjson.dumps([*inbox_ids]).decode(),))]


def due(db: sqlite3.Connection, now: int, limit: int) -> tuple[list[MediaRow], int | None]:
    """Media to be fetched now, at most so many of each account, and when the next one is due."""
    accounts = [row[0] for row in db.execute(ACCOUNTS)]
    rows = [media_row(row) for account in accounts for row in db.execute(_DUE, (account, now, limit))]
    coming = (db.execute(_NEXT, (account, now)).fetchone()[0] for account in accounts)
    return rows, min((at for at in coming if at is not None), default=None)


def retry(db: sqlite3.Connection, retries: Sequence[FetchRetry]) -> list[Result | StoreError]:
    """Fetches that failed and are tried again."""
    db.executemany(_RETRY, [(again.attempt, again.available_at, again.reason, again.media_id) for again in retries])
    return [Result() for _ in retries]


def settle(db: sqlite3.Connection, ends: Sequence[FetchEnd]) -> list[Result | StoreError]:
    """Fetches at their ends. Each result's `value` is whether the bytes are wanted."""
    return [Result(value=_settled(db, end)) for end in ends]


def _settled(db: sqlite3.Connection, end: FetchEnd) -> bool:
    kept = end.kept
    if kept is None:
        return db.execute(_GIVEN_UP, (end.reason, end.at, end.media_id)).rowcount == 1
    values = (kept.sha256, kept.size, kept.mime_type, end.at, end.media_id)
    if db.execute(_FETCHED, values).rowcount == 1:
        return True
    db.execute(_LEFT_BEHIND, (kept.sha256, end.media_id))
    return False


def forget(db: sqlite3.Connection, thread_id: int | None, before: int | None, limit: int) -> Result:
    """Media that nobody may read any more. The result's `value` is how many these were."""
    until = _ANY_TIME if before is None else before
    if thread_id is not None:
        return Result(value=db.execute(FORGET_OF_THREAD, (thread_id, until, limit)).rowcount)
    return Result(value=db.execute(FORGET_OLD, (until, limit)).rowcount)


def forgotten(db: sqlite3.Connection, limit: int) -> list[tuple[MediaRow, bool]]:
    """Media whose bytes are to be removed."""
    rows: list[tuple[Any, ...]] = db.execute(FORGOTTEN_MEDIA, (limit,)).fetchall()
    return [(media_row(row[:-1]), bool(row[-1])) for row in rows]


def remove(db: sqlite3.Connection, media_ids: Sequence[int]) -> list[Result | StoreError]:
    """The bytes of forgotten media are gone."""
    db.executemany(_REMOVED, [(media_id,) for media_id in media_ids])
    return [Result() for _ in media_ids]
