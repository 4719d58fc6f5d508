"""Work on rows in waves: one statement changes each of its rows once, so what concerns a row twice comes behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")


def waves(items: Sequence[T], key: Callable[[T], int]) -> Iterator[Sequence[T]]:
    """The items in their order, parted before each whose key came since the last part."""
    first, seen = 0, set[int]()
    for index, item in enumerate(items):
        if key(item) in seen:
            yield items[first:index]
            first, seen = index, set()
        seen.add(key(item))
    yield items[first:]
