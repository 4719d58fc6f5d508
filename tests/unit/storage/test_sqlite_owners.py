"""Whose file an SQLite store is: one owner at a time, nobody else's file, and migrations made whole or not at all."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from bridge.errors import Broken, NewerSchema, StoreError, StoreInUse
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import Desk, arrival
from storage.sqlite import connection
from storage.sqlite.schema import APPLICATION_ID, MIGRATIONS
from storage.sqlite.store import open_reader, open_store
from tests.support.sqlite_files import digest, on_writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def test_a_second_owner_is_told_who_the_first_is(file: Path) -> None:
    first = await open_store(f"sqlite:///{file}")
    with pytest.raises(StoreInUse, match=f"store.db is in use by process {os.getpid()}$"):
        await open_store(f"sqlite:///{file}")
    await first.close()


def test_the_lock_is_free_again_after_failing_to_open(file: Path) -> None:
    file.write_bytes(b"no database" * 100)
    with pytest.raises(Broken):
        asyncio.run(open_store(f"sqlite:///{file}"))
    file.unlink()
    asyncio.run(open_and_close(f"sqlite:///{file}"))


async def open_and_close(url: str) -> None:
    await (await open_store(url)).close()


@pytest.mark.parametrize("opened", [open_store, open_reader])
@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        ((f"PRAGMA application_id = {APPLICATION_ID}", "CREATE TABLE t (a)", "PRAGMA user_version = 99"), "schema 99"),
        (("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)"), "another application"),
        (("PRAGMA application_id = 7", "CREATE TABLE t (a)"), "another application"),
    ],
)
async def test_a_file_of_somebody_else_is_refused_unchanged(
    file: Path, opened: Callable[[str], Any], statements: tuple[str, ...], reason: str
) -> None:
    foreign = sqlite3.connect(file)
    for statement in statements:
        foreign.execute(statement)
    foreign.commit()
    foreign.close()
    before = digest(file)
    with pytest.raises(NewerSchema, match=reason):
        await opened(f"sqlite:///{file}")
    assert digest(file) == before


async def test_a_migration_is_made_whole_or_not_at_all(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await Desk(f"sqlite:///{file}").open()
    await desk.hear("1")
    await desk.store.close()
    next_one = "CREATE TABLE novelty (a);\nALTER TABLE inbox ADD COLUMN extra TEXT;\n"
    monkeypatch.setattr(connection, "MIGRATIONS", (*MIGRATIONS, f"{next_one}CREATE TABLE inbox (again)"))
    with pytest.raises(StoreError):
        await desk.open()
    looking = sqlite3.connect(file)
    assert looking.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert looking.execute("SELECT count(*) FROM sqlite_master WHERE name = 'novelty'").fetchone() == (0,)
    looking.close()
    monkeypatch.setattr(connection, "MIGRATIONS", (*MIGRATIONS, next_one))
    await desk.open()
    version = await on_writer(desk, lambda db: db.execute("PRAGMA user_version").fetchone()[0])
    assert version == len(MIGRATIONS) + 1
    assert await desk.receive(arrival("1")) == [Receipt.REPEATED]
    await desk.store.close()
