"""A source of rows for lanes, out of a store that is a dictionary: it notices every row out of order or done twice."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Self

from bridge.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from bridge.engine.lanes import Lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A row of a thread."""

    id: int
    seq: int
    thread_id: int
    attempt: int = 0
    available_at: int = 0
    tried_at: int = 0
    size: int = 0
    after: int = 0

    def as_of(self, now: int) -> Self:
        """As OutboxRow.as_of."""
        if self.tried_at <= now:
            return self
        return replace(self, available_at=now + max(0, self.available_at - self.tried_at), tried_at=now)


async def at_once(_: Piece) -> Piece | None:
    """Work that takes no time."""
    return None


@dataclass(slots=True, eq=False)
class LineOfWork:
    """Implements lane.Source. `do` is the work; `before_reading` runs before and `after_reading` after each read."""

    name: str = "pieces"
    do: Callable[[Piece], Awaitable[Piece | None]] = at_once
    before_reading: Callable[[], Awaitable[None]] | None = None
    after_reading: Callable[[], Awaitable[None]] | None = None
    refuse_reads: int = 0
    size: int = 0
    """Of each row, in bytes."""
    groups: Sequence[str] = ("",)
    lanes: Lanes[Piece] | None = None
    untold: list[Piece] = field(default_factory=list)
    open: dict[int, list[Piece]] = field(default_factory=lambda: defaultdict(list))
    done: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    running: set[int] = field(default_factory=set)
    most: int = 0
    reads: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def store(self, thread_id: int, *, available_at: int = 0) -> Piece:
        """A row is committed; like a store's, it has its first attempt counted when it can run at once."""
        number = next(self.numbers)
        attempt = 0 if self.open[thread_id] else 1
        piece = Piece(
            id=number,
            seq=number,
            thread_id=thread_id,
            attempt=attempt,
            available_at=available_at,
            size=self.size,
        )
        self.open[thread_id].append(piece)
        return piece

    def bring(self, lanes: Lanes[Piece], *threads: int) -> None:
        """Rows are committed, and offered at once."""
        self.commit(lanes, *threads)
        self.tell()

    def commit(self, lanes: Lanes[Piece], *threads: int) -> None:
        """Rows are committed, and can be read; they are offered by `tell`, and before anything else is committed."""
        self.lanes = lanes
        self.untold += [self.store(thread_id) for thread_id in threads]

    def tell(self) -> None:
        """Offer what is committed."""
        if self.lanes is not None:
            rows, self.untold = self.untold, []
            self.lanes.offer(rows)

    @property
    def left(self) -> int:
        """Rows that are not done."""
        return sum(map(len, self.open.values()))

    def group(self, row: Piece) -> str:
        """Of `groups`, in turn by thread."""
        return self.groups[row.thread_id % len(self.groups)]

    async def heads(self, after_seq: int, limit: int, group: str | None = None) -> list[Piece]:
        """The first open row of each thread."""
        await self._read(self.before_reading)
        found = [rows[0] for rows in self.open.values() if rows and rows[0].seq > after_seq]
        found = [row for row in found if group in {None, self.group(row)}]
        found = sorted(found, key=lambda piece: piece.seq)[:limit]
        await self._read(self.after_reading, refusing=False)
        return found

    async def more(self, thread_id: int, seq: int, limit: int) -> list[Piece]:
        """A thread's open rows after `seq`."""
        await self._read(self.before_reading)
        found = [piece for piece in self.open[thread_id] if piece.seq > seq][:limit]
        await self._read(self.after_reading, refusing=False)
        return found

    async def work(self, row: Piece) -> Piece | None:
        """Do it; the head of its thread, and nothing else of that thread meanwhile."""
        assert row.thread_id not in self.running, "two rows of one thread at once"
        assert self.open[row.thread_id], f"{row} is done already"
        assert self.open[row.thread_id][0].id == row.id, f"{row} is not the head of its thread"
        self.running.add(row.thread_id)
        self.most = max(self.most, len(self.running))
        try:
            again = await self.do(row)
        finally:
            self.running.remove(row.thread_id)
            self.tell()
        if again is None:
            del self.open[row.thread_id][0]
            self.done[row.thread_id].append(row.seq)
            if rows := self.open[row.thread_id]:
                rows[0] = replace(rows[0], attempt=rows[0].attempt + 1)
        else:
            self.open[row.thread_id][0] = again
        return again

    async def _read(self, meanwhile: Callable[[], Awaitable[None]] | None, *, refusing: bool = True) -> None:
        self.reads += refusing
        await asyncio.sleep(0)
        if meanwhile is not None:
            await meanwhile()
        if refusing and self.refuse_reads > 0:
            self.refuse_reads -= 1
            raise Unavailable("the disk is full")
