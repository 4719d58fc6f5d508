"""One thread's open rows in memory, and what lanes need of the store they come from."""

from __future__ import annotations

from dataclasses import field
from typing import Generic, Protocol, Self, TypeVar

from bridge.frozen import dataclass


class QueuedRow(Protocol):
    """What lanes need to know of a row: InboxRow and OutboxRow of bridge.store.records are such rows."""

    @property
    def id(self) -> int: ...  # noqa: D102 - as the class says
    @property
    def seq(self) -> int: ...  # noqa: D102
    @property
    def thread_id(self) -> int: ...  # noqa: D102
    @property
    def attempt(self) -> int: ...  # noqa: D102
    @property
    def available_at(self) -> int: ...  # noqa: D102
    @property
    def after(self) -> int: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    def as_of(self, now: int) -> Self: ...  # noqa: D102


R = TypeVar("R", bound=QueuedRow)


class Source(Protocol[R]):
    """The store of rows that are not in memory, and the work on each row."""

    name: str

    def group(self, row: R) -> str:
        """The group that a row is of: no group takes all places from the others."""
        ...

    async def heads(self, after_seq: int, limit: int, group: str | None) -> list[R]:
        """The first open row of each thread that has one, by seq, from `after_seq` on; of one group or of all."""
        ...

    async def more(self, thread_id: int, seq: int, limit: int) -> list[R]:
        """A thread's open rows after `seq`, in order."""
        ...

    async def work(self, row: R) -> R | None:
        """Do it: None when the row is settled, or the row as it is to be tried again."""
        ...


@dataclass(slots=True, eq=False)
class Lane(Generic[R]):
    """One thread's rows. A lane is in a line, worked on, or waiting for its time; never just lying there."""

    thread_id: int
    group: str
    rows: list[R] = field(default_factory=list)
    last_seq: int = 0
    more: bool = False
    """The store holds rows after `last_seq`; what is offered meanwhile is found there too."""
    missed: bool = False
    """Something was offered while `more` was set."""
    due: bool = False
    """The pause before its head is over, even if the clock was set back since."""
    size: int = 0
    """Bytes of its rows when they were weighed last."""

    def weigh(self) -> int:
        """How many bytes its rows have gained since they were weighed last."""
        before, self.size = self.size, 0
        for row in self.rows:
            self.size += row.size
        return self.size - before

    def drop_rows(self) -> None:
        """Leave all rows to the store, the head too."""
        self.last_seq, self.more = self.rows[0].seq - 1, True
        self.rows.clear()
