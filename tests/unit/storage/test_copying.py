"""Stores copied into others: every value in every direction, from any interruption on, and nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from itertools import cycle, pairwise
from random import Random
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest

from bridge.errors import Broken, NewerSchema, StoreInUse, Unavailable, UnfinishedCopy
from bridge.store import copying
from bridge.store.copying import CopyRefused
from bridge.store.opening import copy_type, open_store
from bridge.store.records import Receipt, TimerRow
from bridge.testing.contract.store.desk import AT, Desk, arrival, given_up, sent
from storage.postgres import process
from storage.sqlite import connection
from storage.sqlite.connection import path_of
from storage.sqlite.schema import MIGRATIONS
from tests.support.copies import copied, copying_of, opened, owned, place
from tests.support.kept_connections import connections
from tests.support.mortals import Killed, Mortal
from tests.support.postgres import empty_store, new_database, plain
from tests.support.stored_rows import contents, random_rows, write_rows

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.store.copying import Progress, Table
    from bridge.store.records import InboxRow

pytestmark = pytest.mark.slow

ORDER: Final = (
    "threads",
    "inbox",
    "outbox",
    "attempts",
    "timers",
    "early_statuses",
    "cursors",
    "steps",
    "secrets",
    "media",
    "contacts",
    "identities",
    "conflicts",
    "opt_outs",
    "tombstones",
    "audit",
    "step_spending",
    "broadcasts",
    "recipients",
)
BYTES: Final = ' COLLATE "C"'
"""In the order of its bytes."""
ON_BOTH: Final = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(asyncpg, "connect", connections().connect)


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A store with a few rows in every table: two or three batches where one is of two rows."""
    write_rows(tmp_path / "source.db", random_rows(Random(4), least=3, most=5))
    return f"sqlite:///{tmp_path}/source.db"


@pytest.mark.parametrize("seed", range(10))
def test_every_value_arrives_there_and_back(seed: int, tmp_path: Path) -> None:
    write_rows(tmp_path / "source.db", random_rows(Random(seed)))
    there, house, back = f"sqlite:///{tmp_path}/source.db", empty_store(), f"sqlite:///{tmp_path}/back.db"
    assert copied(there, house) == sorted(copied(house, back), key=lambda table: ORDER.index(table.table))
    assert contents(there) == contents(house) == contents(back)


def test_every_value_arrives_in_a_store_of_the_same_kind(source: str, tmp_path: Path) -> None:
    stores = [source, f"sqlite:///{tmp_path}/second.db", empty_store(), new_database("second")]
    for first, second in pairwise(stores):
        copied(first, second)
        assert contents(second) == contents(source)


def test_a_copy_tells_how_far_it_is(source: str, tmp_path: Path) -> None:
    told: list[Progress] = []
    asyncio.run(copying_of(source, f"sqlite:///{tmp_path}/target.db", lambda end: end, told.append))
    rows = {table: len(rows) for table, rows in contents(source).items()}
    assert {progress.table for progress in told} == {table for table, count in rows.items() if count}
    assert told[-1][1:] == (2 * sum(rows.values()), 2 * sum(rows.values()))
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)


@ON_BOTH
def test_a_copy_that_is_killed_at_every_change_continues(
    kind: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "BATCH_ROWS", 2)
    monkeypatch.setattr(copying, "FIRST_ROWS", 2)
    target = place(kind, tmp_path)
    before = contents(source)
    deaths = 0
    for last, is_done in cycle([(1, True), (1, False), (2, False), (2, True), (3, False)]):
        with suppress(Killed):
            copied(source, target, partial(Mortal, last=last, is_done=is_done))
            break
        deaths += 1
        if is_finished(target):
            break
    batches = sum(-(-len(rows) // 2) for rows in before.values())
    assert deaths > batches
    assert contents(target) == contents(source) == before


def is_finished(url: str) -> bool:
    """Whether a store can be used; it is there."""
    try:
        opened(url)
    except (UnfinishedCopy, Unavailable):
        return False
    return True


@ON_BOTH
def test_an_unfinished_copy_is_no_store(kind: str, source: str, tmp_path: Path) -> None:
    target = place(kind, tmp_path)
    with pytest.raises(Killed):
        copied(source, target, partial(Mortal, last=3, is_done=True))
    for use in (opened, owned, lambda url: copied(url, f"sqlite:///{tmp_path}/third.db")):
        with pytest.raises(UnfinishedCopy, match=r"unfinished copy of sqlite:///.*source\.db: finish it"):
            use(target)
    copied(source, target)
    opened(target)
    owned(target)


@ON_BOTH
def test_what_has_changed_since_an_interruption_is_copied_again(kind: str, source: str, tmp_path: Path) -> None:
    target = place(kind, tmp_path)
    with pytest.raises(Killed):
        copied(source, target, partial(Mortal, last=6, is_done=True))
    with closing(sqlite3.connect(path_of(source))) as db, db:
        db.execute("UPDATE threads SET state = x'7b7d', step = 'later' WHERE id = (SELECT min(id) FROM threads)")
        db.execute("DELETE FROM inbox WHERE id = (SELECT min(id) FROM inbox)")
        db.execute("DELETE FROM outbox WHERE id = (SELECT max(id) FROM outbox)")
    copied(source, target)
    assert contents(target) == contents(source)


@ON_BOTH
def test_a_target_that_holds_another_value_than_was_written_is_never_opened(
    kind: str, source: str, tmp_path: Path
) -> None:
    class Forgetful:
        def __init__(self, end: Any) -> None:
            self._end = end

        def __getattr__(self, name: str) -> Any:
            return getattr(self._end, name)

        async def write(self, table: Table, rows: Any) -> None:
            await self._end.write(table, rows[1:] if table.name == "outbox" else rows)

    target = place(kind, tmp_path)
    with pytest.raises(Broken, match="the copy of outbox differs from its source"):
        copied(source, target, Forgetful)
    assert not is_finished(target)


@ON_BOTH
def test_a_store_that_holds_something_is_no_target(kind: str, source: str, tmp_path: Path) -> None:
    target = place(kind, tmp_path)

    async def fill() -> None:
        desk = await Desk(target).open()
        await desk.hear("1")
        await desk.store.close()

    asyncio.run(fill())
    before = contents(target)
    with pytest.raises(CopyRefused, match=r"is in use already, with rows in its table (threads|inbox)"):
        copied(source, target)
    assert contents(target) == before
    opened(target)


@ON_BOTH
def test_an_unfinished_copy_of_another_store_is_no_target(kind: str, source: str, tmp_path: Path) -> None:
    target = place(kind, tmp_path)
    with pytest.raises(Killed):
        copied(source, target, partial(Mortal, last=2, is_done=True))
    write_rows(tmp_path / "other.db", {})
    with pytest.raises(CopyRefused, match=r"unfinished copy of sqlite:///.*source\.db: finish that one"):
        copied(f"sqlite:///{tmp_path}/other.db", target)
    copied(source, target)
    assert contents(target) == contents(source)


@ON_BOTH
@pytest.mark.parametrize("role", ["source", "target"])
def test_a_store_in_use_is_neither_source_nor_target(
    kind: str, role: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = place(kind, tmp_path)
    monkeypatch.setattr(process, "PATIENCE", 0.0)

    async def use() -> None:
        store = await open_store(used)
        try:
            ends = (used, f"sqlite:///{tmp_path}/third.db") if role == "source" else (source, used)
            with pytest.raises(StoreInUse, match=r"is in use by (process|threadbridge) [0-9]+"):
                await copying_of(*ends, lambda end: end)
        finally:
            await store.close()

    asyncio.run(use())


@pytest.mark.parametrize("role", ["source", "target"])
def test_a_store_in_use_is_neither_under_another_name(role: str, source: str, tmp_path: Path) -> None:
    used, named = tmp_path / "used.db", tmp_path / "named.db"

    async def use() -> None:
        store = await open_store(f"sqlite:///{used}")
        try:
            named.hardlink_to(used)
            url = f"sqlite:///{named}"
            ends = (url, f"sqlite:///{tmp_path}/third.db") if role == "source" else (source, url)
            with pytest.raises(StoreInUse, match="by another name"):
                await copying_of(*ends, lambda end: end)
        finally:
            await store.close()

    asyncio.run(use())


@ON_BOTH
def test_a_store_that_is_not_there_is_no_source(kind: str, tmp_path: Path) -> None:
    source = new_database("without") if kind == "postgresql" else f"sqlite:///{tmp_path}/nothing.db"
    with pytest.raises(CopyRefused, match=r"there is no store (in|at)"):
        copied(source, f"sqlite:///{tmp_path}/target.db")
    assert not [*tmp_path.glob("nothing*")]


def test_a_store_of_an_earlier_version_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(connection, "MIGRATIONS", MIGRATIONS[:-1])
        write_rows(tmp_path / "source.db", {})
    with pytest.raises(Broken, match="`threadbridge migrate` brings it up to date"):
        copied(f"sqlite:///{tmp_path}/source.db", f"sqlite:///{tmp_path}/target.db")
    assert not (tmp_path / "target.db").exists()


def test_a_copy_that_an_earlier_version_began_is_begun_again(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = f"sqlite:///{tmp_path}/target.db"
    with pytest.raises(Killed):
        copied(source, target, partial(Mortal, last=2, is_done=True))
    monkeypatch.setattr(connection, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE later (id INTEGER PRIMARY KEY)"))
    owned(source)
    with pytest.raises(NewerSchema, match="an earlier threadbridge began this copy"):
        copied(source, target)


def test_the_tables_of_the_two_kinds_of_stores_are_the_same(tmp_path: Path) -> None:
    """What one of them lacks cannot move: give it to both, or name it in `OWN` of storage.postgres.copying."""

    async def tables(url: str) -> dict[str, Table]:
        end = await copy_type(url).open_copy_target(url)
        try:
            return {**await end.tables()}
        finally:
            await end.close()

    first, second = (asyncio.run(tables(place(kind, tmp_path))) for kind in ("sqlite", "postgresql"))
    assert first == second


def test_a_table_that_is_added_later_is_copied_too(source: str, tmp_path: Path) -> None:
    house, back = new_database("later"), f"sqlite:///{tmp_path}/back.db"
    owned(house)
    owned(back)
    table = "(account TEXT{0}, name TEXT{0}, size BIGINT, PRIMARY KEY (name, account))"
    for url in (source, back):
        with closing(sqlite3.connect(path_of(url))) as db:
            db.execute(f"CREATE TABLE pictures {table.format('')}")
    with closing(sqlite3.connect(path_of(source))) as db, db:
        db.executemany("INSERT INTO pictures VALUES (?, ?, ?)", [("b", "x", 1), ("a", "y", None), ("a", "x", 2**40)])
    with pytest.raises(CopyRefused, match="no table pictures"):
        copied(source, house)
    asyncio.run(told(house, f"CREATE TABLE threadbridge.pictures {table.format(BYTES)}"))
    copied(source, house)
    copied(house, back)
    assert contents(source)["pictures"] == contents(house)["pictures"] == contents(back)["pictures"] != []


async def told(url: str, *statements: str) -> None:
    """Have a database do something past the store."""
    database = await asyncpg.connect(plain(url))
    try:
        for statement in statements:
            await database.execute(statement)
    finally:
        await database.close()


def test_a_table_that_cannot_be_copied_is_named(source: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path_of(source))) as db:
        db.execute("CREATE TABLE notes (text TEXT)")
    with pytest.raises(CopyRefused, match="no table notes"):
        copied(source, f"sqlite:///{tmp_path}/target.db")


def test_a_row_that_the_target_cannot_have_is_named(source: str) -> None:
    with closing(sqlite3.connect(path_of(source))) as db, db:
        db.execute("UPDATE inbox SET id = 77, error = 'a' || char(0) WHERE id = (SELECT max(id) FROM inbox)")
    with pytest.raises(CopyRefused, match=r"the target cannot have row 77 of inbox: .*22021"):
        copied(source, empty_store())


def test_timers_of_old_have_an_account_in_the_copy(tmp_path: Path) -> None:
    source, house = f"sqlite:///{tmp_path}/source.db", empty_store()
    rows = random_rows(Random(4), least=3, most=9)
    rows["timers"][0] |= {"account": None, "thread_id": rows["threads"][1]["id"]}
    write_rows(tmp_path / "source.db", rows)
    copied(source, house)
    accounts = {timer["id"]: timer["account"] for timer in contents(house)["timers"]}
    assert accounts[rows["timers"][0]["id"]] == rows["threads"][1]["account"]


async def turn(desk: Desk, row: InboxRow, timer: str, **changes: Any) -> None:
    """A turn that says something and sets a timer."""
    commit = await desk.commit_of(row, timer, **changes)
    await desk.store.commit_turn(replace(commit, timers=[TimerRow(due_at=AT + 10, name=timer)]))


@pytest.mark.parametrize("way", [("sqlite", "postgresql"), ("postgresql", "sqlite")], ids=" to ".join)
def test_a_copy_goes_on_where_its_source_ended(way: tuple[str, str], tmp_path: Path) -> None:
    source, target = (place(kind, tmp_path) for kind in way)

    async def live() -> None:
        desk = await Desk(source).open()
        first, second = await desk.hear("1", "2")
        await turn(desk, first, "later", state=b'{"n":1}')
        await desk.store.settle_delivery(sent(desk.told.messages[0], "m-1"))
        await desk.store.settle_turn(given_up(second))
        await desk.store.keep_secret("", "postback secret", "00")
        await desk.store.advance("", "former keys until", str(AT))
        await desk.store.close()

    async def go_on() -> None:
        desk = await Desk(target).open()
        assert await desk.receive(arrival("1")) == [Receipt.REPEATED]
        again = arrival("1")
        assert await desk.receive(replace(again, key="ann/1 again", former_keys=("1",))) == [Receipt.REPEATED]
        (row,) = await desk.hear("3")
        assert (await desk.store.thread(row.thread_id)).state == b'{"n":1}'
        await turn(desk, row, "later still")
        (other,) = await desk.hear("4", conversation="bob")
        assert other.thread_id > row.thread_id
        assert await desk.store.fire_timers(AT + 10**9, 10) is None
        keys = [event.key for event in await desk.events(row.thread_id)]
        assert [key.partition(":")[0] for key in keys] == ["timer", "timer"]
        assert await desk.store.secret("", "postback secret") == "00"
        await desk.store.close()

    asyncio.run(live())
    copied(source, target)
    asyncio.run(go_on())
