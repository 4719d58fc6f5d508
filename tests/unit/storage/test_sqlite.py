"""What is SQLite's own: settings, transactions, what a failing disk or a foreign hand does to the file."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs

from bridge.errors import Broken, ClaimLost, StoreError, Unavailable
from bridge.events import Contact, Timer
from bridge.store.lifecycle import InboxState
from bridge.store.records import Receipt, TimerRow
from bridge.testing.contract.store.desk import AT, Desk, arrival, ref_of
from storage.sqlite import connection
from storage.sqlite.connection import execute, path_of, translate
from storage.sqlite.store import open_reader, open_store
from storage.writer import BATCH
from tests.support.sqlite_files import on_writer, sqlite_of
from tests.support.warm_python import python

CRASH = """
import asyncio, os, sys
from bridge.testing.contract.store.desk import Desk
async def main():
    desk = await Desk(sys.argv[1]).open()
    (row,) = await desk.hear("1")
    desk.store.mark("in", row.id, running=True)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""


# Settings


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///x.db", "x.db"),
        ("sqlite:////var/lib/x.db", "/var/lib/x.db"),
        ("sqlite:////a%20b/x%3F.db", "/a b/x?.db"),
        ("sqlite://", ":memory:"),
    ],
)
def test_a_url_names_a_file(url: str, path: str) -> None:
    assert path_of(url) == path


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("busy_timeout", 2000), ("trusted_schema", 0)],
)
async def test_the_settings_that_make_it_durable_are_in_force(desk: Desk, pragma: str, value: object) -> None:
    assert await on_writer(desk, lambda db: db.execute(f"PRAGMA {pragma}").fetchone()[0]) == value


async def test_a_setting_that_sqlite_refuses_is_noticed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_SETTINGS", (("journal_mode", "NONSENSE", "wal"),))
    with pytest.raises(Broken, match="journal_mode"):
        await open_store(f"sqlite:///{file}")


async def test_the_file_is_for_our_eyes_only_whatever_the_umask(file: Path) -> None:
    before = os.umask(0)
    try:
        desk = await Desk(f"sqlite:///{file}").open()
        await desk.hear("1")
        modes = {each.name: each.stat().st_mode & 0o777 for each in file.parent.iterdir() if "lock" not in each.name}
        await desk.store.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("store.db", "store.db-wal", "store.db-shm", "store.db.running"), 0o600)


async def test_a_path_with_odd_characters_is_found_by_owner_and_reader(tmp_path: Path) -> None:
    folder = tmp_path / "a b?c#d%41"
    folder.mkdir()
    url = f"sqlite:///{folder / 'x.db'}".replace("%", "%25")
    desk = await Desk(url).open()
    await desk.hear("1")
    reader = await open_reader(url)
    assert (await reader.counts())["open_events"] == 1
    await reader.close()
    await desk.store.close()
    assert (folder / "x.db").exists()


# Transactions


async def test_every_writing_transaction_takes_the_write_lock_at_its_beginning_and_ends(desk: Desk) -> None:
    trace: list[str] = []
    await on_writer(desk, lambda db: db.set_trace_callback(trace.append))
    (row,) = await desk.hear("1")
    (message,) = await desk.turn(row, "a")
    await desk.store.claim_delivery(message.id, 0)
    with pytest.raises(ClaimLost):
        await desk.store.commit_turn(await desk.commit_of(row))
    await desk.store.drop("in-1", 0)
    edges = [each for each in trace if each.split()[0] in {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "END"}]
    assert edges == ["BEGIN IMMEDIATE", "COMMIT"] * 5
    first_writes = [trace[at + 1] for at, each in enumerate(trace) if each == "COMMIT" and at + 1 < len(trace)]
    assert set(first_writes) == {"BEGIN IMMEDIATE"}


async def test_what_waits_together_is_committed_together(desk: Desk) -> None:
    trace: list[str] = []
    await on_writer(desk, lambda db: db.set_trace_callback(trace.append))
    count = 2 * BATCH
    await asyncio.gather(*(desk.receive(arrival(f"{number}", f"c{number % 7}")) for number in range(count)))
    assert trace.count("COMMIT") <= 4
    assert len(desk.told.events) == count


async def test_a_unit_that_fails_fails_alone(desk: Desk) -> None:
    bad = arrival("bad", received_at=1 << 70)
    units = [arrival(f"{n}") if n != 10 else bad for n in range(20)]
    results = await asyncio.gather(*(desk.receive(each) for each in units), return_exceptions=True)
    assert [each == [Receipt.STORED] for each in results] == [n != 10 for n in range(20)]
    assert [row.key for row in desk.told.events] == [f"{n}" for n in range(20) if n != 10]


# What passes


async def test_a_foreign_writer_makes_it_unavailable_for_as_long_as_he_writes(desk: Desk, file: Path) -> None:
    await on_writer(desk, lambda db: db.execute("PRAGMA busy_timeout = 20").fetchone())
    foreign = sqlite3.connect(file, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        await desk.hear("1")
    assert desk.told.events == []
    foreign.execute("ROLLBACK")
    foreign.close()
    assert await desk.receive(arrival("1")) == [Receipt.STORED]


async def test_a_full_disk_makes_it_unavailable_until_there_is_room(desk: Desk) -> None:
    pages = await on_writer(desk, lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    await on_writer(desk, lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    big = arrival("big", "new", text="x" * 100_000)
    with pytest.raises(Unavailable, match="full"):
        await desk.receive(big)
    assert desk.told.events == []
    assert await desk.store.find_thread(ref_of("new")) is None
    await on_writer(desk, lambda db: db.execute(f"PRAGMA max_page_count = {1 << 30}").fetchone())
    assert await desk.receive(big) == [Receipt.STORED]


# What does not


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY, Unavailable),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Unavailable),
        (sqlite3.SQLITE_FULL, Unavailable),
        (sqlite3.SQLITE_IOERR_SHMSIZE, Unavailable),
        (sqlite3.SQLITE_NOMEM, Unavailable),
        (sqlite3.SQLITE_IOERR, Broken),
        (sqlite3.SQLITE_IOERR_FSYNC, Broken),
        (sqlite3.SQLITE_CORRUPT, Broken),
        (sqlite3.SQLITE_NOTADB, Broken),
        (sqlite3.SQLITE_READONLY, Broken),
        (sqlite3.SQLITE_CANTOPEN, Broken),
    ],
)
@pytest.mark.parametrize("kind", [sqlite3.OperationalError, sqlite3.DatabaseError])
def test_errors_pass_or_do_not(kind: type[sqlite3.Error], code: int, expected: type[StoreError]) -> None:
    error = kind("as it says")
    error.sqlite_errorcode = code
    if kind is sqlite3.DatabaseError and expected is Unavailable:
        return  # SQLite's passing errors are operational
    assert type(translate(error)) is expected


@pytest.mark.parametrize("kind", [sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError])
def test_a_mistake_of_ours_breaks_no_store(kind: type[sqlite3.Error]) -> None:
    assert type(translate(kind("as it says"))) is StoreError


async def test_a_disk_that_fails_is_told_to_all_who_wait_and_all_who_come(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise error

    monkeypatch.setattr(sqlite_of(desk), "_execute", fail)
    waiting = [desk.receive(arrival(f"{number}")) for number in range(2 * BATCH)]
    results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert {type(result) for result in results} == {Broken}
    assert [str(error) for error in desk.told.failures] == ["SQLite: disk I/O error"]
    monkeypatch.undo()
    with pytest.raises(Broken, match="disk I/O error"):
        await desk.receive(arrival("later"))
    assert desk.told.events == []


async def test_a_disk_that_cannot_be_read_breaks_the_store_as_one_that_cannot_be_written_does(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = await desk.hear("1")

    def fail(*_: object) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        raise error

    with monkeypatch.context() as sick:
        sick.setattr(sqlite_of(desk)._connection, "run", fail)
        for _ in range(2):
            with pytest.raises(Broken, match="disk I/O error"):
                await desk.store.inbox_after(row.thread_id, 0, 10)
    assert [str(error) for error in desk.told.failures] == ["SQLite: disk I/O error"]
    with pytest.raises(Broken, match="disk I/O error"):
        await desk.receive(arrival("later"))


async def test_a_listener_that_fails_breaks_the_store_and_leaves_nobody_waiting(desk: Desk) -> None:
    def fail() -> None:
        raise RuntimeError("a mistake of ours")

    desk.told.on_call = fail
    waiting = asyncio.gather(desk.receive(arrival("1")), desk.receive(arrival("2")), return_exceptions=True)
    assert [type(result) for result in await asyncio.wait_for(waiting, 5)] == [Broken] * 2
    assert len(desk.told.failures) == 1


@pytest.mark.parametrize("content", [b"not a database at all, " * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_file_that_is_no_database_is_refused_and_left_alone(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(Broken):
        asyncio.run(open_store(f"sqlite:///{file}"))
    assert file.read_bytes() == content


async def test_nothing_is_stored_once_it_is_closed(file: Path) -> None:
    desk = await Desk(f"sqlite:///{file}").open()
    await desk.store.close()
    with pytest.raises(Unavailable, match="closing"):
        await desk.receive(arrival("1"))


async def test_what_was_accepted_is_written_before_it_closes(file: Path) -> None:
    desk = await Desk(f"sqlite:///{file}").open()
    waiting = [asyncio.create_task(desk.receive(arrival(f"{number}"))) for number in range(600)]
    await asyncio.sleep(0)
    await desk.store.close()
    assert await asyncio.gather(*waiting) == [[Receipt.STORED]] * 600
    assert sorted(each.name for each in file.parent.iterdir()) == ["store.db", "store.db.lock"]


# Looking in from outside


async def test_a_reader_sees_what_is_committed_beside_the_owner_and_after_him(desk: Desk) -> None:
    for round_ in range(2):
        await desk.hear(f"{round_}")
        reader = await open_reader(desk.url)
        assert (await reader.counts())["open_events"] == round_ + 1
        await reader.close()
        await desk.reopen()


async def test_a_reader_changes_nothing(desk: Desk) -> None:
    await desk.hear("1")
    reader = await open_reader(desk.url)
    with pytest.raises(StoreError, match="readonly"):
        await execute(reader._connection, lambda db: db.execute("DELETE FROM inbox"))
    await reader.close()


def test_a_reader_of_no_file_says_so_and_makes_none(file: Path) -> None:
    for _ in range(20):
        with pytest.raises(Unavailable, match=r"store\.db"):
            asyncio.run(open_reader(f"sqlite:///{file}"))
    assert not file.exists()


@pytest.mark.slow
@pytest.mark.parametrize("without_shm", [False, True])
async def test_after_a_crash_all_is_there_and_the_suspect_is_known(file: Path, *, without_shm: bool) -> None:
    url = f"sqlite:///{file}"
    root = Path(__file__).parents[2]
    code = await asyncio.to_thread(subprocess.call, [python(), "-c", CRASH, url], cwd=root)
    assert code == -9
    if without_shm:
        file.with_name("store.db-shm").unlink()
    reader = await open_reader(url)
    (head,) = await reader.inbox_heads(0, 10)
    await reader.close()
    desk = await Desk(url).open()
    assert await desk.store.inbox_heads(0, 10) == [head]
    assert desk.store.suspects("in") == {head.id}
    await desk.store.close()


async def test_nobody_else_may_take_the_lock(file: Path) -> None:
    before = os.umask(0)
    try:
        opened = await Desk(f"sqlite:///{file}").open()
    finally:
        os.umask(before)
    assert file.with_name("store.db.lock").stat().st_mode & 0o777 == 0o600
    await opened.store.close()


@pytest.mark.slow
def test_a_process_that_fails_without_closing_its_store_ends_all_the_same(file: Path) -> None:
    program = f"""
import asyncio
from storage.sqlite import open_store
async def main():
    await open_store("sqlite:///{file}")
    raise SystemExit(7)
asyncio.run(main())
"""
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=20).returncode == 7


@pytest.mark.parametrize(
    "garbage", ["arguments = CAST('?' AS BLOB)", "message = x'ff'", "due_at = -1 << 62", "name = char(0)"]
)
async def test_a_timer_that_cannot_be_read_is_named_and_holds_up_no_other(desk: Desk, garbage: str) -> None:
    (row,) = await desk.hear("1")
    timers = [TimerRow(due_at=AT + at, name=f"{at}") for at in range(6)]
    await desk.store.commit_turn(replace(await desk.commit_of(row), timers=timers))
    await on_writer(desk, lambda db: db.execute(f"UPDATE timers SET {garbage} WHERE name = '0'"))
    with capture_logs() as lines:
        assert await desk.store.fire_timers(AT + 9, 3) == AT + 3
        assert await desk.store.fire_timers(AT + 9, 3) is None
    assert [each.event.name for each in await desk.events(row.thread_id) if isinstance(each.event, Timer)] == [*"12345"]
    assert [line["thread"] for line in lines if line["event"] == "row_unreadable"] == [row.thread_id]


async def test_nothing_that_is_stored_is_logged_where_everything_is(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await desk.hear("canary")
    assert "canary" not in caplog.text


@pytest.mark.parametrize("number", ["18446744073709551616", "-9223372036854775809", "123456789012345678901234567890"])
async def test_an_integer_over_64_bits_comes_back_as_it_came(desk: Desk, number: str) -> None:
    came = arrival("1")
    await desk.receive(replace(came, raw=b'{"id":"1","text":"1","n":[%b]}' % number.encode()))
    (kept,) = await desk.events(desk.told.events[0].thread_id)
    assert kept.event.raw["n"] == [int(number)]


# What is written of many turns, and of one that changes little


async def test_many_turns_of_one_transaction_end_their_events_each_at_its_own_time(desk: Desk) -> None:
    rows = [(await desk.hear(key, conversation=key))[0] for key in "abcdef"]
    turns = [replace(await desk.commit_of(row), at=AT + number) for number, row in enumerate(rows)]
    await asyncio.gather(*(desk.store.commit_turn(turn) for turn in turns))
    ended = await on_writer(desk, lambda db: db.execute("SELECT status, done_at FROM inbox ORDER BY id").fetchall())
    assert ended == [(InboxState.DONE, AT + number) for number in range(6)]


async def test_a_contact_is_stored_as_of_the_last_turn(desk: Desk) -> None:
    names = []
    for number, name in enumerate(("Ann", "Ann", "Ann B.", "Ann B.", "Ann")):
        (row,) = await desk.hear(str(number))
        row = replace(row, event=replace(row.event, contact=Contact(id="ann", name=name)))
        await desk.turn(row)
        (contact,) = await on_writer(desk, lambda db: db.execute("SELECT contact FROM threads").fetchone())
        names.append(orjson.loads(contact)["name"])
    assert names == ["Ann", "Ann", "Ann B.", "Ann B.", "Ann"]
