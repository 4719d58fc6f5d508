"""Segments: the past in pieces of so many row numbers, each with indexes of its own kind of place.

An index over all that was ever said takes a new row at a place of its own, and each such place is a page to read, to
write to the log and to write back. An index that begins with the segment takes it among the latest rows, where the
pages are few. What is looked up in it is looked up segment by segment, from the newest back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..rows import SPOKEN

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

LAST: Final = 2**63 - 1
"""No row has a greater number."""
BITS: Final = 16
"""2 ** 16 numbers are a segment: some 30,000 messages. As the migration has it, which never changes."""
NEWEST: Final = "SELECT max((SELECT ifnull(max(id), 0) FROM inbox), (SELECT ifnull(max(id), 0) FROM outbox))"
SEGMENTS: Final = f"""
WITH RECURSIVE s (n) AS (
    SELECT min(({NEWEST}), :before) >> {BITS} UNION ALL SELECT n - 1 FROM s WHERE n > :after >> {BITS})
"""
BACK: Final = SEGMENTS.replace(":after", "0").replace(":before", str(LAST))
"""Behind it, all segments are in `s`, the newest first."""
KEYED: Final = f"outbox o INDEXED BY outbox_keys ON o.id >> {BITS} = s.n AND o.key"
"""Messages in `s` by their keys; behind a CROSS JOIN."""
_IN: Final = "EXISTS (SELECT 1 FROM {0} r INDEXED BY {0}_past WHERE r.id >> {1} = s.n AND r.thread_id = :thread)"
_OF_THREAD: Final = f"""
{SEGMENTS} SELECT n FROM s WHERE {_IN.format("inbox", BITS)} OR {_IN.format("outbox", BITS)}
"""
_NAMED: Final = f"""
{SEGMENTS} SELECT {SPOKEN}
FROM s CROSS JOIN outbox o INDEXED BY outbox_named
    ON o.id >> {BITS} = s.n AND o.account = :account AND o.message_id = :name AND o.message_id IS NOT NULL
CROSS JOIN threads t ON t.id = o.thread_id
"""


def of_thread(db: sqlite3.Connection, thread_id: int, after: int = 0, before: int = LAST) -> Iterator[int]:
    """The segments in which something was said in a thread, newest first, from one number down to another."""
    for (segment,) in db.execute(_OF_THREAD, {"thread": thread_id, "after": after, "before": before}):
        yield segment


def named(db: sqlite3.Connection, account: str, name: str, after: int = 0) -> Iterator[tuple[Any, ...]]:
    """Messages that the gateway calls `name`, those of the newest segment first, back to that of a number.

    Of each its id, thread, delivery, status and outcome, and the thread's reference.
    """
    yield from db.execute(_NAMED, {"account": account, "name": name, "after": after, "before": LAST})


def of_late(db: sqlite3.Connection) -> int:
    """A number in the segment before the newest: what is looked up by a gateway is nearly always later."""
    newest: int = db.execute(NEWEST).fetchone()[0]
    return max(0, newest - (1 << BITS))
