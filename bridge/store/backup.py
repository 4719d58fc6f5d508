"""Backups of a store: one file, made beside a running bridge, opened and counted before it is called one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

from bridge.errors import StoreError
from bridge.store.opening import store_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

TAKEN: Final = "backup taken"
"""The cursor of a backup, and of a store restored from it, that says when it was made (microseconds)."""


class BackupRefused(StoreError):
    """This cannot be backed up or restored so; the text says what to do."""


class Backup(NamedTuple):
    """A backup that was opened and found sound: how many rows each table has, and when it was made (microseconds)."""

    rows: Mapping[str, int]
    taken_at: int


class BackupType(Protocol):
    """What a module of bridge.store.opening.GROUP has too, when its stores can be backed up."""

    def back_up(self, url: str, file: Path, at: int, tell: Callable[[int, int], None]) -> Backup:
        """Make a backup in `file`, which is not there yet. `tell` hears how many pages are done, and of how many.

        Raises:
            BackupRefused: it cannot be made so.
            Unavailable, NewerSchema, Broken: the store cannot be read.
        """
        ...

    def restore(self, file: Path, url: str) -> Backup:
        """Make the store at `url`, where there is none, out of a backup.

        Raises:
            BackupRefused: `file` is no sound backup, or there is a store.
        """
        ...


def backup_type(url: str) -> BackupType:
    """The module behind the scheme of `url`. Raises ConfigError, and BackupRefused where it makes no backups."""
    module = store_type(url)
    if not hasattr(module, "back_up"):
        raise BackupRefused(f"stores of {url.partition(':')[0]}: URLs are backed up with the tools of their database")
    return cast("BackupType", module)
