"""Stores as production leaves them: a world lives through something, and its database becomes a file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.testing import World


def keep(world: World, file: Path) -> str:
    """Write what a world has stored to a file; its URL."""
    volatile: Any = world._stage._store
    with closing(sqlite3.connect(file)) as target:
        volatile.db.backup(target)
    return f"sqlite:///{file}"
