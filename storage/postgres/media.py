"""Media: queued with their events, fetched by one living process each, forgotten, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
from .transaction import unnest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from bridge.errors import StoreError
    from bridge.store.media import FetchEnd, FetchRetry
    from bridge.store.records import TurnCommit

    from .transaction import Transaction

_QUEUE_TYPES: Final = "text bigint bigint text text text bigint"
_QUEUE: Final = f"INSERT INTO media ({QUEUE_VALUES}) SELECT * FROM {unnest(*_QUEUE_TYPES.split())}"
_KEEP_TYPES: Final = "text bigint text text bigint text bigint text"
_KEEP: Final = f"INSERT INTO media ({KEEP_VALUES}) SELECT * FROM {unnest(*_KEEP_TYPES.split())}"
OF_EVENTS: Final = f"SELECT {MEDIUM} FROM media m WHERE m.inbox_id = ANY($1::bigint[])"
_CLAIM: Final = f"""
UPDATE media m SET holder = $4 WHERE m.id = ANY(ARRAY(
    SELECT w.id FROM media w WHERE w.{WAITING} AND w.account = $1 AND w.available_at <= $2
        AND (w.holder IS NULL OR w.holder = $4 OR NOT EXISTS (SELECT 1 FROM processes p WHERE p.epoch = w.holder))
    ORDER BY w.available_at, w.id LIMIT $3 FOR UPDATE SKIP LOCKED))
RETURNING {MEDIUM}
"""
"""Media are in no order: what another process is about to claim is left to it.

The array is made once. A join may ask anew for each row, and skips what was changed: more than $3 would be claimed.
"""
_NEXT: Final = f"SELECT min(available_at) FROM media WHERE {WAITING} AND account = $1 AND available_at > $2"
_RETRY: Final = f"""
UPDATE media SET attempt = $1, available_at = $2, error = $3, holder = NULL WHERE id = $4 AND {WAITING}
"""
_FETCHED: Final = f"""
UPDATE media SET status = {AFTER_FETCHED}, sha256 = $1, size = $2, mime_type = $3, error = NULL, done_at = $4
WHERE id = $5 AND {WAITING}
"""
_GIVEN_UP: Final = f"UPDATE media SET status = {AFTER_GIVEN_UP}, error = $1, done_at = $2 WHERE id = $3 AND {WAITING}"
_LEFT_BEHIND: Final = f"UPDATE media SET sha256 = $1 WHERE id = $2 AND {FORGOTTEN}"
"""The bytes of a medium that was forgotten while it was fetched."""
_FORGET: Final = f"""
UPDATE media SET status = {AFTER_FORGOTTEN}, url = '' WHERE id = ANY(ARRAY(
    SELECT id FROM media WHERE {LIVING} AND {{where}} ORDER BY queued_at LIMIT $2))
"""
FORGET_OF_THREAD: Final = _FORGET.format(where="queued_at < $1 AND thread_id = $3")
FORGET_OLD: Final = _FORGET.format(where="queued_at < $1")
FORGOTTEN_MEDIA: Final = f"SELECT {MEDIUM}, {SHARED} FROM media m WHERE m.{FORGOTTEN} ORDER BY m.id LIMIT $1"
_REMOVED: Final = f"UPDATE media SET status = {AFTER_REMOVED}, sha256 = NULL WHERE id = $1 AND {FORGOTTEN}"
_ANY_TIME: Final = 1 << 62


async def queue(tx: Transaction, values: Sequence[tuple[Any, ...]]) -> None:
    """The media of events that were just stored: the columns QUEUE_VALUES."""
    await tx.arrays(_QUEUE, values)


async def keep(tx: Transaction, turns: Sequence[TurnCommit]) -> None:
    """What turns say of our own."""
    await tx.arrays(_KEEP, [row for turn in turns if turn.media for row in keep_values(turn)])


async def claim(tx: Transaction, now: int, limit: int) -> Result:
    """Media to be fetched now, at most so many of each account. The result's `value` has also when the next is due."""
    rows = []
    coming = []
    for (account,) in await tx.fetch(ACCOUNTS):
        rows += [media_row(row) for row in await tx.fetch(_CLAIM, account, now, limit, tx.epoch)]
        coming += [row[0] for row in await tx.fetch(_NEXT, account, now) if row[0] is not None]
    return Result(value=(rows, min(coming, default=None)))


async def retry(tx: Transaction, retries: Sequence[FetchRetry]) -> list[Result | StoreError]:
    """Fetches that failed and are tried again."""
    await tx.each(_RETRY, [(again.attempt, again.available_at, again.reason, again.media_id) for again in retries])
    return [Result() for _ in retries]


async def settle(tx: Transaction, ends: Sequence[FetchEnd]) -> list[Result | StoreError]:
    """Fetches at their ends. Each result's `value` is whether the bytes are wanted."""
    return [Result(value=await _settled(tx, end)) for end in ends]


async def _settled(tx: Transaction, end: FetchEnd) -> bool:
    kept = end.kept
    if kept is None:
        return await tx.execute(_GIVEN_UP, end.reason, end.at, end.media_id) == 1
    if await tx.execute(_FETCHED, kept.sha256, kept.size, kept.mime_type, end.at, end.media_id) == 1:
        return True
    await tx.execute(_LEFT_BEHIND, kept.sha256, end.media_id)
    return False


async def forget(tx: Transaction, thread_id: int | None, before: int | None, limit: int) -> Result:
    """Media that nobody may read any more. The result's `value` is how many these were."""
    until = _ANY_TIME if before is None else before
    if thread_id is not None:
        return Result(value=await tx.execute(FORGET_OF_THREAD, until, limit, thread_id))
    return Result(value=await tx.execute(FORGET_OLD, until, limit))


async def remove(tx: Transaction, media_ids: Sequence[int]) -> list[Result | StoreError]:
    """The bytes of forgotten media are gone."""
    await tx.each(_REMOVED, [(media_id,) for media_id in media_ids])
    return [Result() for _ in media_ids]
