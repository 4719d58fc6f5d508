"""What may be removed of each table, as SQL that both databases take: see bridge.store.retention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.events import Status
from bridge.store.admission import OWN_KINDS, digest
from bridge.store.following import PREFIX
from bridge.store.lifecycle import InboxState, MediaState, OutboxState, Outcome, TimerState
from bridge.store.retention import WAITS_LONGER, Sweep, Swept

from .records import MESSAGE_OPEN, literal, one_of
from .views import DEAD_EVENT, DEAD_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .records import Row

LOOKED_AT: Final = 5
"""Rows that a part of a sweep looks at, for each that it may remove."""
_OVER_EVENT: Final = f"w.status {one_of(InboxState.DONE, InboxState.DROPPED)}"
_OVER_MESSAGE: Final = f"w.status {one_of(OutboxState.SENT, OutboxState.EXPIRED, OutboxState.DROPPED)}"
_BEHIND: Final = PREFIX[:-1] + chr(ord(PREFIX[-1]) + 1)
_OF_FOLLOWER: Final = f"w.account >= {literal(PREFIX)} AND w.account < {literal(_BEHIND)}"
_SAYS_NOTHING: Final = f"(SELECT 1 FROM outbox o WHERE o.thread_id = w.thread_id AND o.{MESSAGE_OPEN} LIMIT 1) IS NULL"
"""An open message asks what it answers."""
_ANSWERED: Final = f"""
coalesce(w.outcome, '') <> {literal(Outcome.UNKNOWN)} AND (
    SELECT 1 FROM attempts a WHERE a.outbox_id = w.id AND a.outcome = {literal(Outcome.UNKNOWN)} LIMIT 1) IS NULL
"""
"""An echo of a message without an answer is known by its words. PostgreSQL would read all tries for NOT EXISTS."""
_FILLED: Final = "w.{0} >= {1}"
"""A content; what is emptied begins with NUL, or is empty."""


class Place(NamedTuple):
    """Where the rows of a sweep are: their table, the time that counts, and which of them may go."""

    table: str
    at: str
    goes: str
    keeps_newest: bool = False
    """The next numbers are those behind the newest row."""

    @property
    def condition(self) -> str:
        """Which rows may go, but for their age."""
        newest = f" AND w.id < (SELECT max(id) FROM {self.table})" if self.keeps_newest else ""
        return f"{self.goes}{newest}"


def places(one: str) -> dict[Sweep, Place]:
    """The place of each sweep; `one` is the literal of a byte 1."""

    def filled(column: str) -> str:
        return _FILLED.format(column, one)

    said = f"{_OVER_EVENT} AND w.kind <> {literal(Status.tag)}"
    early = f"w.status = {literal(InboxState.EARLY)} AND w.received_at < $3 - {WAITS_LONGER}"
    left = "coalesce(w.done_at, w.created_at)"
    over_timer = f"w.status {one_of(TimerState.FIRED, TimerState.CANCELLED, TimerState.UNREADABLE)}"
    return {
        Sweep.EXCHANGES: Place("attempts", "w.at", "w.exchange IS NOT NULL"),
        Sweep.WEBHOOKS: Place(
            "inbox", "w.received_at", f"{_OVER_EVENT} AND NOT w.kind {one_of(*OWN_KINDS)} AND {filled('raw')}"
        ),
        Sweep.EVENT_CONTENTS: Place("inbox", "w.received_at", f"{said} AND {filled('event')}"),
        Sweep.MESSAGE_CONTENTS: Place("outbox", left, f"{_OVER_MESSAGE} AND {filled('message')} AND {_ANSWERED}"),
        Sweep.EVENTS: Place("inbox", "w.received_at", f"{said} AND {_SAYS_NOTHING}", keeps_newest=True),
        Sweep.MESSAGES: Place("outbox", left, _OVER_MESSAGE, keeps_newest=True),
        Sweep.TIMERS: Place("timers", "w.due_at", over_timer, keeps_newest=True),
        Sweep.MEDIA: Place("media", "w.queued_at", f"w.status = {literal(MediaState.REMOVED)}", keeps_newest=True),
        Sweep.STATUSES: Place(
            "inbox",
            "w.received_at",
            f"w.kind = {literal(Status.tag)} AND ({_OVER_EVENT} OR {early})",
            keeps_newest=True,
        ),
        Sweep.OUTGOING_EVENTS: Place("outbox", left, f"{_OVER_MESSAGE} AND {_OF_FOLLOWER}", keeps_newest=True),
        Sweep.DEAD_EVENTS: Place("inbox", "w.done_at", f"w.{DEAD_EVENT}", keeps_newest=True),
        Sweep.DEAD_MESSAGES: Place("outbox", "w.done_at", f"w.{DEAD_MESSAGE}", keeps_newest=True),
    }


BY_AGE: Final = frozenset({Sweep.DEAD_EVENTS, Sweep.DEAD_MESSAGES})
"""Sweeps that an index leads to the oldest rows; the others walk through a table in the order of its numbers."""


def page(sweep: Sweep, place: Place) -> str:
    """The query for the next rows of a sweep, after number $1, at most $2: whether each is old, and whether it goes.

    $3 is the time before which they are old.
    """
    table, at, _, _ = place
    if sweep in BY_AGE:
        return f"""
SELECT w.id, true, true FROM {table} w WHERE {place.condition} AND {at} < $3 AND w.id > $1
ORDER BY {at}, w.id LIMIT $2
"""
    return f"SELECT w.id, {at} < $3, {place.condition} FROM {table} w WHERE w.id > $1 ORDER BY w.id LIMIT $2"


def counted(place: Place) -> str:
    """The query that counts the rows of a sweep in BY_AGE."""
    return f"SELECT count(*) FROM {place.table} w WHERE {place.condition} AND {place.at} < $1"


def emptied_of(content: bytes) -> bytes:
    """What stands in the place of a content; what is emptied already stays so."""
    return content if content.startswith(b"\0") else digest(content)


def chosen(sweep: Sweep, rows: Sequence[Row], limit: int) -> tuple[list[int], Swept]:
    """The rows of a page that go, at most `limit`; and what is told of them.

    A sweep is over behind the last row that is old enough. A page without one ends it: a clock that was ahead for a
    moment is no end.
    """
    goes: list[int] = []
    after: int | None = None
    for row_id, is_old, may_go in rows:
        if is_old and may_go:
            goes.append(row_id)
        after = row_id
        if len(goes) == limit:
            break
    if sweep in BY_AGE:
        return goes, Swept(len(goes), 0 if goes else None)
    is_over = not any(is_old for _, is_old, _ in rows)
    return goes, Swept(len(goes), None if is_over else after)
