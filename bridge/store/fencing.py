"""Which turns may be committed: those whose events still wait, in a thread that did not move on meanwhile."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeAlias

from bridge.errors import ClaimLost, ThreadMoved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.store.records import TurnCommit

_ID: Final = attrgetter("id")
Fence: TypeAlias = "tuple[int, int]"
"""What a turn must find unchanged in its thread: its version, and the `taken_seq` of its hold."""


def fence(turns: Sequence[TurnCommit], standing: Mapping[int, Fence]) -> list[ClaimLost | ThreadMoved | None]:
    """For each of several turns in one transaction, why it must not be committed; None: it may.

    `standing` holds the open events among those of the turns, each with the fence of its thread as committed. Of two
    turns that keep something of the same person, in two of their threads, the second runs again.
    """
    verdicts: list[ClaimLost | ThreadMoved | None] = []
    moved: set[int] = set()
    people: set[bytes | None] = {None}
    settled: set[int] = set()
    for turn in turns:
        rows = turn.rows
        expected = turn.thread.version, turn.thread.hold.taken_seq
        is_alone = turn.person is None or turn.thread.person not in people
        if turn.thread.id not in moved and is_alone and {*map(standing.get, map(_ID, rows))} == {expected}:
            moved.add(turn.thread.id)
            if turn.person is not None:
                people.add(turn.thread.person)
            settled.update(map(_ID, rows))
            verdicts.append(None)
        elif all(row.id in standing and row.id not in settled for row in rows):
            verdicts.append(ThreadMoved("its thread moved on"))
        else:
            verdicts.append(ClaimLost(f"event {turn.row.id} is settled"))
    return verdicts
