"""A SQLite connection used on the spot instead of on a thread of its own: for simulations, where nothing may race."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    T = TypeVar("T")


class Inline:
    """Stands where an aiosqlite connection stands; see connection.on_thread.

    `pause` is awaited before each piece of work, with a word for it, and once more after a transaction: there the
    simulation decides what happens next.
    """

    def __init__(self, db: sqlite3.Connection, pause: Callable[[str], Awaitable[None]]) -> None:
        """The database is closed by whoever opened it."""
        self._db = db
        self._pause = pause

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - the function's own
        """Call `function(sqlite3 connection, ...)` as one piece."""
        units = arguments[0] if arguments and isinstance(arguments[0], list) else []
        kinds = ", ".join(sorted({each.kind for each in units}))
        await self._pause(f"before {kinds}" if kinds else "before a look into the store")
        result = function(self._db, *arguments)
        if kinds:
            await self._pause(f"after {kinds}")
        return result

    async def close(self) -> None:
        """Nothing: the database outlives the bridge that used it."""
