"""Which events an author's code runs for in this moment: after a crash, nothing else can have caused it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store.port import Store
    from bridge.store.records import InboxRow


class Marks:
    """Notes events in the store around all of an author's code: filters, handlers, dependencies, parsers, models."""

    def __init__(self, store: Store) -> None:
        """The note outlives the process; see Store.mark."""
        self._store = store

    @contextmanager
    def around(self, *rows: InboxRow) -> Iterator[None]:
        """Note the rows until the code returns. A row is noted once: contexts of one row do not nest."""
        for row in rows:
            self._store.mark("in", row.id, running=True)
        try:
            yield
        finally:
            for row in rows:
                self._store.mark("in", row.id, running=False)
