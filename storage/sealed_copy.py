"""A copy between stores of which one or both are encrypted: it reads values as they were, and each end has its form.

So what is compared is what was said, and a copy is under the keys of its target. Rows that have a name in their key
stand in another order in each store: they are sorted by the name itself, in memory.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

from .sealed_columns import SEALED, open_row, seal_row

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bridge.store.copying import Key, Row, Table

    from .sealer import Sealer

    Page = Callable[[Table, Key | None, int | None], Awaitable[Sequence[Row]]]

SECRET: Final = ("account", "name", "value")
"""The columns of a secret."""


class SealedRows:
    """The rows of an end of a copy. `page` reads some from its database, after a key; all where there is no limit."""

    def __init__(self, sealer: Sealer | None, page: Page) -> None:
        """Without a sealer they are as they are."""
        self._sealer = sealer
        self._page = page
        self._sorted: tuple[str, list[Row]] = ("", [])

    def opened(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> list[Row]:
        """Rows of the database as they were."""
        if self._sealer is None or table not in SEALED:
            return [*rows]
        return [open_row(self._sealer, table, columns, row) for row in rows]

    def sealed(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> list[Row]:
        """Rows as the database is about to have them."""
        self.forget()
        if self._sealer is None or table not in SEALED:
            return [*rows]
        return [seal_row(self._sealer, table, columns, row) for row in rows]

    def sorts(self, table: Table) -> bool:
        """Whether the rows of a table are sorted here."""
        names = SEALED[table.name].names if table.name in SEALED else ()
        return self._sealer is not None and any(name in table.key for name in names)

    def forget(self) -> None:
        """The database changes: what was sorted may not be all any more."""
        self._sorted = ("", [])

    async def after(self, table: Table, after: Key | None, limit: int) -> Sequence[Row]:
        """The next rows in the order of their keys."""
        if not self.sorts(table):
            return self.opened(table.name, table.columns, await self._page(table, after, limit))
        rows = await self._all(table)
        start = 0 if after is None else bisect_right(rows, after, key=lambda row: _key(table, row))
        return rows[start : start + limit]

    async def last(self, table: Table) -> Key | None:
        """The greatest key of a table that is sorted here."""
        rows = await self._all(table)
        return _key(table, rows[-1]) if rows else None

    async def _all(self, table: Table) -> list[Row]:
        name, rows = self._sorted
        if name != table.name:
            rows = self.opened(table.name, table.columns, await self._page(table, None, None))
            rows.sort(key=lambda row: _key(table, row))
            self._sorted = (table.name, rows)
        return rows


def _key(table: Table, row: Row) -> Any:  # noqa: ANN401 - values that are compared with their like
    return row[: len(table.key)]
