"""One account that moves into a store where others live: its rows and no others, with new numbers that still refer."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from functools import cache, partial
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import orjson
import pytest

from bridge.errors import UnfinishedCopy
from bridge.store import copying
from bridge.store.copying import CopyRefused, copy_store
from bridge.store.opening import copy_type, open_reader, open_store
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import AT, Desk, arrival, ref_of, saying, sent
from storage.moving import has_number
from storage.sqlite.connection import path_of
from storage.suspects import SuspectsFile
from tests.support.kept_connections import connections
from tests.support.lived_stores import lived
from tests.support.mortals import Killed, Mortal
from tests.support.postgres import new_database
from tests.support.stored_rows import contents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.store.copying import Copied
    from tests.support.stored_rows import Contents

pytestmark = pytest.mark.slow

NUMBERS: Final = {
    "threads": {"id", "spoken", "silenced", "opted_out", "contact_id", "leads_to"},
    "contacts": {"id", "merged_into"},
    "identities": {"contact_id"},
    "conflicts": {"contact_id"},
    "opt_outs": {"contact_id", "event_id"},
    "inbox": {"id", "thread_id", "seq"},
    "outbox": {"id", "thread_id", "inbox_id", "seq"},
    "attempts": {"id", "outbox_id"},
    "timers": {"id", "thread_id", "held", "inbox_id"},
    "early_statuses": {"inbox_id"},
    "steps": {"thread_id"},
    "cursors": set[str](),
    "secrets": set[str](),
    "media": {"id", "thread_id", "inbox_id"},
    "audit": {"id"},
    "tombstones": set[str](),
    "step_spending": set[str](),
    "broadcasts": set[str](),
    "recipients": {"thread_id", "outbox_id"},
}
"""The columns with numbers of rows, beside those in the events of timers."""
OTHERS: Final = {
    *("version", "heard", "last_heard", "created_at", "updated_at", "taken"),
    *("attempt", "replay", "available_at", "tried_at", "received_at", "done_at", "expires_at", "at", "position"),
    *("due_at", "set_at", "since", "wanted", "queued_at", "size", "amount"),
    *("begins_at", "number", "look_at", "settled_at", "opted_out", "unanswered"),
}
"""Columns with other numbers."""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(asyncpg, "connect", connections().connect)


def moved(source: str, target: str, wrapped: Callable[[Any], Any] = lambda end: end, *, removes: bool) -> list[Copied]:
    """Move the account `shop`, with both ends `wrapped`."""
    return connections().run(_moved(source, target, wrapped, removes=removes))


async def _moved(source_url: str, target_url: str, wrapped: Callable[[Any], Any], *, removes: bool) -> list[Copied]:
    source = await copy_type(source_url).open_copy_source(source_url, "shop")
    try:
        target = await copy_type(target_url).open_copy_target(target_url, "shop")
        try:
            return await copy_store(wrapped(source), wrapped(target), lambda _: None, removes=removes)
        finally:
            await target.close()
    finally:
        await source.close()


def of(account: str, everything: Contents) -> Contents:
    """The rows of an account, but for what it inherited."""
    threads = {row["id"] for row in everything["threads"] if row["account"] == account}
    messages = {row["id"] for row in everything["outbox"] if row["account"] == account}
    announcements = {row["id"] for row in everything["broadcasts"] if row["account"] == account}

    def is_own(row: dict[str, Any]) -> bool:
        if "account" in row:
            return bool(row["account"] == account) and not str(row.get("name")).startswith("inherited")
        if "broadcast_id" in row:
            return row["broadcast_id"] in announcements
        return row["thread_id"] in threads if "thread_id" in row else row["outbox_id"] in messages

    return {table: [row for row in rows if is_own(row)] for table, rows in everything.items()}


def lowered(rows: Contents, shift: int) -> Contents:
    """Rows with the numbers that they had before."""
    return {
        table: [{name: _lowered(table, row, name, shift) for name in row} for row in of_table]
        for table, of_table in rows.items()
    }


def _lowered(table: str, row: dict[str, Any], name: str, shift: int) -> Any:
    value = row[name]
    if name in NUMBERS[table]:
        return value - shift if value else value
    if table == "threads" and name == "person" and value:
        person = orjson.loads(value)
        return orjson.dumps(person | {"id": person["id"] - shift})
    if row.get("kind") == "timer" and name == "event_key":
        return f"timer:{int(value.partition(':')[2]) - shift}"
    if row.get("kind") == "timer" and name == "event":
        event = orjson.loads(value)
        number = int(event["id"].partition(":")[2]) - shift
        return orjson.dumps(event | {"id": f"timer:{number}", "held": event["held"] - shift})
    return value


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], str]:
    """A store of a kind that has lived: `shop` and `desk` in the first, `desk` alone in the second. Take a copy."""
    folder = tmp_path_factory.mktemp("lives")

    @cache
    def life(kind: str, name: str) -> str:
        url = new_database(f"lived_{name}") if kind == "postgresql" else f"sqlite:///{folder}/{name}.db"
        asyncio.run(lived(url, *(["desk", "shop"] if name == "first" else ["desk"])))
        return url

    return life


@pytest.fixture(params=["sqlite to sqlite", "sqlite to postgresql", "postgresql to sqlite", "postgresql to postgresql"])
def stores(request: pytest.FixtureRequest, lives: Callable[[str, str], str], tmp_path: Path) -> tuple[str, str]:
    """Two stores that have lived: `shop` and `desk` in one, `desk` alone in the other."""
    kinds = request.param.split(" to ")
    first, second = (
        copy_of(lives(kind, name), tmp_path / f"{name}.db")
        for kind, name in zip(kinds, ("first", "second"), strict=True)
    )
    return first, second


def copy_of(store: str, file: Path) -> str:
    """The same beside it: a file, or a database of its name."""
    if store.startswith("postgresql:"):
        return new_database(file.stem, like=store)
    shutil.copy(path_of(store), file)
    return f"sqlite:///{file}"


def shift_of(source: Contents, target: Contents) -> int:
    first, second = (min(row["id"] for row in of("shop", store)["threads"]) for store in (source, target))
    return int(second - first)


@pytest.mark.parametrize("removes", [False, True], ids=["stays", "leaves"])
def test_an_account_moves_beside_others_and_changes_nothing_of_theirs(
    stores: tuple[str, str], *, removes: bool
) -> None:
    first, second = map(contents, stores)
    moved(*stores, removes=removes)
    left, right = map(contents, stores)
    assert all(of("shop", first).values())
    assert lowered(of("shop", right), shift_of(first, right)) == of("shop", first)
    assert of("desk", right) == of("desk", second)
    assert of("desk", left) == of("desk", first)
    assert of("shop", left) == ({table: [] for table in first} if removes else of("shop", first))
    inherited = [row["value"] for row in right["secrets"] if row["name"] == "inherited postback secret"]
    assert inherited == ["02"]


def test_an_account_that_moves_again_brings_all_that_it_inherited(stores: tuple[str, str], tmp_path: Path) -> None:
    third = f"sqlite:///{tmp_path}/third.db"
    moved(*stores, removes=False)
    moved(stores[1], third, removes=True)
    secrets = {row["name"]: row["value"] for row in contents(third)["secrets"]}
    assert secrets == {"inherited postback secret": "02 01", "postback whatsapp ann x": "long"}
    assert not [row for row in contents(stores[1])["secrets"] if row["account"] == "shop"]


def test_a_move_that_is_killed_at_every_change_continues(
    stores: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "BATCH_ROWS", 2)
    monkeypatch.setattr(copying, "FIRST_ROWS", 2)
    first, second = map(contents, stores)
    deaths = 0
    for last, is_done in cycle([(1, True), (2, False), (2, True), (3, False), (3, True), (4, False), (4, True)]):
        with suppress(Killed):
            moved(*stores, partial(Mortal, last=last, is_done=is_done), removes=True)
            break
        deaths += 1
        if is_finished(stores[1]) and not any(of("shop", contents(stores[0])).values()):
            break
    left, right = map(contents, stores)
    assert deaths > sum(map(len, of("shop", first).values())) // 3
    assert lowered(of("shop", right), shift_of(first, right)) == of("shop", first)
    assert (of("desk", right), of("desk", left)) == (of("desk", second), of("desk", first))
    assert not any(of("shop", left).values())


def is_finished(url: str) -> bool:
    """Whether the store can be used."""
    try:
        asyncio.run(looked_into(url))
    except UnfinishedCopy:
        return False
    return True


async def looked_into(url: str) -> None:
    await (await open_reader(url)).close()


def test_an_account_goes_on_where_it_moved_to(stores: tuple[str, str]) -> None:
    moved(*stores, removes=True)

    async def go_on() -> None:
        desk = await Desk(stores[1]).open()
        store = desk.store
        thread = await store.find_thread(ref_of("ann"))
        assert thread is not None
        assert await desk.receive(arrival("1")) == [Receipt.REPEATED]
        events = await desk.events(thread)
        assert [event.key.partition(":")[0] for event in events] == ["3", "timer", "timer"]
        commit = await desk.commit_of(events[1], saying("more", "key-more"))
        await store.commit_turn(replace(commit, others=[events[0]], cancelled=["t2"]))
        assert await desk.events(thread) == []
        (new,) = await desk.hear("new")
        assert new.thread_id == thread
        assert new.seq > max(event.seq for event in events)
        (other,) = await desk.hear("new", account="desk")
        assert other.thread_id < thread
        (unknown,) = await desk.turn(new, "late")
        await store.settle_delivery(sent(unknown, "unknown-shop"))
        assert (await desk.fate(unknown))[1] == "read"
        assert await store.fire_timers(AT + 10**12, 10) is None
        letters = await store.dead_letters(account="shop")
        assert {letter.state for letter in letters} == {"dead", "quarantined"}
        assert await store.replay(next(letter.id for letter in letters if letter.state == "dead"), AT)
        await store.close()

    asyncio.run(go_on())


def test_a_second_move_of_the_same_account_is_refused(stores: tuple[str, str]) -> None:
    moved(*stores, removes=False)
    before = contents(stores[1])
    with pytest.raises(CopyRefused, match="has rows of the account shop already, in its table threads"):
        moved(*stores, removes=False)
    assert contents(stores[1]) == before


def test_an_account_without_rows_is_refused_and_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    source, target = f"sqlite:///{tmp_path}/first.db", f"sqlite:///{tmp_path}/second.db"
    asyncio.run(lived(source, "desk"))
    asyncio.run(lived(target, "desk"))
    before = contents(target)
    with pytest.raises(CopyRefused, match="has no rows of the account shop"):
        moved(source, target, removes=True)
    assert is_finished(target)
    assert contents(target) == before


def test_a_source_that_is_being_emptied_is_never_copied_again(tmp_path: Path) -> None:
    source, target = f"sqlite:///{tmp_path}/first.db", f"sqlite:///{tmp_path}/second.db"
    asyncio.run(lived(source, "shop"))
    with pytest.raises(Killed):
        moved(source, target, partial(Dying, name="remove"), removes=True)
    with pytest.raises(CopyRefused, match="are being removed from"):
        moved(source, target, removes=False)
    assert not is_finished(target)
    assert moved(source, target, removes=True) == []
    assert all(of("shop", contents(target)).values())


class Dying:
    """An end of a copy that dies after one of its methods."""

    def __init__(self, end: Any, name: str) -> None:
        self._end = end
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._end, name)
        return self._die if name == self._name else value

    async def _die(self, *arguments: Any) -> None:
        await getattr(self._end, self._name)(*arguments)
        raise Killed


def test_each_column_with_numbers_is_known_for_what_it_is(tmp_path: Path) -> None:
    """A new one with numbers of rows has a name that says so, or a line in storage.moving."""
    url = f"sqlite:///{tmp_path}/first.db"
    asyncio.run(lived(url, "shop"))
    columns = {
        table: {name for row in rows for name, value in row.items() if isinstance(value, int)}
        for table, rows in contents(url).items()
    }
    for table, names in columns.items():
        assert {name for name in names if has_number(table, name)} == NUMBERS[table] & names
        assert names - NUMBERS[table] <= OTHERS


def test_a_table_without_accounts_stays_with_the_whole_store(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/first.db", f"sqlite:///{tmp_path}/second.db"]
    for url in urls:
        asyncio.run(lived(url, "shop" if url == urls[0] else "desk"))
        with closing(sqlite3.connect(path_of(url))) as db:
            db.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
    with pytest.raises(CopyRefused, match="the rows of the table notes belong to no account"):
        moved(urls[0], urls[1], removes=False)


def test_a_source_whose_process_died_is_opened_again_after_its_account_has_left(tmp_path: Path) -> None:
    source, target = f"sqlite:///{tmp_path}/first.db", f"sqlite:///{tmp_path}/second.db"
    asyncio.run(lived(source, "desk", "shop"))
    note = SuspectsFile(tmp_path / "first.db.running")
    note.reach(max(row["id"] for row in contents(source)["inbox"]))
    note.close(clean=False)
    moved(source, target, removes=True)

    async def own() -> None:
        await (await open_store(source)).close()

    asyncio.run(own())
