"""A PostgreSQL database is backed up with its own tools; these functions say how."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from bridge.store.backup import BackupRefused

from .connection import address_of
from .schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def back_up(url: str, file: Path, at: int, tell: Callable[[int, int], None]) -> NoReturn:
    """Raises BackupRefused."""
    del at, tell
    command = f"pg_dump --format=custom --schema={SCHEMA} --file={file} {address_of(url).name}"
    raise BackupRefused(f"PostgreSQL has its own tool, which also works beside a running bridge: {command}")


def restore(file: Path, url: str) -> NoReturn:
    """Raises BackupRefused."""
    command = f"pg_restore --dbname={address_of(url).name} {file}"
    raise BackupRefused(f"PostgreSQL has its own tool: {command}; then `threadbridge restore` without a file")
