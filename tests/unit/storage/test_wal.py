"""The write-ahead log under a reader that does not end: bounded, told once, and written back when he is gone."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bridge.errors import Unavailable
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import Desk, arrival
from storage.sqlite import store, wal
from tests.support.sqlite_files import on_writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture
async def desk(file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(wal, "GROWN", 400_000)
    monkeypatch.setattr(wal, "FULL", 900_000)
    monkeypatch.setattr(wal, "TRIES", 3)
    opened = await Desk(f"sqlite:///{file}").open()
    await on_writer(opened, lambda db: db.execute("PRAGMA wal_autocheckpoint = 10").fetchone())
    await on_writer(opened, lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())  # of the schema
    yield opened
    await opened.store.close()


@contextmanager
def forgotten(file: Path) -> Iterator[None]:
    """A reader that stays in its transaction: a shell, a dashboard."""
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM inbox").fetchone()
        yield


def size(file: Path) -> int:
    return file.with_name(f"{file.name}-wal").stat().st_size


async def fill(desk: Desk, name: str) -> int:
    """Events until one is refused; how many were stored."""
    for number in range(100):
        try:
            await desk.receive(arrival(f"{name}{number}", text="x" * 20_000))
        except Unavailable as error:
            assert "store.db-wal is full" in str(error)  # noqa: PT017 - in the middle of a row of them
            return number
    raise AssertionError("never full")


async def test_without_readers_the_log_stays_small_in_silence(desk: Desk, file: Path) -> None:
    with capture_logs() as lines:
        for number in range(40):
            await desk.receive(arrival(f"{number}", text="x" * 20_000))
    assert size(file) < 400_000
    assert lines == []


async def test_a_reader_that_stays_is_told_once_and_the_log_has_a_bound(desk: Desk, file: Path) -> None:
    with forgotten(file), capture_logs() as lines:
        stored = await fill(desk, "a")
        assert stored > 5
        with pytest.raises(Unavailable):
            await desk.receive(arrival("more"))
        assert size(file) < 1_000_000
    assert [(line["log_level"], line["event"]) for line in lines] == [("warning", "wal_grows"), ("error", "wal_full")]
    assert len(desk.told.events) == stored


async def test_a_log_that_a_reader_keeps_is_not_wiped(desk: Desk, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_LOOKS", 2)
    monkeypatch.setattr(store, "_A_LOOK", 0.0)
    with forgotten(file):
        await desk.hear("1")
        assert not await desk.store.wipe()
    assert await desk.store.wipe()


async def test_turns_go_on_while_nothing_new_is_received(desk: Desk, file: Path) -> None:
    (row,) = await desk.hear("1")
    with forgotten(file):
        await fill(desk, "a")
        assert len(await desk.turn(row, "still answered")) == 1


async def test_the_log_is_written_back_and_cut_when_the_reader_is_gone(desk: Desk, file: Path) -> None:
    with forgotten(file):
        await fill(desk, "a")
    with capture_logs() as lines:
        assert await desk.receive(arrival("after")) == [Receipt.STORED]
    assert size(file) < 100_000
    assert [line["event"] for line in lines] == ["wal_written_back"]
    assert await on_writer(desk, lambda db: db.execute("PRAGMA busy_timeout").fetchone()[0]) == 2000
