"""The store on PostgreSQL where its server, its connection or another process comes in between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import pytest

from bridge.errors import Broken, NewerSchema, StoreError, Unavailable
from bridge.store.opening import open_reader, open_store
from bridge.store.records import READ_BYTES, Receipt
from bridge.testing.contract.store.desk import AT, Desk, arrival, given_up
from bridge.testing.contract.store.media import photo
from storage.postgres import process
from storage.postgres.connection import address_of, connect, translate
from storage.postgres.segments import BITS
from tests.support.postgres import empty_store, new_database, plain, process_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "AGAIN", 0.01)


@pytest.fixture
def url() -> str:
    return empty_store()


@pytest.fixture
def bare_url() -> str:
    """A database without our schema."""
    return new_database("bare")


@pytest.fixture
async def desk(url: str) -> AsyncIterator[Desk]:
    opened = await Desk(url).open()
    yield opened
    await opened.store.close()


async def outside(url: str, query: str, *values: object) -> Any:
    """What somebody else asks the database."""
    connection = await asyncpg.connect(plain(url))
    try:
        return await connection.fetchval(query, *values)
    finally:
        await connection.close()


async def received(desk: Desk, key: str) -> Receipt:
    """As a gateway does it: what was not stored comes again."""
    while True:
        try:
            return (await desk.receive(arrival(key)))[0]
        except Unavailable:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("setting", ["synchronous_commit"])
async def test_a_server_that_may_lose_what_it_commits_is_refused(url: str, setting: str) -> None:
    with pytest.raises(Broken, match=setting):
        await open_store(f"{plain(url)}&{setting}=off".replace("/&", "/?"))


async def test_a_later_schema_and_a_foreign_one_are_refused(bare_url: str) -> None:
    url = bare_url
    with pytest.raises(Unavailable, match="no store in this database yet"):
        await open_reader(url)
    await outside(url, "CREATE SCHEMA threadbridge")
    for opened in (open_store, open_reader):
        with pytest.raises(NewerSchema, match="another application"):
            await opened(url)
    await outside(url, "CREATE TABLE threadbridge.schema_version AS SELECT 99 AS version")
    for opened in (open_store, open_reader):
        with pytest.raises(NewerSchema, match="schema 99"):
            await opened(url)


async def test_two_processes_that_make_a_store_at_once_make_one(bare_url: str) -> None:
    desks = await asyncio.gather(Desk(bare_url).open(), Desk(bare_url).open())
    for desk in desks:
        await desk.store.close()


@pytest.mark.parametrize(
    "error", [asyncpg.TooManyConnectionsError("full"), asyncio.CancelledError()], ids=["full", "cancelled"]
)
async def test_a_connection_that_gets_no_further_than_its_first_words_is_closed(
    url: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []

    async def fails(*_: object, **__: object) -> None:
        raise error

    terminate = asyncpg.Connection.terminate

    def terminates(self: asyncpg.Connection) -> None:
        terminate(self)
        closed.append(self.is_closed())

    monkeypatch.setattr(asyncpg.Connection, "fetch", fails)
    monkeypatch.setattr(asyncpg.Connection, "terminate", terminates)
    with pytest.raises((Unavailable, asyncio.CancelledError)):
        await connect(address_of(url), read_only=True)
    assert closed == [True]


async def test_a_connection_that_the_server_ends_is_made_again(desk: Desk) -> None:
    (row,) = await desk.hear("1")
    for number in range(2, 5):
        writing = await process_of(desk)._process.connection()
        await outside(desk.url, "SELECT pg_terminate_backend($1)", writing.get_server_pid())
        assert await received(desk, str(number)) is Receipt.STORED
    keys = [event.key for event in await desk.events(row.thread_id)]
    assert keys == ["1", "2", "3", "4"]
    assert desk.told.failures == []


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
async def test_a_commit_whose_answer_is_lost_is_looked_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, *, is_done: bool
) -> None:
    (row,) = await desk.hear("1")
    losing = _loses_a_commit(await process_of(desk)._process.connection(), is_done=is_done)
    monkeypatch.setattr(asyncpg.Connection, "execute", losing)
    if is_done:
        assert await desk.receive(arrival("2")) == [Receipt.STORED]
    else:
        with pytest.raises(Unavailable):
            await desk.receive(arrival("2"))
    assert [event.key for event in desk.told.events] == ["1", "2"][: 1 + is_done]
    assert [event.key for event in await desk.events(row.thread_id)] == ["1", "2"][: 1 + is_done]
    assert await received(desk, "2") is (Receipt.REPEATED if is_done else Receipt.STORED)


def _loses_a_commit(connection: Any, *, is_done: bool) -> Callable[..., Any]:
    execute = asyncpg.Connection.execute
    lost: list[str] = []

    async def losing(self: Any, query: str, *values: Any, **options: Any) -> Any:
        if query != "COMMIT" or lost:
            return await execute(self, query, *values, **options)
        lost.append(query)
        if is_done:
            await execute(self, query)
        connection.terminate()
        raise asyncpg.ConnectionDoesNotExistError("the answer was lost")

    return losing


async def test_a_reader_looks_in_beside_the_owner(desk: Desk) -> None:
    (row,) = await desk.hear("1")
    await desk.store.settle_turn(given_up(row))
    reader = await open_reader(desk.url)
    try:
        assert [thread.id for thread in await reader.threads()] == [row.thread_id]
        assert [letter.id for letter in await reader.dead_letters()] == [f"in-{row.id}"]
        assert (await reader.counts())["dead_events"] == 1
        assert [summary.dead for summary in await reader.accounts()] == [1]
    finally:
        await reader.close()


async def test_what_was_said_last_is_in_the_newest_segment_of_the_past(desk: Desk, url: str) -> None:
    (old,) = await desk.hear("old")
    (new,) = await desk.hear("new")
    await outside(url, "UPDATE threadbridge.inbox SET id = id + $1 WHERE id = $2", 3 << BITS, new.id)
    assert (await desk.store.last_said([old.thread_id]))[old.thread_id].id == new.id + (3 << BITS)


async def test_a_read_ends_with_the_row_that_makes_it_large(desk: Desk) -> None:
    (row,) = await desk.hear("1")
    for number in range(2, 6):
        await desk.receive(arrival(str(number), raw=orjson.dumps({"id": str(number), "more": "x" * (READ_BYTES // 2)})))
    assert [event.key for event in await desk.events(row.thread_id)] == ["1", "2", "3"]
    (head,) = await desk.store.inbox_heads(0, 10)
    assert head.key == "1"


async def test_a_process_that_was_taken_for_dead_writes_nothing_more(desk: Desk) -> None:
    (row,) = await desk.hear("1")
    await outside(desk.url, "DELETE FROM threadbridge.processes")
    with pytest.raises(Broken, match="took this one for dead"):
        await desk.receive(arrival("2"))
    assert len(desk.told.failures) == 1
    assert [event.key for event in await desk.events(row.thread_id)] == ["1"]


async def test_a_process_that_was_taken_for_dead_while_it_was_away_stops(desk: Desk) -> None:
    await desk.hear("1")
    writing = await process_of(desk)._process.connection()
    await outside(desk.url, "DELETE FROM threadbridge.processes")
    await outside(desk.url, "SELECT pg_terminate_backend($1)", writing.get_server_pid())
    with pytest.raises(Broken, match="took this one for dead"):
        await received(desk, "2")
    assert len(desk.told.failures) == 1


async def test_a_unit_that_cannot_be_stored_fails_alone(desk: Desk) -> None:
    results = await asyncio.gather(
        desk.receive(arrival("1")),
        desk.receive(arrival("nul", reason="\0")),
        desk.receive(arrival("2")),
        return_exceptions=True,
    )
    assert [results[0], results[2]] == [[Receipt.STORED]] * 2
    assert type(results[1]) is StoreError


async def test_suspects_are_the_open_rows_that_were_running_when_the_process_died(url: str) -> None:
    desk = await Desk(url).open()
    first, second = await desk.hear("1", "2")
    for row in (first, second):
        desk.store.mark("in", row.id, running=True)
    await desk.turn(first)
    await desk.reopen()  # whatever still runs then is left behind
    assert {*desk.store.suspects("in")} == {second.id}
    assert desk.store.deaths("in", second.id) == 1
    await desk.store.close()


async def test_a_claim_of_media_takes_no_more_than_it_wants_whatever_the_planner_expects(desk: Desk) -> None:
    """Of a table that had one row when it was last looked at, it goes through each row and asks anew what is free."""
    await desk.receive(photo("first"))
    await outside(desk.url, "ANALYZE threadbridge.media")
    await desk.receive(*(photo(f"{at}") for at in range(5)))
    rows, _ = await desk.store.claim_media(AT, 2)
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(), Unavailable),
        (TimeoutError(), Unavailable),
        (asyncpg.InterfaceError("closed"), Unavailable),
        (asyncpg.TooManyConnectionsError("full"), Unavailable),
        (asyncpg.SerializationError("again"), Unavailable),
        (asyncpg.DeadlockDetectedError("again"), Unavailable),
        (asyncpg.DiskFullError("no room"), Unavailable),
        (asyncpg.AdminShutdownError("stopped"), Unavailable),
        (asyncpg.ReadOnlySQLTransactionError("a standby"), Unavailable),
        (asyncpg.DataCorruptedError("a page"), Broken),
        (asyncpg.IndexCorruptedError("a page"), Broken),
        (asyncpg.PostgresIOError("a file"), Broken),
        (asyncpg.UniqueViolationError("twice"), StoreError),
        (asyncpg.CharacterNotInRepertoireError("NUL"), StoreError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_an_error_is_what_its_code_says(error: Exception, kind: type[StoreError]) -> None:
    assert type(translate(error)) is kind


def test_the_text_of_an_error_quotes_nothing_that_was_to_be_stored() -> None:
    assert "secret" not in str(translate(asyncpg.InvalidTextRepresentationError('invalid input: "secret"')))
