"""Values that are encrypted: nothing readable in the files, one key after the other, and nothing moved unnoticed."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import orjson
import pytest

from bridge.errors import ConfigError, StoreInUse
from bridge.events import Contact, Message, encode_event
from bridge.store.backup import backup_type
from bridge.store.copying import copy_store
from bridge.store.encryption import PLAIN, key_from
from bridge.store.lifecycle import Outcome
from bridge.store.opening import copy_type, open_reader
from bridge.store.people.identities import encode_identities
from bridge.store.records import StepRow, TimerRow
from bridge.testing.contract.store.desk import AT, NOON, Desk, again, arrival, given_up, refused, saying
from storage.sealed_columns import SEALED
from storage.sealing import plan_of
from storage.sqlite.connection import path_of, prepare
from storage.sqlite.encryption import page_of
from tests.support.postgres import empty_store, new_database, plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.store.encryption import EncryptionKey

pytestmark = pytest.mark.slow

OLD, NEW = (key_from(bytes([number]) * 32) for number in (1, 2))
CANARIES: Final = (
    *("+6281277701", "canary-name", "canary-user", "canary.mail", "canary-word", "canary-raw", "canary-reply"),
    *("canary-state", "canary-note", "canary-step", "canary-later", "canary-field"),
)
"""Of a contact: numbers, names, words, and what is kept of them."""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else empty_store()


@pytest.fixture
def other_url(url: str, tmp_path: Path) -> str:
    """A new store of the other kind."""
    return new_database("sealed_copy") if url.startswith("sqlite") else f"sqlite:///{tmp_path / 'other.db'}"


async def live(desk: Desk) -> None:
    """Twelve canaries of a contact go into the store by every way there is."""
    phone, name, user, mail, word, raw, reply, state, note, step, later, field = CANARIES
    contact = Contact(id=phone, name=name, phone=phone)
    event = Message(id="1", contact=contact, at=NOON, text=word)
    named = encode_identities([("phone", phone), ("user_id", user), ("mail", mail)])
    made = replace(
        arrival("1", phone), event=event, encoded=encode_event(event), raw=raw.encode(), address={"to": phone}
    )
    await desk.receive(replace(made, identities=named))
    row = desk.told.events[-1]
    await desk.store.start_step(StepRow(thread_id=row.thread_id, run="r", position=0, call="c", key="k", at=AT))
    await desk.store.end_step(
        StepRow(thread_id=row.thread_id, run="r", position=0, call="c", key="k", at=AT, result=orjson.dumps(step))
    )
    commit = await desk.commit_of(
        row, saying(reply, "key"), state=orjson.dumps({"is": state}), note=note, dialog=b'"' + raw.encode() + b'"'
    )
    timer = TimerRow(due_at=AT + 1, name="t", handler="m:f", arguments=orjson.dumps({"x": later}))
    person = orjson.dumps({"fields": {"f": field}, "tags": []})
    await desk.store.commit_turn(replace(commit, timers=[timer], person=person))
    (message,) = await desk.messages(row.thread_id)
    await desk.store.retry_delivery(again(message, Outcome.NOT_SENT, reason=word, exchange=raw.encode()))
    await desk.store.settle_delivery(refused(replace(message, attempt=2), reason=f"{phone} is no number"))
    await desk.store.keep_secret("shop", f"postback whatsapp {phone} digest", word)
    (failed,) = await desk.hear("2", conversation=phone)
    await desk.store.settle_turn(replace(given_up(failed, word), trace=raw))
    await desk.store.fire_timers(AT + 2, 10)


async def stored(url: str) -> bytes:
    """All bytes of a database: of its files, or of every value in every table."""
    if url.startswith("sqlite"):
        file = path_of(url)
        return b"".join(_read(f"{file}{ending}") for ending in ("", "-wal", "-shm", ".running"))
    connection = await asyncpg.connect(plain(url))
    try:
        found = []
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'threadbridge'")
        for (table,) in tables:
            for row in await connection.fetch(f'SELECT * FROM threadbridge."{table}"'):
                found += [value if isinstance(value, bytes) else str(value).encode() for value in row.values()]
        return b"\n".join(found)
    finally:
        await connection.close()


def _read(file: str) -> bytes:
    try:
        with open(file, "rb") as opened:  # noqa: PTH123 - a name with an ending
            return opened.read()
    except FileNotFoundError:
        return b""


def seen(content: bytes) -> list[str]:
    """The canaries in it."""
    return [canary for canary in CANARIES if canary.encode() in content]


async def everything(url: str, keys: Sequence[EncryptionKey]) -> Any:
    """What a reader tells of the store."""
    store = await open_reader(url, keys)
    try:
        threads = [thread.id for thread in await store.threads()]
        letters = [await store.dead_letter(letter.id) for letter in await store.dead_letters()]
        return [
            [await store.thread(thread_id) for thread_id in threads],
            await store.threads(),
            [replace(letter, tries=str(orjson.loads(letter.tries))) for letter in letters if letter],
            [await store.history(thread_id) for thread_id in threads],
            [await store.spoken(thread_id) for thread_id in threads],
            [await store.trace(letter.id) for letter in letters if letter],
            await store.contacts(),
            [card.id for card in await store.contacts_named(CANARIES[0].removeprefix("+"))],
            await store.raws(10),
            [letter async for letter in _by_reason(store)],
            await store.secret("shop", f"postback whatsapp {CANARIES[0]} digest"),
            [await store.steps(thread_id) for thread_id in threads],
        ]
    finally:
        await store.close()


async def _by_reason(store: Any) -> Any:
    for _, letter in await store.oldest_letters(account=None, reason="is no number", until=AT + 10, limit=9):
        yield letter


async def rotate(desk: Desk, limit: int = 3) -> int:
    changed, more = 0, True
    while more:
        _, done, more = await desk.store.reseal(limit)
        changed += done
    return changed


async def under(url: str, keys: Sequence[EncryptionKey]) -> dict[str, int]:
    store = await open_reader(url, keys)
    try:
        return dict(await store.encrypted_under())
    finally:
        await store.close()


async def test_no_word_of_a_contact_is_in_the_database_its_log_or_a_backup(url: str, tmp_path: Path) -> None:
    desk = await Desk(url, [OLD]).open()
    await live(desk)
    assert seen(await stored(url)) == []
    if url.startswith("sqlite"):
        await asyncio.to_thread(backup_type(url).back_up, url, tmp_path / "backup.db", AT, lambda *_: None)
        assert seen(_read(str(tmp_path / "backup.db"))) == []
    await desk.store.close()
    assert seen(await stored(url)) == []
    assert (await under(url, [OLD])).keys() == {OLD.id}


async def test_what_is_read_is_the_same_with_keys_and_without(url: str, tmp_path: Path) -> None:
    told = []
    for where, keys in ((f"sqlite:///{tmp_path / 'plain.db'}", ()), (url, (OLD,))):
        desk = await Desk(where, keys).open()
        await live(desk)
        await desk.store.close()
        told.append(await everything(where, keys))
        assert seen(repr(told[-1]).encode()) == [*CANARIES]
    assert told[0] == told[1]


async def test_a_store_in_use_is_encrypted_from_its_next_start_and_whole_after_a_rotation(url: str) -> None:
    desk = await Desk(url).open()
    await live(desk)
    await desk.store.close()
    assert seen(await stored(url)) == [*CANARIES]
    before = await everything(url, ())
    desk = await Desk(url, [OLD]).open()
    assert await everything(url, [OLD]) == before
    (row,) = await desk.hear("9", conversation=CANARIES[0])
    assert row.thread_id == 1
    assert (await under(url, [OLD])).keys() == {OLD.id, PLAIN}
    assert await rotate(desk) > 0
    assert await rotate(desk) == 0
    await desk.store.wipe()
    assert seen(await stored(url)) == []
    await desk.store.close()
    assert (await under(url, [OLD])).keys() == {OLD.id}


async def test_a_rotation_that_dies_anywhere_goes_on_and_leaves_no_row_under_the_old_key(url: str) -> None:
    desk = await Desk(url, [OLD]).open()
    await live(desk)
    await desk.store.close()
    before = await everything(url, [OLD])
    parts, more = 0, True
    while more:
        desk = await Desk(url, [NEW, OLD]).open()
        more = (await desk.store.reseal(1)).more
        parts += 1
        await desk.store.close()
        if more:
            with pytest.raises(ConfigError, match=OLD.id):
                await open_reader(url, [NEW])
    assert parts > len(SEALED)
    assert (await under(url, [NEW])).keys() == {NEW.id}
    assert await everything(url, [NEW]) == before


async def test_a_key_that_is_missing_or_another_is_named_and_nothing_of_it_is_shown(url: str) -> None:
    desk = await Desk(url, [OLD]).open()
    await desk.store.close()
    for keys in ((), (NEW,)):
        for opened in (Desk(url, keys).open(), open_reader(url, keys), copy_type(url).open_copy_source(url, "", keys)):
            with pytest.raises(ConfigError) as refused_:
                await opened
            text = str(refused_.value)
            assert OLD.id in text
            assert not any(base64.b64encode(key.secret).decode() in text for key in (OLD, NEW))
    desk = await Desk(url, [OLD]).open()
    await desk.store.close()


async def swap(url: str, table: str, column: str) -> None:
    """Two rows have each other's value, as somebody does who can write the file and has no key."""
    rows = [1, 2] if table == "threads" else None
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url), isolation_level=None)) as db:
            rows = rows or [row[0] for row in db.execute(f"SELECT id FROM {table} WHERE status = 'open' ORDER BY id")]
            (one,), (two,) = (
                db.execute(f"SELECT {column} FROM {table} WHERE id = ?", (row,)).fetchone() for row in rows
            )
            db.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (two, rows[0]))
            db.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (one, rows[1]))
        return
    connection = await asyncpg.connect(plain(url))
    try:
        await connection.execute("SET search_path = threadbridge")
        found = await connection.fetch(f"SELECT id FROM {table} WHERE status = 'open' ORDER BY id") if not rows else []
        first, second = rows or [row[0] for row in found]
        one = await connection.fetchval(f"SELECT {column} FROM {table} WHERE id = $1", first)
        two = await connection.fetchval(f"SELECT {column} FROM {table} WHERE id = $1", second)
        await connection.execute(f"UPDATE {table} SET {column} = $1 WHERE id = $2", two, first)
        await connection.execute(f"UPDATE {table} SET {column} = $1 WHERE id = $2", one, second)
    finally:
        await connection.close()


@pytest.mark.parametrize(("table", "column"), [("inbox", "event"), ("inbox", "raw"), ("outbox", "message")])
async def test_a_value_of_another_row_is_refused_and_its_row_is_a_dead_letter(
    url: str, table: str, column: str
) -> None:
    desk = await Desk(url, [OLD]).open()
    if table == "outbox":
        for conversation in ("ann", "bob"):
            await desk.said(f"to {conversation}", conversation=conversation)
    else:
        await desk.hear("1", conversation="ann")
        await desk.hear("2", conversation="bob")
    await desk.store.close()
    await swap(url, table, column)
    await desk.open()
    heads = desk.store.outbox_heads if table == "outbox" else desk.store.inbox_heads
    assert await heads(0, 10) == []
    letters = await desk.store.dead_letters()
    assert len(letters) == 2
    assert all("cannot read it" in letter.reason for letter in letters)
    (row,) = await desk.hear("3", conversation="ann")
    assert row.event.id == "3"
    await desk.store.close()


async def test_a_copy_is_encrypted_under_the_keys_of_its_target(url: str, other_url: str, tmp_path: Path) -> None:
    desk = await Desk(url, [OLD]).open()
    await live(desk)
    await desk.store.close()
    for keys in ((NEW, OLD), ()):
        target_url = other_url if keys else f"sqlite:///{tmp_path / 'plain.db'}"
        source = await copy_type(url).open_copy_source(url, "", [OLD])
        target = await copy_type(target_url).open_copy_target(target_url, "", keys)
        await copy_store(source, target, lambda _: None)
        await target.close()
        await source.close()
        assert seen(await stored(target_url)) == ([] if keys else [*CANARIES])
        assert (await under(target_url, keys)).keys() == {NEW.id if keys else PLAIN}
        assert await everything(target_url, keys) == await everything(url, [OLD])
        if keys:
            desk = await Desk(target_url, keys).open()
            (row,) = await desk.hear("9", conversation=CANARIES[0])
            assert row.thread_id == 1
            await desk.store.close()


async def test_an_account_that_moves_into_an_encrypted_store_is_encrypted_there(url: str, tmp_path: Path) -> None:
    source_url = f"sqlite:///{tmp_path / 'source.db'}"
    desk = await Desk(source_url, [OLD]).open()
    await live(desk)
    await desk.store.close()
    desk = await Desk(url, [NEW]).open()
    await desk.hear("1", account="desk")
    await desk.store.close()
    source = await copy_type(source_url).open_copy_source(source_url, "shop", [OLD])
    target = await copy_type(url).open_copy_target(url, "shop", [NEW])
    await copy_store(source, target, lambda _: None)
    await target.close()
    await source.close()
    assert seen(await stored(url)) == []
    store = await open_reader(url, [NEW])
    try:
        threads = [await store.thread(line.id) for line in await store.threads(account="shop")]
        assert [orjson.loads(thread.state) for thread in threads] == [{"is": "canary-state"}]
        assert await store.secret("shop", f"postback whatsapp {CANARIES[0]} digest") == "canary-word"
    finally:
        await store.close()


async def test_the_first_key_wants_a_database_of_its_own_and_processes_know_each_others_keys(
    shared_url: str,
) -> None:
    url = shared_url
    alone = await Desk(url).open()
    with pytest.raises(StoreInUse):
        await Desk(url, [OLD]).open()
    await alone.store.close()
    first = await Desk(url, [OLD]).open()
    with pytest.raises(ConfigError, match="does not have the same keys"):
        await Desk(url, [NEW, OLD]).open()
    second = await Desk(url, [OLD, NEW]).open()
    await first.store.close()
    third = await Desk(url, [NEW, OLD]).open()
    await third.hear("1")
    (line,) = await second.store.threads()
    assert line.ref.conversation_id == "ann"
    with pytest.raises(ConfigError, match="older key"):
        await rotate(third)
    await second.store.close()
    await rotate(third)
    await third.store.close()
    assert (await under(url, [NEW])).keys() == {NEW.id}


def test_a_statement_that_does_not_tell_whose_row_it_writes_is_no_statement() -> None:
    with pytest.raises(KeyError):
        plan_of("UPDATE inbox SET error = ? WHERE thread_id = ?")
    assert plan_of("UPDATE inbox SET attempt = ? WHERE thread_id = ?") is None
    assert plan_of("/*bot*/UPDATE contacts SET content = ? WHERE id = ?") is None


async def test_a_conversation_goes_on_without_what_is_of_another_and_fails_without_its_state(url: str) -> None:
    desk = await Desk(url, [OLD]).open()
    for conversation in ("ann", "bob"):
        (row,) = await desk.hear(conversation, conversation=conversation)
        state = orjson.dumps({"of": conversation})
        await desk.turn(row, f"to {conversation}", state=state, address={"to": conversation}, lost=("x",), choices=())
        await desk.hear(f"{conversation} again", conversation=conversation)
    await desk.store.close()
    for column in ("address", "contact", "lost", "state"):
        await swap(url, "threads", column)
    await desk.open()
    heads = await desk.store.inbox_heads(0, 10)
    assert [head.key for head in heads] == ["ann again", "bob again"]
    for head in heads:
        thread = await desk.store.thread(head.thread_id)
        assert (thread.address, thread.lost) == ({}, ())
        with pytest.raises(ValueError, match="line 1"):
            orjson.loads(thread.state)
    assert [line.contact for line in await desk.store.threads()] == [None, None]
    (heard,) = await desk.hear("3", conversation="ann")
    assert heard.thread_id == heads[0].thread_id
    await desk.store.close()


@pytest.mark.parametrize("table", SEALED)
def test_a_part_of_a_rotation_reads_its_rows_and_no_others(table: str) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        prepare(db)
        key = SEALED[table].key
        (step,) = db.execute(f"EXPLAIN QUERY PLAN {page_of(table, key)}", (*key, 1)).fetchall()
    assert step[3].startswith(f"SEARCH {table} USING")
    assert "PRIMARY KEY" in step[3] or "autoindex" in step[3]
