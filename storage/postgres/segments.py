"""The past in segments of row numbers, looked up from the newest back; see storage.sqlite.segments for why.

The rows of a recursive query are made when they are asked for: a look that finds what it wants goes no further back.
"""

from __future__ import annotations

from typing import Final

LAST: Final = 2**63 - 1
"""No row has a greater number."""
BITS: Final = 16
"""2 ** 16 numbers are a segment. As the migration has it, which never changes."""
NEWEST: Final = "SELECT greatest((SELECT coalesce(max(id), 0) FROM inbox), (SELECT coalesce(max(id), 0) FROM outbox))"


def back_to(after: str, before: str = str(LAST)) -> str:
    """The start of a query with `s (n)`: the segments, newest first, from that of one number down to another's."""
    return f"""
WITH RECURSIVE s (n) AS (
    SELECT least(({NEWEST}), {before}) >> {BITS} UNION ALL SELECT n - 1 FROM s WHERE n > {after} >> {BITS})
"""
