"""A place for an SQLite file, and the store in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.testing.contract.store.desk import Desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where an SQLite store may be made."""
    return tmp_path / "store.db"


@pytest.fixture
async def desk(file: Path) -> AsyncIterator[Desk]:
    """A store that is open."""
    opened = await Desk(f"sqlite:///{file}").open()
    yield opened
    await opened.store.close()
