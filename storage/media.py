"""Media, column by column: how one is stored, and what its life cycle is in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.store.lifecycle import MEDIA, MediaMove, MediaState
from bridge.store.media import MediaRow

from .records import literal, one_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.events import Event
    from bridge.store.records import Arrival, TurnCommit

    from .records import Row

MEDIUM: Final = (
    "m.id, m.account, m.thread_id, m.inbox_id, m.status, m.kind, m.url, m.attempt, m.available_at, m.queued_at, "
    "m.sha256, m.size, m.mime_type, m.error"
)
QUEUE_VALUES: Final = "account, thread_id, inbox_id, status, kind, url, queued_at"
KEEP_VALUES: Final = "account, thread_id, status, kind, queued_at, sha256, size, mime_type"
WAITING: Final = f"status {one_of(MediaState.WAITING)}"
KEPT: Final = f"status {one_of(MediaState.KEPT)}"
FORGOTTEN: Final = f"status {one_of(MediaState.FORGOTTEN)}"
LIVING: Final = f"status {one_of(*MEDIA.before(MediaMove.FORGOTTEN))}"
"""What can be forgotten."""
ACCOUNTS: Final = f"""
WITH RECURSIVE accounts (known) AS (
    SELECT min(account) FROM media WHERE {WAITING} UNION ALL
    SELECT (SELECT min(account) FROM media WHERE {WAITING} AND account > known) FROM accounts WHERE known IS NOT NULL)
SELECT known FROM accounts WHERE known IS NOT NULL
"""
"""Those with media to be fetched; looks at one row of each."""
SHARED: Final = f"coalesce((SELECT 1 FROM media o WHERE o.sha256 = m.sha256 AND o.{KEPT} LIMIT 1), 0)"
"""Whether another medium has the same bytes. PostgreSQL would look for EXISTS in a table of all that is kept."""
AFTER_FETCHED: Final = literal(MEDIA.after(MediaMove.FETCHED))
AFTER_GIVEN_UP: Final = literal(MEDIA.after(MediaMove.GIVEN_UP))
AFTER_FORGOTTEN: Final = literal(MEDIA.after(MediaMove.FORGOTTEN))
AFTER_REMOVED: Final = literal(MEDIA.after(MediaMove.REMOVED))


def queue_values(arrival: Arrival, event: Event, number: int, thread_id: int) -> tuple[Any, ...]:
    """The columns QUEUE_VALUES of an event whose medium is to be fetched."""
    medium, kind = getattr(event, "media", None), getattr(event, "kind", "")
    assert medium is not None
    return arrival.account, thread_id, number, MediaState.WAITING, kind, medium.url, arrival.received_at


def keep_values(turn: TurnCommit) -> Iterator[tuple[Any, ...]]:
    """The columns KEEP_VALUES of each medium that a turn says."""
    for kept in turn.media:
        mime_type = kept.mime_type
        kind = mime_type.partition("/")[0]
        account, thread_id = turn.thread.ref.account, turn.thread.id
        yield account, thread_id, MediaState.KEPT, kind, turn.at, kept.sha256, kept.size, mime_type


def media_row(row: Row) -> MediaRow:
    """The columns MEDIUM."""
    row_id, account, thread_id, inbox_id, status, kind, url, attempt, available_at, queued_at, *kept = row
    sha256, size, mime_type, reason = kept
    return MediaRow(
        id=row_id,
        account=account,
        thread_id=thread_id,
        inbox_id=inbox_id,
        state=MediaState(status),
        kind=kind,
        url=url,
        attempt=attempt,
        available_at=available_at,
        queued_at=queued_at,
        sha256=sha256 or "",
        size=size or 0,
        mime_type=mime_type or "",
        reason=reason or "",
    )
