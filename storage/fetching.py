"""What the methods that both readers share ask their database with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .records import Row


class Fetching:
    """A reader runs queries."""

    async def _fetch(self, query: str, *values: Any) -> list[Row]:  # noqa: ANN401 - the query's own
        """The rows of a query."""
        raise NotImplementedError
