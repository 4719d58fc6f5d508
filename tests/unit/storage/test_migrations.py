"""Files of earlier versions, with rows in them: opened by this one, everything is there and goes on."""

from __future__ import annotations

import hmac
import sqlite3
from base64 import urlsafe_b64encode
from contextlib import closing
from dataclasses import replace
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest

from bridge.engine.turns.signing import Signer
from bridge.events import Contact, Postback, Timer, encode_event
from bridge.store.admission import REDELIVERED
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import AT, NOON, Desk, arrival, ref_of
from bridge.units import SECOND
from storage.sqlite.schema import APPLICATION_ID, MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from bridge.store.records import Arrival

pytestmark = pytest.mark.slow

RELEASED: Final = range(1, len(MIGRATIONS))
SECRETS: Final = 6
"""The schema from which on secrets have a table of their own."""
FORMER_KEYS: Final = 7
"""The schema from which on it is noted when the last event came whose key does not hold its conversation."""
ACCOUNTS_OF_TIMERS: Final = 13
"""The schema from which on a timer names its account."""
MESSAGE_KEYS: Final = 22
"""The last schema in which the outbox had a key of its own over all time."""
SECRET: Final = bytes(range(32))
FAIR_TIMERS: Final = 13
"""The schema from which on a timer names its account."""
LONG_KEY: Final = "postback 1 aBcDeFgHiJkLmNoP"
"""Where earlier versions kept a key too long for its channel: thread 1, under its digest."""
DIALOG: Final = b'{"name": "as bridge.journal wrote it"}'


@cache
def empty(schema: int) -> bytes:
    """A file of an earlier schema, without rows."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        if schema > 1:
            db.deserialize(empty(schema - 1))
        db.executescript(MIGRATIONS[schema - 1])
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {schema}")
        return db.serialize()


class Older:
    """A file as an earlier version left it: written with its schema, row by row, by nobody of today."""

    def __init__(self, file: Path, schema: int) -> None:
        self.schema = schema
        file.write_bytes(empty(schema))
        self.db = sqlite3.connect(file, isolation_level=None)
        self.db.execute("PRAGMA synchronous = OFF")  # it is written long before the test begins

    def add(self, table: str, **values: Any) -> None:
        places = ", ".join("?" * len(values))
        self.db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", [*values.values()])

    def thread(self, number: int, conversation: str, **values: Any) -> None:
        names = {"account": "shop", "provider": "konnek", "channel": "whatsapp", "conversation": conversation}
        self.add("threads", id=number, **names, created_at=AT, updated_at=AT, **values)

    def event(self, number: int, told: Arrival, status: str = "open", *, kind: str = "message", **values: Any) -> None:
        told_of = {"account": told.account, "event_key": told.key, "event": told.encoded, "raw": told.raw}
        row = {"id": number, "seq": number, "thread_id": 1, "kind": kind, "status": status, "received_at": AT}
        self.add("inbox", **{**row, **told_of, **values})

    def message(self, number: int, text: str, status: str) -> None:
        content = orjson.dumps({"kind": "text", "text": text})
        row = {"id": number, "seq": number, "key": f"key-{number}", "account": "shop", "thread_id": 1, "kind": "text"}
        done_at = AT if status == "dead" and self.schema > 1 else None  # the first one noted none
        self.add("outbox", **row, message=content, status=status, created_at=AT, done_at=done_at, attempt=1)

    def timer(self, number: int, due_at: int, **values: Any) -> None:
        row = {"id": number, "thread_id": 1, "name": "at", "due_at": due_at, "set_at": AT, "arguments": b"{}"}
        if self.schema >= FAIR_TIMERS:
            row["account"] = "shop"
        self.add("timers", **{**row, "message": b'{"kind":"text","text":"later"}', **values})


@pytest.fixture(params=RELEASED, ids=lambda schema: f"schema {schema}")
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    """A store of an earlier schema: a thread in the middle of things, opened by this version."""
    file = tmp_path / "store.db"
    old = Older(file, request.param)
    old.thread(1, "ann", state=b'{"n":1}', step="size", version=3, choices=b'[[1,"s","Small"]]', last_heard=AT)
    old.thread(2, "bob")
    old.event(1, arrival("done"), "done", done_at=AT)
    old.event(2, arrival("first"), attempt=1)
    old.event(3, arrival("second"))
    old.event(4, arrival("gone"), "dead", error="given up", done_at=AT)
    old.message(5, "waits", "open")
    old.message(6, "lost", "dead")
    old.timer(1, AT + SECOND, name="soon")
    old.timer(2, AT + 9 * SECOND, unless="replied", name="late")
    old.event(7, fired(3), kind="timer")
    old.timer(3, AT - SECOND, status="fired" if old.schema < 3 else "due")
    if old.schema >= 3:
        old.db.execute("UPDATE threads SET heard = 2, dialog = ?, note = 'hers' WHERE id = 1", (DIALOG,))
        old.add("steps", thread_id=1, run="r", position=0, call="c", key="k", at=AT, result=b"7")
    for account, name, value in (("", "postback secret", SECRET.hex()), ("shop", LONG_KEY, "Refund[7]")):
        old.add("cursors" if old.schema < SECRETS else "secrets", account=account, name=name, value=value)
    for name, value in (("group:1", "5"), ("postback", "6")):
        old.add("cursors", account="shop", name=name, value=value)
    if old.schema >= FORMER_KEYS:
        old.add("cursors", account="", name="former keys until", value=str(AT))
    old.db.close()
    opened = await Desk(f"sqlite:///{file}").open()
    yield opened
    await opened.store.close()


def fired(number: int) -> Arrival:
    """The event of a timer as those before the last schema wrote it, which knew fewer of its fields."""
    event = Timer(id=f"timer:{number}", contact=Contact(id="ann"), at=NOON, name="at", message='{"kind":"text"}')
    known: Mapping[str, Any] = orjson.loads(encode_event(event))
    return arrival(event.id, encoded=orjson.dumps({name: known[name] for name in known if name != "model"}), raw=b"")


async def test_a_thread_and_what_waits_in_it_are_as_they_were_left(desk: Desk) -> None:
    thread = await desk.store.thread(1)
    assert (thread.ref, thread.state, thread.step, thread.version) == (ref_of("ann"), b'{"n":1}', "size", 3)
    assert ([each.key for each in thread.choices], thread.last_heard) == (["s"], AT)
    assert [(row.key, row.attempt) for row in await desk.events(1)] == [("first", 1), ("second", 0), ("timer:3", 0)]
    assert [row.key for row in await desk.messages(1)] == ["key-5"]
    assert {letter.id for letter in await desk.store.dead_letters()} == {"in-4", "out-6"}
    assert (await desk.store.thread(2)).state == b"{}"


async def test_what_came_is_known_again_and_what_is_new_is_stored(desk: Desk) -> None:
    assert await desk.receive(arrival("done"), arrival("gone"), arrival("new")) == [
        Receipt.REPEATED,
        Receipt.REPEATED,
        Receipt.STORED,
    ]


async def test_what_came_is_known_again_under_a_key_that_holds_its_conversation(desk: Desk) -> None:
    again = replace(arrival("done"), key="whatsapp/ann/done", former_keys=("done",))
    late = replace(again, received_at=AT + REDELIVERED)
    assert await desk.receive(again) == [Receipt.REPEATED]
    assert await desk.receive(late) == [Receipt.STORED]


async def test_turns_go_on_and_timers_become_due(desk: Desk) -> None:
    for row in await desk.events(1):
        await desk.turn(row, f"answer to {row.key}", state=b'{"n":2}', dialog=b"{}")
    assert ((await desk.store.thread(1)).version, (await desk.store.thread(1)).dialog) == (6, b"{}")
    assert await desk.store.fire_timers(AT + 2 * SECOND, 10) == AT + 9 * SECOND
    (soon,) = await desk.events(1)
    assert isinstance(soon.event, Timer)
    assert (soon.key, soon.event.name, soon.event.model, soon.event.since) == ("timer:1", "soon", None, 0)
    assert await desk.store.replay("in-4", AT)


async def test_a_second_start_changes_nothing(desk: Desk) -> None:
    before = await desk.store.thread(1), await desk.events(1)
    await desk.reopen()
    assert (await desk.store.thread(1), await desk.events(1)) == before


@pytest.mark.parametrize("desk", [3], indirect=True)
async def test_a_dialog_its_steps_and_the_person_who_has_the_thread_are_there(desk: Desk) -> None:
    thread = await desk.store.thread(1)
    assert (thread.dialog, thread.hold.note, thread.heard) == (DIALOG, "hers", 2)
    (step,) = await desk.store.steps(1)
    assert (step.run, step.key, step.result) == ("r", "k", b"7")


def signed(text: str) -> Postback:
    """A press on a button that an earlier version sent into thread 1."""
    signature = hmac.digest(SECRET, f"shop\0whatsapp\0ann\0\0{text}".encode(), "sha256")[:9]
    return Postback(
        id="p", contact=Contact(id="ann"), at=NOON, key=f"~{urlsafe_b64encode(signature).decode()}~{text}", title=""
    )


async def test_keys_in_flight_still_open(desk: Desk) -> None:
    signer = Signer(desk.store, Random(1))
    await signer.start()
    thread = await desk.store.thread(1)
    for text, key in (("Track[7]", "Track[7]"), (f"#{LONG_KEY.rpartition(' ')[2]}", "Refund[7]")):
        opened = await signer.open(signed(text), thread)
        assert isinstance(opened, Postback)
        assert (opened.key, opened.stale) == (key, None)


async def test_secrets_are_no_polling_cursors_any_more(desk: Desk) -> None:
    store = desk.store
    assert [await store.cursor("shop", name) for name in ("group:1", "postback", LONG_KEY)] == ["5", "6", None]
    assert await store.cursor("", "postback secret") is None
    assert await store.secret("", "postback secret") == SECRET.hex()
    assert [await store.secret("shop", name) for name in ("group:1", "postback", LONG_KEY)] == [None, None, "Refund[7]"]
    await desk.reopen()
    assert await desk.store.secret("", "postback secret") == SECRET.hex()


def quarantined(key: str, text: str) -> Arrival:
    return arrival(f"{key}#0123456789abcdef", text=text)


async def test_event_keys_of_gateways_that_look_like_ours_are_known_again_under_other_names(tmp_path: Path) -> None:
    """See OWN_KEYS: what stands in the file already is renamed as what comes from now on is."""
    old = Older(tmp_path / "store.db", 3)
    old.thread(1, "ann")
    for number, key in enumerate(("timer:9", "by hand:x", "quarantine:x", "gateway:x", "Timer:9", "m-1"), 1):
        old.event(number, arrival(key), "done", done_at=AT)
    old.event(7, fired(9), kind="timer", event_key="timer:8")
    old.event(8, arrival("by hand:1", encoded=b"{}"), "done", kind="returned", done_at=AT)
    old.event(9, arrival("quarantine:1", encoded=b""), "quarantined", kind="webhook", done_at=AT, thread_id=None)
    reason = "the event key m-1 is known with another content"
    old.event(10, quarantined("m-1", "other"), "quarantined", error=reason, done_at=AT)
    old.db.close()
    desk = await Desk(f"sqlite:///{tmp_path / 'store.db'}").open()
    found = sqlite3.connect(tmp_path / "store.db")
    keys = [row[0] for row in found.execute("SELECT event_key FROM inbox ORDER BY id")]
    found.close()
    await desk.store.close()
    assert keys == [
        *("gateway:timer:9", "gateway:by hand:x", "gateway:quarantine:x", "gateway:gateway:x", "Timer:9", "m-1"),
        *("timer:8", "by hand:1", "quarantine:1", "conflict:m-1#0123456789abcdef"),
    ]


async def test_each_column_of_a_message_is_as_it_was_in_the_outbox_that_is_written_anew(tmp_path: Path) -> None:
    old = Older(tmp_path / "store.db", MESSAGE_KEYS)
    old.thread(1, "ann")
    columns = old.db.execute("SELECT name, type FROM pragma_table_info('outbox')").fetchall()
    row = {
        name: {"INTEGER": number, "BLOB": b"%d" % number}.get(kind, name) for number, (name, kind) in enumerate(columns)
    }
    old.add("outbox", **{**row, "id": 7, "thread_id": 1})
    old.db.close()
    await (await Desk(f"sqlite:///{tmp_path / 'store.db'}").open()).store.close()
    with closing(sqlite3.connect(tmp_path / "store.db")) as db:
        db.row_factory = sqlite3.Row
        assert dict(db.execute("SELECT * FROM outbox").fetchone()) == {**row, "id": 7, "thread_id": 1}
