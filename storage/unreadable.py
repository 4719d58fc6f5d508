"""Rows of work that this version cannot read, told apart from those that it can."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from bridge.log import kind_of, log
from bridge.store.records import READ_BYTES

from .records import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .records import Row

T = TypeVar("T", bound="Sized")


class Unreadable(NamedTuple):
    """A row of the inbox or the outbox, and why it cannot be read."""

    row_id: int
    thread_id: int
    reason: str


class Sized(Protocol):
    """A row as it is read, and its stored bytes."""

    @property
    def size(self) -> int: ...  # noqa: D102 - as the class says


def sort_out(rows: Iterable[Row], make: Callable[[Row], T]) -> tuple[list[T], list[Unreadable]]:
    """What `make` reads of rows that begin with their id, seq and thread, and those that it cannot read.

    At READ_BYTES the rest is left.
    """
    readable: list[T] = []
    unreadable: list[Unreadable] = []
    size = 0
    for row in rows:
        try:
            readable.append(made := make(row))
        except UNREADABLE as error:
            log.error("row_unreadable", key=str(row[0]), thread=row[2], reason=kind_of(error))
            unreadable.append(Unreadable(row[0], row[2], f"this threadbridge cannot read it: {kind_of(error)}"))
            continue
        size += made.size
        if size >= READ_BYTES:
            break
    return readable, unreadable
