"""Which events an author's code runs for in this moment: after a crash, nothing else can have caused it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from bridge.store.port import Store
    from bridge.store.records import InboxRow


class Marks:
    """Notes events in the store around all of an author's code: filters, handlers, dependencies, parsers, models."""

    def __init__(self, store: Store) -> None:
        """The note outlives the process; see Store.mark."""
        self._store = store

    def around(self, *rows: InboxRow) -> _Marked:
        """Note the rows until the code returns. A row is noted once: contexts of one row do not nest."""
        return _Marked(self._store, rows)


class _Marked:
    """A context; a class, because every turn enters one and a generator costs three times as much."""

    __slots__ = ("_rows", "_store")

    def __init__(self, store: Store, rows: tuple[InboxRow, ...]) -> None:
        self._store = store
        self._rows = rows

    def __enter__(self) -> None:
        for row in self._rows:
            self._store.mark("in", row.id, running=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for row in self._rows:
            self._store.mark("in", row.id, running=False)
