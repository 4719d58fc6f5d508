"""The write-ahead log: a reader that does not end keeps it from being written back, and so it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.errors import Unavailable
from bridge.log import log

from .connection import BUSY_MS

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

GROWN: Final = 256 << 20
"""Bytes of log that are worth a line, and the try to write it back whole. SQLite keeps it far below without readers."""
FULL: Final = 1 << 30
"""Bytes of log beyond which nothing new is received: the disk is not ours alone."""
TRIES: Final = 64
"""Transactions between two tries."""


class WalWatch:
    """Looks at the log's size after each transaction; belongs to the writing connection's thread."""

    def __init__(self, database: Path) -> None:
        """The log of `database`."""
        self._path = database.with_name(f"{database.name}-wal")
        self._size = 0
        self._transactions = 0
        self._told = ""

    def committed(self, db: sqlite3.Connection) -> None:
        """A transaction is over: where the log is large, tell it once, and try to write it back now and then."""
        self._look()
        if self._size < GROWN:
            return
        self._transactions += 1
        if self._transactions % TRIES == 0:
            self._truncate(db)
        if self._size >= GROWN:
            self._tell("wal_grows")

    def refusal(self, db: sqlite3.Connection) -> Unavailable | None:
        """Why nothing new can be received; None: it can."""
        if self._size >= FULL:
            self._truncate(db)
        if self._size < FULL:
            return None
        self._tell("wal_full")
        return Unavailable(f"{self._path.name} is full: some program has read the database for too long")

    def empty(self, db: sqlite3.Connection) -> bool:
        """Write the log back and empty it now; whether nobody reads what is in it."""
        self._truncate(db)
        return self._size == 0

    def _truncate(self, db: sqlite3.Connection) -> None:
        """Write the log back and empty it, unless somebody reads what is in it. Waits for nobody."""
        db.execute("PRAGMA busy_timeout = 0").fetchone()
        try:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            db.execute(f"PRAGMA busy_timeout = {BUSY_MS}").fetchone()
        self._look()

    def _look(self) -> None:
        try:
            self._size = self._path.stat().st_size
        except FileNotFoundError:
            self._size = 0
        if self._told and self._size < GROWN:
            log.info("wal_written_back", bytes=self._size)
            self._told = ""

    def _tell(self, what: str) -> None:
        if self._told not in (what, "wal_full"):
            self._told = what
            (log.error if what == "wal_full" else log.warning)(what, file=str(self._path), bytes=self._size)
