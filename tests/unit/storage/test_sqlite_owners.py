"""Whose file an SQLite store is: one owner at a time, nobody else's file, and migrations made whole or not at all."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.errors import Broken, NewerSchema, StoreError, StoreInUse
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import Desk, arrival
from storage.sqlite import connection
from storage.sqlite.schema import APPLICATION_ID, MIGRATIONS
from storage.sqlite.store import open_reader, open_store
from tests.support.sqlite_files import digest, on_writer
from tests.support.warm_python import python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]


async def test_a_second_owner_is_told_who_the_first_is(file: Path) -> None:
    first = await open_store(f"sqlite:///{file}")
    with pytest.raises(StoreInUse, match=f"store.db is in use by process {os.getpid()}$"):
        await open_store(f"sqlite:///{file}")
    await first.close()


OWN = """
import asyncio, sys
from storage.sqlite import open_store
async def main():
    store = await open_store(sys.argv[1])
    print("open", flush=True)
    sys.stdin.readline()
    await store.close()
asyncio.run(main())
"""


@contextmanager
def owned(file: Path) -> Iterator[None]:
    """Another process owns the store."""
    command = [python(), "-c", OWN, f"sqlite:///{file}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        try:
            yield
        finally:
            process.communicate(b"\n")


def link(file: Path, name: str) -> Path:
    """Another name of the database."""
    if name == "lock file removed":
        return file
    folder = file.with_name("elsewhere")
    folder.mkdir()
    other = folder / "other.db"
    (other.symlink_to if name == "symbolic link" else other.hardlink_to)(file)
    return other


@pytest.mark.slow
@pytest.mark.parametrize("name", ["symbolic link", "hard link", "lock file removed"])
def test_a_database_has_one_owner_under_all_its_names(file: Path, name: str) -> None:
    asyncio.run(open_and_close(f"sqlite:///{file}"))
    other = link(file, name)
    with owned(file):
        if name == "lock file removed":
            file.with_name("store.db.lock").unlink()
        with pytest.raises(StoreInUse, match="is in use by"):
            asyncio.run(open_store(f"sqlite:///{other}"))
    asyncio.run(open_and_close(f"sqlite:///{other}"))


async def test_a_database_that_is_removed_under_its_owner_takes_nothing_more(file: Path) -> None:
    desk = await Desk(f"sqlite:///{file}").open()
    await desk.hear("1")
    await asyncio.to_thread(file.unlink)
    with pytest.raises(Broken, match="was removed or replaced"):
        await desk.hear("2")
    assert len(desk.told.failures) == 1
    await desk.store.close()


def test_the_lock_file_is_no_link(tmp_path: Path, file: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("somebody else's")
    file.with_name("store.db.lock").symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic links"):
        asyncio.run(open_store(f"sqlite:///{file}"))
    assert elsewhere.read_text() == "somebody else's"


DIE = """
import asyncio, os, sys
from bridge.testing.contract.store.desk import Desk
async def main():
    desk = await Desk(sys.argv[1]).open()
    await desk.said("1")
    await desk.said("2")
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""


def die(file: Path) -> None:
    """A process acknowledges two events, and dies."""
    code = subprocess.call([python(), "-c", DIE, f"sqlite:///{file}"], cwd=ROOT)
    assert code == -9


def cut(log: Path) -> None:
    os.truncate(log, log.stat().st_size // 2)


def scribble(log: Path) -> None:
    with log.open("r+b") as file:
        file.seek(-5000, os.SEEK_END)
        file.write(b"noise" * 200)


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["log deleted", "log cut", "log noisy", "database gone", "older database"])
def test_after_a_crash_nothing_acknowledged_is_lost_without_a_word(file: Path, harm: str) -> None:
    url, log = f"sqlite:///{file}", file.with_name("store.db-wal")
    asyncio.run(open_and_close(url))
    older = file.read_bytes()
    die(file)
    saved = {path: path.read_bytes() for path in (file, log)}
    harms: dict[str, Callable[[Path], None]] = {"log cut": cut, "log noisy": scribble}
    harms.get(harm, Path.unlink)(file if harm == "database gone" else log)
    if harm == "older database":
        file.write_bytes(older)
    harmed = digest(log) if log.exists() else None
    for _ in range(2):
        with pytest.raises(Broken, match=rf"{file} lacks .* ends at number \d, .* at 4\. .* delete {file}\.running"):
            asyncio.run(open_store(url))
    assert harmed is None or digest(log) == harmed, "nothing is repaired"
    for path, content in saved.items():
        path.write_bytes(content)
    assert asyncio.run(open_messages(url)) == 2


async def open_messages(url: str) -> int:
    desk = await Desk(url).open()
    count = (await desk.store.counts())["open_messages"]
    await desk.store.close()
    return count


@pytest.mark.slow
def test_who_accepts_the_loss_starts_with_what_is_left(file: Path) -> None:
    die(file)
    for name in ("store.db", "store.db-wal", "store.db.running"):
        file.with_name(name).unlink()
    asyncio.run(open_and_close(f"sqlite:///{file}"))


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
