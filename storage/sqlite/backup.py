"""A backup of the file with SQLite's own API, beside whoever owns it; and a store made out of one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from bridge.errors import Broken, Unavailable
from bridge.store.backup import TAKEN, Backup, BackupRefused

from ..records import literal
from .connection import BUSY_MS, check_file, path_of, resolved, sync_folder
from .copying import quoted
from .lock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PAGES: Final = 4096
"""Pages of a step."""
_PARTIAL: Final = ".partial"
"""The ending of a file that is not verified yet."""
_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*' ORDER BY name"
_NOTE: Final = f"INSERT OR REPLACE INTO cursors (account, name, value) VALUES ('', {literal(TAKEN)}, ?)"
_NOTED: Final = f"SELECT value FROM cursors WHERE account = '' AND name = {literal(TAKEN)}"
_NOT_COUNTED: Final = {"cursors": 0}
"""The table with the note."""


def back_up(url: str, file: Path, at: int, tell: Callable[[int, int], None]) -> Backup:
    """Make a backup in `file`. The store is as it was when this began, whatever is written meanwhile."""
    source_file = resolved(path_of(url))
    if not source_file.exists():
        raise BackupRefused(f"there is no store at {source_file}")
    if file.exists():
        raise BackupRefused(f"{file} exists: name a new file, or move that one away")
    with _translated(source_file), _opened(source_file) as source, _draft(file) as draft:
        source.execute("BEGIN")  # holds the snapshot: each write would begin the copy anew
        rows = _counts(source)
        with closing(sqlite3.connect(draft, isolation_level=None)) as target:
            source.backup(target, pages=_PAGES, progress=lambda _, left, total: tell(total - left, total))
            target.execute("PRAGMA journal_mode = DELETE").fetchone()
            target.execute(_NOTE, (str(at),))
        source.execute("COMMIT")
        backup = _verified(draft)
        if {**backup.rows, **_NOT_COUNTED} != {**rows, **_NOT_COUNTED}:
            raise Broken(f"{draft} has other rows than {source_file}: the disk may be failing")
        _keep(draft, file)
    return backup


def restore(file: Path, url: str) -> Backup:
    """Make the store at `url` out of a backup."""
    path = resolved(path_of(url))
    if not file.exists():
        raise BackupRefused(f"there is no file {file}")
    lock = FileLock(path)
    try:
        for left in (path, *(path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm"))):
            if left.exists():
                raise BackupRefused(f"{left} exists: move it away first, with {path.name}-wal and {path.name}-shm")
        with _translated(file), _draft(path) as draft:
            with _opened(file) as source, closing(sqlite3.connect(draft)) as target:
                source.backup(target, pages=_PAGES)
            backup = _verified(draft)
            path.with_name(f"{path.name}.running").unlink(missing_ok=True)
            _keep(draft, path)
    finally:
        lock.release()
    return backup


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    """SQLite's errors as the engine's."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unavailable(f"{file}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise BackupRefused(f"{file} is no sound database: {error}") from error


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A file of ours, to be read. Raises NewerSchema, UnfinishedCopy."""
    uri = f"{file.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_MS / 1000)) as db:
        check_file(db)
        yield db


@contextmanager
def _draft(file: Path) -> Iterator[Path]:
    """A new file for our eyes only, which is gone at the end unless it was kept."""
    draft = file.with_name(f"{file.name}{_PARTIAL}")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _keep(draft: Path, file: Path) -> None:
    """Give a file its name, durably, unless the name is taken by now."""
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(draft, file)
    except FileExistsError:
        raise BackupRefused(f"{file} exists: name a new file, or move that one away") from None
    sync_folder(file)


def _verified(file: Path) -> Backup:
    """What is in a file that is sound. Raises BackupRefused."""
    with _opened(file) as db:
        found = [row[0] for row in db.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            raise BackupRefused(f"{file} is damaged: {found[0]}")
        noted = db.execute(_NOTED).fetchone()
        return Backup(_counts(db), int(noted[0]) if noted else 0)


def _counts(db: sqlite3.Connection) -> dict[str, int]:
    names = [row[0] for row in db.execute(_TABLES)]
    return {name: db.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0] for name in names}
