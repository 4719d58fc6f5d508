"""Opening a SQLite file: the lock that says it is ours, settings that are read back, migrations."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote, unquote_to_bytes

import aiosqlite

from bridge.errors import Broken, NewerSchema, StoreError, Unavailable, UnfinishedCopy
from bridge.log import log
from bridge.store.lifecycle import InboxState, OutboxState, Outcome

from .encryption import SealingConnection
from .schema import APPLICATION_ID, MIGRATIONS, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from ..writer import Unit

    T = TypeVar("T")

BUSY_MS: Final = 2_000
"""How long to wait for a foreign writer: less than the 2.5 s in which a webhook is answered."""
CHECKPOINT: Final = 8_000
"""Pages of log after which it is written back, 32 MB. Who commits meanwhile waits: with the usual 1,000 pages, that was
one reply in forty at 300 messages a second, and now it is one in 300.
"""
_TRANSIENT: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_FULL})
_NO_ROOM: Final = frozenset({sqlite3.SQLITE_IOERR_SHMSIZE})
"""A full disk where the log's index has to grow."""
_SETTINGS: Final[tuple[tuple[str, str, object], ...]] = (
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("busy_timeout", str(BUSY_MS), BUSY_MS),
    ("foreign_keys", "OFF", 0),
    ("trusted_schema", "OFF", 0),
    ("journal_size_limit", str(64 << 20), 64 << 20),
    ("wal_autocheckpoint", str(CHECKPOINT), CHECKPOINT),
    ("cache_size", "-768", -768),
    ("secure_delete", "ON", 1),
)
_OLDER: Final = "its schema is older than this threadbridge: `threadbridge migrate` brings it up to date"
MEMORY: Final = ":memory:"

sqlite3.register_adapter(bytes, bytes.__bytes__)
sqlite3.register_adapter(type(None), {None: None}.__getitem__)
for _state in (InboxState, OutboxState, Outcome):
    sqlite3.register_adapter(_state, attrgetter("_value_"))
"""Values that are written as they are: without a word of ours the module asks three times how to, at 3,000 instructions
for each value. These are functions in C; the second one gives None for None.
"""

logging.getLogger("aiosqlite").setLevel(logging.INFO)
"""At DEBUG it prints all that is stored, also where an application of somebody else's wants to see everything."""


class Connection(Protocol):
    """What a store works with: SQLite on a thread of its own, or in simulations the database itself."""

    read_only: bool

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - the function's own
        """Call `function(sqlite3 connection, ...)` as one piece. Raises what it raises."""
        ...

    async def transact(self, function: Callable[[sqlite3.Connection, Sequence[Unit]], T], units: Sequence[Unit]) -> T:
        """Call `function(sqlite3 connection, units)`, which is one transaction. Raises what it raises."""
        ...

    async def close(self) -> None:
        """Let go of the database."""
        ...


class ThreadConnection:
    """SQLite on a thread of its own.

    The one place that reaches into aiosqlite: a transaction has to be one call there, because a task cancelled
    between two awaited statements would leave it open for somebody else to write into.
    """

    def __init__(self, connection: aiosqlite.Connection, *, read_only: bool) -> None:
        """Take over an open connection."""
        self.read_only = read_only
        self._connection = connection

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - the function's own
        """Call `function(sqlite3 connection, ...)` on the thread, as one piece."""
        return await self._connection._execute(function, self._connection._conn, *arguments)  # type: ignore[no-any-return, no-untyped-call] # noqa: SLF001

    async def transact(self, function: Callable[[sqlite3.Connection, Sequence[Unit]], T], units: Sequence[Unit]) -> T:
        """Call `function(sqlite3 connection, units)` on the thread."""
        return await self.run(function, units)

    def interrupt(self) -> None:
        """End what the thread is doing now, with an error of its own."""
        if self._connection._conn is not None:  # noqa: SLF001 - aiosqlite's own way of it would have to be awaited
            self._connection._conn.interrupt()  # noqa: SLF001 - the same

    async def close(self) -> None:
        """Close the connection, and end its thread."""
        await self._connection.close()


def path_of(url: str) -> str:
    """The file in sqlite:///relative.db, sqlite:////absolute.db; ":memory:" for sqlite://."""
    return os.fsdecode(unquote_to_bytes(url.removeprefix("sqlite://").removeprefix("/"))) or MEMORY


def translate(error: sqlite3.Error) -> StoreError:
    """A SQLite error as what the engine does about it."""
    code = _code(error)
    if (
        isinstance(error, sqlite3.OperationalError)
        and code is not None
        and (code in _NO_ROOM or code & 0xFF in _TRANSIENT)
    ):
        return Unavailable(f"SQLite: {error}")
    if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError
    ):
        return Broken(f"SQLite: {error}")
    return StoreError(f"SQLite: {error}")


async def connect(
    path: str,
    *,
    read_only: bool,
    prepared: Callable[[sqlite3.Connection], None] | None = None,
    seals: bool = False,
) -> ThreadConnection:
    """A connection with our settings, each read back. Raises Unavailable, Broken, NewerSchema, UnfinishedCopy.

    `prepared` is called with it in place of `prepare`. With `seals` it is one that can encrypt.
    """
    name = f"file:{quote(os.fsencode(path))}?mode=ro" if read_only else path
    kind: dict[str, Any] = {"factory": SealingConnection} if seals else {}
    connection = aiosqlite.connect(name, uri=read_only, isolation_level=None, timeout=BUSY_MS / 1_000, **kind)
    connection._thread.daemon = True  # noqa: SLF001 - one that nobody came to close must not keep the process alive
    try:
        await connection
    except sqlite3.Error as error:
        connection._thread.join()  # noqa: SLF001 - it is ending, and must not outlive the loop it speaks to
        raise Unavailable(f"{path}: {error}") from None
    opened = ThreadConnection(connection, read_only=read_only)
    try:
        await execute(opened, prepared or (_check_readable if read_only else prepare))
    except BaseException:
        await opened.close()
        raise
    return opened


async def execute(connection: Connection, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401
    """Run `function(sqlite3 connection, ...)` as one piece. SQLite's errors are raised as the engine's."""
    try:
        return await connection.run(function, *arguments)
    except sqlite3.Error as error:
        if connection.read_only and _code(error) == sqlite3.SQLITE_ERROR and await connection.run(_is_older):
            raise Broken(_OLDER) from error
        raise translate(error) from error


def _code(error: sqlite3.Error) -> int | None:
    """SQLite's own code; the module's own errors have none."""
    return getattr(error, "sqlite_errorcode", None)


def _is_older(db: sqlite3.Connection) -> bool:
    return _version(db) < len(MIGRATIONS)


def _version(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def prepare(db: sqlite3.Connection) -> None:
    """Our settings, each read back, and our schema. Raises Broken, NewerSchema, UnfinishedCopy."""
    _check_readable(db)
    _set_up(db)


def prepare_copy(db: sqlite3.Connection) -> None:
    """As `prepare`, for what becomes a copy or is an unfinished one. Raises Broken, NewerSchema."""
    _check_ours(db)
    if _unfinished(db) is not None and _is_older(db):
        raise NewerSchema("an earlier threadbridge began this copy: delete the file, and begin again")
    _set_up(db)


def _set_up(db: sqlite3.Connection) -> None:
    memory = not db.execute("PRAGMA database_list").fetchone()[2]
    for name, value, expected in _SETTINGS:
        db.execute(f"PRAGMA {name} = {value}").fetchone()
        actual = db.execute(f"PRAGMA {name}").fetchone()[0]
        if actual != expected and not (memory and name == "journal_mode"):
            raise Broken(f"SQLite refuses {name} = {value}: it stays {actual}")
    if _version(db):
        _migrate(db)
    else:
        _copy_empty(db)


def _copy_empty(db: sqlite3.Connection) -> None:
    """Our schema as a copy, in one transaction: it waits for the disk once, and a simulation makes it once."""
    with closing(sqlite3.connect(MEMORY)) as source:
        source.deserialize(_empty(len(MIGRATIONS)))
        source.backup(db)


@cache
def _empty(schema: int) -> bytes:
    """A database with our schema, of this number, and no rows."""
    assert schema == len(MIGRATIONS)
    with closing(sqlite3.connect(MEMORY, isolation_level=None)) as db:
        _migrate(db)
        return db.serialize()


@cache
def own_names() -> frozenset[str]:
    """The tables and indexes of our schema."""
    with closing(sqlite3.connect(MEMORY)) as db:
        db.deserialize(_empty(len(MIGRATIONS)))
        return frozenset(name for (name,) in db.execute("SELECT name FROM sqlite_master"))


def has_own_tables(db: sqlite3.Connection) -> bool:
    """Whether migrations of the author's were applied; a file of an older schema has none."""
    known = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").fetchone()
    return known is not None and db.execute("SELECT 1 FROM migrations LIMIT 1").fetchone() is not None


def _check_ours(db: sqlite3.Connection) -> None:
    """Refuse a file of another application or of a later version, before anything is written to it."""
    version = _version(db)
    application = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application != APPLICATION_ID:
        raise NewerSchema("this database belongs to another application; give threadbridge a file of its own")
    if version > len(MIGRATIONS):
        raise NewerSchema(
            f"this database has schema {version}, written by a later threadbridge; "
            f"this one knows schema {len(MIGRATIONS)}: upgrade threadbridge, or restore an older backup"
        )


def check_file(db: sqlite3.Connection) -> None:
    """Whether a file is a store of ours, of this version or an older one. Raises NewerSchema, UnfinishedCopy."""
    _check_readable(db)
    if not _version(db):
        raise NewerSchema("this file holds no store")


def check_newest(db: sqlite3.Connection) -> None:
    """Whether the schema is that of this version, as it is. Raises Broken, NewerSchema, UnfinishedCopy."""
    _check_readable(db)
    if _is_older(db):
        raise Broken(_OLDER)


def _check_readable(db: sqlite3.Connection) -> None:
    _check_ours(db)
    if (source := _unfinished(db)) is not None:
        raise UnfinishedCopy(source)


def _unfinished(db: sqlite3.Connection) -> str | None:
    """Of which store this is an unfinished copy."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (UNFINISHED,)).fetchone():
        return None
    row = db.execute(f"SELECT source FROM {UNFINISHED}").fetchone()
    return row[0] if row else ""


def _migrate(db: sqlite3.Connection) -> None:
    version = _version(db)
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        statements = [statement for statement in script.split(";\n") if statement.strip()]
        db.execute("BEGIN IMMEDIATE")
        try:
            for step, statement in enumerate(statements, 1):
                if version:
                    log.info("database_upgrade", schema=number, step=step, steps=len(statements))
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise


def resolved(path: str) -> Path:
    """The file that a link leads to: SQLite names its log after it, and so are the lock and the note."""
    return Path(path).resolve()


def create_file(database: Path) -> bool:
    """Make the file, for our eyes only, unless it is there; whether it was made."""
    if database.exists():
        return False
    database.touch(mode=0o600)
    return True


def sync_folder(database: Path) -> None:
    """Make a newly created file's name durable too."""
    folder = os.open(database.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
