"""Whose file a database is: one process owns it, under whatever name it is opened."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from typing import TYPE_CHECKING, Final

from bridge.errors import Broken, StoreInUse
from bridge.log import log

if TYPE_CHECKING:
    from pathlib import Path

_FREE_BYTE: Final = 1 << 62
"""Far behind the bytes that SQLite locks, at 1 GiB."""
_RANGE: Final = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, _FREE_BYTE, 1, 0)
"""A C `struct flock`."""
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class FileLock:
    """Two exclusive locks, held while the database is ours.

    `<database>.lock` names the process that holds it. The lock on the database itself holds for all its names: links
    of both kinds, and a lock file that somebody removed.
    """

    def __init__(self, database: Path) -> None:
        """Take the first lock. Raises StoreInUse when another process has it."""
        self.database = database
        self._inode: int | None = None
        self._counts_links = False
        self._name = os.open(database.with_name(f"{database.name}.lock"), _FLAGS, 0o600)
        try:
            fcntl.flock(self._name, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._name, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._name)
            raise StoreInUse(f"{database} is in use by process {holder}") from None
        self._note_holder()

    def take_database(self) -> None:
        """Take the second lock; the database is there now. Raises StoreInUse when another process has it.

        Closing any descriptor of a file drops the locks that SQLite has on it. So this one stays open until `release`.
        """
        self._inode = os.open(self.database, os.O_RDWR | os.O_CLOEXEC)
        self._counts_links = os.fstat(self._inode).st_nlink > 0
        if sys.platform != "linux":
            return
        try:
            fcntl.fcntl(self._inode, fcntl.F_OFD_SETLK, _RANGE)
        except (BlockingIOError, PermissionError):
            reason = f"{self.database} is in use by another process, which may know it by another name"
            raise StoreInUse(reason) from None
        except OSError as error:  # a file system without such locks: the lock file has to do
            log.warning("database_lock_unavailable", file=str(self.database), reason=error.strerror)

    def check(self) -> None:
        """Raises Broken when the database was removed or replaced: what is written to it now is lost."""
        if self._inode is not None and self._counts_links and not os.fstat(self._inode).st_nlink:
            raise Broken(f"{self.database} was removed or replaced while it was in use")

    def has_log(self) -> bool:
        """Whether a write-ahead log is there, whose content the database may lack."""
        return self.database.with_name(f"{self.database.name}-wal").exists()

    def release(self) -> None:
        """Let go; the kernel does the same when the process dies. Every connection is closed by now."""
        if self._inode is not None:
            os.close(self._inode)
        os.close(self._name)

    def _note_holder(self) -> None:
        """The process, over the one before: on a full disk an empty file would have no room for it."""
        line = f"{os.getpid()}\n".encode()
        try:
            os.pwrite(self._name, line, 0)
            os.ftruncate(self._name, len(line))
        except OSError:  # a full disk: the lock holds without a name, too
            os.ftruncate(self._name, 0)
