"""The author's own statements on SQLite: in the transaction of their turn, and kept away from our tables."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Any, Final

from bridge.errors import StatementFailed
from bridge.statements import Record, Statement

from ..results import Result
from ..sql import SQLITE
from ..statements import CHANGES, READS, checked, definitions
from .connection import connect, execute, own_names
from .schema import UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from bridge.errors import StoreError
    from bridge.store.migrations import Migration
    from bridge.store.records import TurnCommit

    from .connection import Connection, ThreadConnection

_SILENT: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
"""What names no table."""
_QUERY: Final = _SILENT | {sqlite3.SQLITE_READ}
_CHANGE: Final = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_DEFINE: Final = frozenset(
    {
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_VIEW,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_CREATE_VTABLE,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_DROP_VIEW,
        sqlite3.SQLITE_DROP_TRIGGER,
        sqlite3.SQLITE_DROP_VTABLE,
        sqlite3.SQLITE_ALTER_TABLE,
        sqlite3.SQLITE_REINDEX,
    }
)
_DEFINING: Final = _QUERY | _CHANGE | _DEFINE
"""What a migration may do."""
_SCHEMA: Final = frozenset({"sqlite_master", "sqlite_temp_master", "sqlite_schema", "sqlite_sequence"})
"""What SQLite itself writes to where tables change."""
_ITS_OWN: Final = frozenset({"quick_check", "data_version"})
"""What ALTER TABLE and full-text search ask by themselves; a bot's statement is no PRAGMA."""
_PREFIX: Final = "threadbridge_"
_LATER: Final = frozenset(
    {"broadcasts", "contacts", "duties", "identities", "jobs", "opt_outs", "processes", "sends", UNFINISHED}
)
"""Names that tables of ours may have one day, or for a while."""
_AUTHORS: Final = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_INTERRUPT,
    }
)
"""Errors that a statement brings on itself, whatever the state of the disk and of other transactions."""
_NOTED: Final = "SELECT 1 FROM migrations WHERE number = ?"
_NOTE: Final = "INSERT INTO migrations (number, name, digest, applied_at) VALUES (?, ?, ?, ?)"
_LOOK: Final = 100_000
STEPS: Final = {"change": 200, "read": 4_000}
"""How many times so many steps of SQLite's machine the statements of a turn may take, and a query: a second, or 20."""
_CHANGED, _READ = "/*bot*/", "/*bot reads*/"
"""What keeps the text of an author's statement from being one of ours, which is prepared without the guard."""


class Guard:
    """The authorizer of a connection. While it is `on` it refuses whatever is not the author's.

    It stays with the connection: to set one makes SQLite prepare every statement anew.
    """

    def __init__(self) -> None:
        """It is off, and on no connection."""
        self._db: sqlite3.Connection | None = None
        self._allowed: Collection[int] | None = None
        self._refused = ""

    @contextmanager
    def on(self, db: sqlite3.Connection, allowed: Collection[int], statement: str) -> Iterator[None]:
        """Let `db` do only what is among `allowed`, and to the author's tables: what `statement` shows.

        Raises:
            StatementFailed: it cannot be done as it is.
        """
        if self._db is not db:
            db.set_authorizer(self)
            self._db = db
        self._allowed, self._refused = allowed, ""
        try:
            yield
        except sqlite3.Error as error:
            if not _is_authors(error):
                raise
            raise StatementFailed(f"SQLite: {self._refused or error}: {statement}") from error
        finally:
            self._allowed = None

    def __call__(self, action: int, first: str | None, second: str | None, _: str | None, __: str | None) -> int:
        """Whether a statement that is prepared may do something: SQLite's own question."""
        if self._allowed is None or (action == sqlite3.SQLITE_PRAGMA and first in _ITS_OWN):
            return sqlite3.SQLITE_OK
        if action not in self._allowed:
            self._refused = self._refused or "the transaction and the file are threadbridge's own"
            return sqlite3.SQLITE_DENY
        if action in _SILENT:
            return sqlite3.SQLITE_OK
        changes_schema = sqlite3.SQLITE_CREATE_TABLE in self._allowed
        for name in (first, second if action in _DEFINE else None):
            if name is not None and self._is_kept(name.lower(), action, changes_schema=changes_schema):
                self._refused = self._refused or f"{name} is a name of threadbridge's own, or of SQLite's"
                return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    @staticmethod
    def _is_kept(name: str, action: int, *, changes_schema: bool) -> bool:
        if name in own_names() or name.startswith(_PREFIX):
            return True
        if action in _DEFINE:
            return name in _LATER
        if name in _SCHEMA:
            return action in _CHANGE and not changes_schema
        return name.startswith("sqlite_") and action in _CHANGE


def change(sql: str, parameters: Sequence[Any]) -> Statement:
    """A statement that changes rows. Raises HandlerError."""
    checked(sql, parameters, SQLITE, CHANGES)
    return Statement(sql, tuple(parameters))


def query(sql: str, parameters: Sequence[Any]) -> Statement:
    """A statement that reads rows. Raises HandlerError."""
    checked(sql, parameters, SQLITE, READS)
    return Statement(sql, tuple(parameters))


def run(
    db: sqlite3.Connection, guard: Guard, turns: Sequence[TurnCommit], verdicts: Sequence[StoreError | None]
) -> list[StoreError | None]:
    """Run the statements of the turns that may be committed. One whose statement fails is not, and leaves nothing.

    Raises:
        StatementFailed: a statement ended the transaction itself.
    """
    return [
        _run(db, guard, turn.statements) if lost is None and turn.statements else lost
        for turn, lost in zip(turns, verdicts, strict=True)
    ]


def _run(db: sqlite3.Connection, guard: Guard, statements: Sequence[Statement]) -> StatementFailed | None:
    db.execute("SAVEPOINT bot")
    try:
        with _bounded(db, "change"):
            for statement in statements:
                with guard.on(db, _QUERY | _CHANGE, statement.shown):
                    db.execute(f"{_CHANGED}{statement.sql}", statement.parameters).fetchall()
    except StatementFailed as failed:
        if not db.in_transaction:  # ON CONFLICT ROLLBACK: what others changed is gone with it
            raise
        db.execute("ROLLBACK TO bot")
        db.execute("RELEASE bot")
        return failed
    db.execute("RELEASE bot")
    return None


def fetch(
    db: sqlite3.Connection, guard: Guard, statement: Statement, unwanted: Callable[[], bool] = lambda: False
) -> list[Record]:
    """The rows of a query, which ends once nobody wants them any more. Raises StatementFailed."""
    with _bounded(db, "read", unwanted), guard.on(db, _QUERY, statement.shown):
        cursor = db.execute(f"{_READ}{statement.sql}", statement.parameters)
        names = tuple(column[0] for column in cursor.description)
        return [Record(names, row) for row in cursor]


@contextmanager
def _bounded(db: sqlite3.Connection, what: str, unwanted: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """While a turn's statements run, all webhooks wait: what takes too long is interrupted."""
    left = STEPS[what]

    def look() -> bool:
        nonlocal left
        left -= 1
        return left < 0 or unwanted()

    db.set_progress_handler(look, _LOOK)
    try:
        yield
    finally:
        db.set_progress_handler(None, _LOOK)


class OwnReads:
    """The author's queries, one after the other, where a slow one holds up nothing else."""

    def __init__(self, shared: Connection, path: Path | None) -> None:
        """On a connection of their own to the file at `path`; where there is no file, on the `shared` one."""
        self._shared = shared
        self._path = path
        self._own: ThreadConnection | None = None
        self._guard = Guard()
        self._one_at_a_time = asyncio.Lock()

    async def fetch(self, guard: Guard, statement: Statement) -> list[Record]:
        """The rows of a query; who is cancelled ends it. Raises StatementFailed, Unavailable, Broken."""
        if self._path is None:
            return await execute(self._shared, fetch, guard, statement)
        async with self._one_at_a_time:
            if self._own is None:
                self._own = await connect(str(self._path), read_only=True)
            unwanted = Event()  # SQLite's own interrupt would last while any statement is open, and end the next query
            try:
                return await execute(self._own, fetch, self._guard, statement, unwanted.is_set)
            finally:
                unwanted.set()

    async def close(self) -> None:
        """End the query that runs, and close the connection."""
        if self._own is not None:
            self._own.interrupt()
            await self._own.close()


def migrate(db: sqlite3.Connection, guard: Guard, migration: Migration, at: int) -> Result:
    """Apply a migration of the author's, and note it.

    Raises:
        HandlerError: it holds what no migration may.
        StatementFailed: SQLite does not take it.
    """
    if db.execute(_NOTED, (migration.number,)).fetchone():
        return Result(value=False)
    for definition in definitions(migration.script, SQLITE):
        with guard.on(db, _DEFINING, definition.strip()):
            db.execute(f"{_CHANGED}{definition}").fetchall()
    for (name,) in db.execute("SELECT name FROM sqlite_master"):
        if name not in own_names() and (name.lower() in _LATER or name.lower().startswith(_PREFIX)):
            raise StatementFailed(f"{name} is a name of threadbridge's own")  # as ALTER TABLE … RENAME makes them
    db.execute(_NOTE, (*migration.applied, at))
    return Result(value=True)


def _is_authors(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # of Python's own: a text that is no UTF-8, and not a connection that is closed
        return type(error) is sqlite3.OperationalError
    return code & 0xFF in _AUTHORS
