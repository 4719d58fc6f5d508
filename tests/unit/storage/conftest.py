"""A place for an SQLite file and the store in it; and processes that share a PostgreSQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.testing.contract.store.desk import Desk
from storage.postgres import tending
from tests.support.postgres import empty_store, process_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.postgres_processes import Open


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


@pytest.fixture
def shared_url() -> str:
    return empty_store()


@pytest.fixture
async def one_more(shared_url: str) -> AsyncIterator[Open]:
    """Begins a process; all of them share one database."""
    desks = list[Desk]()

    async def begin() -> Desk:
        desk = await Desk(shared_url).open()
        desks.append(desk)
        return desk

    yield begin
    for desk in desks:
        if desk.told.failures or process_of(desk)._process.epoch < 0:
            process_of(desk)._process.lose()
        await desk.store.close()


@pytest.fixture
async def ours(one_more: Open) -> Desk:
    return await one_more()


@pytest.fixture
async def theirs(one_more: Open) -> Desk:
    return await one_more()


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no connection is dead at once."""
    monkeypatch.setattr(tending, "GRACE", 0.0)
    monkeypatch.setattr(tending, "is_dead", lambda _, *, connected: not connected)
