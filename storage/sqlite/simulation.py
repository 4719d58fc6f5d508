"""A database in memory that outlives the bridge that uses it, as a file outlives a process: for simulations."""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import TYPE_CHECKING, Final
from weakref import finalize

from ..records import EVENT_OPEN, MESSAGE_OPEN
from .connection import MEMORY, execute, prepare
from .store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence
    from typing import Any, TypeVar

    from ..writer import Unit

    T = TypeVar("T")

_OPEN: Final = f"""
SELECT (SELECT count(*) FROM inbox WHERE {EVENT_OPEN}) + (SELECT count(*) FROM outbox WHERE {MESSAGE_OPEN})
"""


class Inline:
    """A database used on the spot instead of on a thread of its own, so that nothing races; see connection.Connection.

    `pause` is awaited before each piece of work, with a word for it, and once more after a transaction: there the
    simulation decides what happens next.
    """

    read_only = False

    def __init__(self, volatile: Volatile, pause: Callable[[str], Awaitable[None]]) -> None:
        """The database is closed by whoever opened it."""
        self._volatile = volatile
        self._pause = pause

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - the function's own
        """Call `function(sqlite3 connection, ...)` as one piece."""
        await self._pause("before a look into the store")
        return function(self._volatile.db, *arguments)

    async def transact(self, function: Callable[[sqlite3.Connection, Sequence[Unit]], T], units: Sequence[Unit]) -> T:
        """Call `function(sqlite3 connection, units)`."""
        kinds = ", ".join(sorted({unit.kind for unit in units}))
        await self._pause(f"before {kinds}")
        result = function(self._volatile.db, units)
        await self._pause(f"after {kinds}")
        return result

    async def close(self) -> None:
        """Nothing: the database outlives the bridge that used it."""


class SuspectsInMemory:
    """As storage.suspects.SuspectsFile, in memory that survives a bridge."""

    def __init__(self, cells: dict[str, dict[int, int]], running: set[tuple[str, int]]) -> None:
        """What the last bridge left behind, and what this one will: deaths by kind and row, and which rows ran."""
        for kind, row_id in running:
            cells[kind][row_id] += 1
        running.clear()
        self._cells = cells
        self._running = running
        self._deaths = {kind: dict(deaths) for kind, deaths in cells.items()}
        self.suspects: dict[str, frozenset[int]] = {kind: frozenset(rows) for kind, rows in cells.items()}
        self.newest = 0

    def keep(self, kind: str, rows: Collection[int]) -> None:
        """Suspect none but `rows` any more."""
        for row_id in self.suspects[kind].difference(rows):
            self.mark(kind, row_id, running=False)
        self.suspects[kind] = self.suspects[kind].intersection(rows)

    def deaths(self, kind: str, row_id: int) -> int:
        """At how many deaths of a bridge the row was running."""
        return self._deaths[kind].get(row_id, 0)

    def mark(self, slot: str, row_id: int, *, running: bool) -> None:
        """Begin or end work on a row."""
        if running:
            self._cells[slot][row_id] = self.deaths(slot, row_id)
            self._running.add((slot, row_id))
        else:
            self._cells[slot].pop(row_id, None)
            self._running.discard((slot, row_id))

    def reach(self, number: int) -> None:
        """Nothing: the database is lost with the note, or not at all."""

    def close(self, *, clean: bool) -> None:
        """Leaves what is marked."""


class Volatile:
    """One database. `open` it for one bridge after the other; the last one may just have vanished."""

    def __init__(self) -> None:
        """An empty database."""
        self._db: sqlite3.Connection | None
        self._schema: int | None
        """The version of its schema, once a bridge has opened it."""
        self._db, self._schema = _emptied.pop() if _emptied else (_connected(), None)
        self._forgotten = finalize(self, self._db.close)
        """It has the database too: what is collected together with a connection could be collected after it."""
        self._cells: dict[str, dict[int, int]] = {"in": {}, "out": {}}
        self._running: set[tuple[str, int]] = set()

    @property
    def db(self) -> sqlite3.Connection:
        """The database. Raises sqlite3.ProgrammingError once it is closed."""
        if self._db is None:
            raise sqlite3.ProgrammingError("the database of this simulation is closed")
        return self._db

    async def open(self, pause: Callable[[str], Awaitable[None]]) -> SqliteStore:
        """The store as it was last committed; see Inline for `pause`."""
        connection = Inline(self, pause)
        await execute(connection, self._prepare)
        return await SqliteStore.started(connection, connection, SuspectsInMemory(self._cells, self._running), None)

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Settings and schema belong to the connection, which outlives the bridges."""
        if self._schema is None:
            prepare(db)
            self._schema = _schema_version(db)

    def open_rows(self) -> int:
        """How many events and messages are not settled."""
        count: int = self.db.execute(_OPEN).fetchone()[0]
        return count

    def close(self) -> None:
        """The end of everything in it; without its rows, the database serves the next simulation."""
        db, self._db = self._db, None
        if db is None:
            return
        self._forgotten.detach()
        if len(_emptied) < _KEPT and _is_emptied(db, self._schema):
            _emptied.append((db, self._schema))
        else:
            db.close()


_KEPT: Final = 2
_PAGES: Final = 2_000
"""A larger database is not kept."""
_STATEMENTS: Final = 512
"""More than the store has texts of statements: each is prepared once for a database."""
_emptied: Final[list[tuple[sqlite3.Connection, int | None]]] = []
"""Databases without rows, to be used again: making a schema and preparing statements is a third of a short run."""


def _connected() -> sqlite3.Connection:
    # Whichever thread happens to collect the garbage closes what nobody closed.
    return sqlite3.connect(MEMORY, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS)


def _schema_version(db: sqlite3.Connection) -> int:
    """It changes with each change of the schema."""
    version: int = db.execute("PRAGMA schema_version").fetchone()[0]
    return version


def _is_emptied(db: sqlite3.Connection, schema: int | None) -> bool:
    """Delete all rows; False where that does not make a new database of it, or would take long."""
    if db.in_transaction or _schema_version(db) != schema or db.execute("PRAGMA page_count").fetchone()[0] > _PAGES:
        return False
    tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    for (table,) in db.execute(_used(tuple(name for (name,) in tables))).fetchall():
        db.execute(f"DELETE FROM {table}")
    return True


@cache
def _used(tables: tuple[str, ...]) -> str:
    """Asks which of the tables have rows: most stay empty, and a DELETE takes longer than the question about all."""
    return " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables)
