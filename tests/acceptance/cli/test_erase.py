"""`threadbridge erase`: nothing of a conversation is left in any file, and the receipt says what was removed."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import orjson
import pytest
import structlog
from typer.testing import CliRunner

from bridge.app.http import BRIDGE, create_app
from bridge.cli import app
from bridge.events import Contact, Message, encode_event
from bridge.store.lifecycle import Outcome
from bridge.store.records import StepRow, TimerRow
from bridge.testing.contract.store.desk import AT, NOON, Desk, again, arrival, given_up, news, refused, saying, sent
from bridge.testing.contract.store.media import photo
from bridge.testing.contract.store.people import named
from bridge.web.server import runner_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

    from bridge.store.records import Arrival

CANARY: Final = "kenari"
"""In each value that is ann's; a number behind it tells which."""


@dataclass
class Shop:
    folder: Path
    threads: dict[str, int]

    def call(self, *arguments: str, answer: str | None = None) -> Result:
        file = str(self.folder / "threadbridge.toml")
        receipt = str(self.folder / "receipt.json")
        return CliRunner().invoke(app, ["erase", *arguments, "--receipt", receipt, "-c", file], input=answer)

    def canaries(self) -> dict[str, set[str]]:
        """By file, the canaries in its bytes."""
        found = {}
        for file in self.folder.rglob("*"):
            if file.is_file() and file.suffix != ".toml":
                pieces = file.read_bytes().split(CANARY.encode())[1:]
                if pieces:
                    found[file.name] = {piece[:3].decode("ascii", "replace") for piece in pieces}
        return found


def heard(key: str, conversation: str, words: str, beside: str = "") -> Arrival:
    """A message of a contact whose name and number are canaries; with the webhook go the words of somebody else."""
    who = Contact(id=conversation, name=f"{words} 01")
    event = Message(id=key, contact=who, at=NOON, text=f"{words} 02 {key}")
    raw = orjson.dumps({"text": f"{words} 03", "beside": beside})
    return replace(arrival(f"{conversation}/{key}", conversation), event=event, encoded=encode_event(event), raw=raw)


async def lived(url: str) -> dict[str, int]:
    """A long past of two conversations, much of which changed meanwhile."""
    desk = await Desk(url).open()
    threads = {}
    for name, words in (("bob", "harmless"), ("ann", CANARY), ("cid", "harmless")):
        conversation = f"{words} 04 {name}"
        for number in range(60):
            both = heard(f"{number}", conversation, words), heard(f"{number}b", f"eve {name}", "harmless", words)
            await desk.receive(both[0], replace(both[1], raw=both[0].raw))
            row = desk.told.events[-2]
            state = orjson.dumps({"said": [f"{words} 05 {each}" for each in range(number % 7)]})
            commit = await desk.commit_of(
                row, saying(f"{words} 06", f"{name}{number}"), state=state, step=f"{words} 07"
            )
            timer = TimerRow(due_at=AT + number, name=f"{words} 08", message=f'{{"text":"{words} 09"}}'.encode())
            commit = replace(commit, timers=[timer], thread=replace(commit.thread, dialog=f"{words} 10".encode()))
            await desk.store.start_step(
                StepRow(thread_id=row.thread_id, run=f"{number}", position=0, call=f"{words} 11", key="k", at=AT)
            )
            await desk.store.commit_turn(commit)
            message = desk.told.messages[-1]
            exchange = f'"{words} 12"'.encode()
            await desk.store.retry_delivery(replace(again(message, Outcome.UNKNOWN), exchange=exchange))
            end = (sent if number % 3 else refused)(message, f"{words} 13 {number}")
            await desk.store.settle_delivery(replace(end, exchange=exchange))
            if number % 3:
                await desk.receive(news(f"{words} 13 {number}", "read"))
        (dead,) = await desk.hear(f"{words} 14 {name}", conversation=conversation)
        await desk.store.settle_turn(given_up(dead, f"{words} 15"))
        await desk.receive(photo(f"{words}_16_{name}", conversation))
        await desk.store.keep_secret("shop", f"postback whatsapp {conversation} digest", f"{words} 17")
        threads[name] = row.thread_id
    await desk.store.close()
    return threads


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("past")
    text = '[accounts.demo]\nprovider = "playground"\n[media]\nstore = "media"\n'
    (folder / "threadbridge.toml").write_text(text, "utf-8")
    return Shop(folder, asyncio.run(lived(f"sqlite:///{folder}/threadbridge.db")))


@pytest.fixture
def shop(past: Shop, tmp_path: Path) -> Shop:
    """The same, to work on."""
    shutil.copytree(past.folder, tmp_path, dirs_exist_ok=True)
    return replace(past, folder=tmp_path)


def test_no_byte_of_an_erased_conversation_is_left(shop: Shop) -> None:
    assert set(shop.canaries()) == {"threadbridge.db"}
    result = shop.call("--thread", str(shop.threads["ann"]), "--yes")
    assert (result.exit_code, result.stderr) == (0, "")
    assert shop.canaries() == {}
    removed = json.loads((shop.folder / "receipt.json").read_text("utf-8"))["removed"]
    assert removed["events"] == 102
    assert {kind: removed[kind] for kind in ("messages", "tries", "timers", "threads", "long keys", "media")} == {
        "messages": 60,
        "tries": 120,
        "timers": 60,
        "threads": 1,
        "long keys": 1,
        "media": 1,
    }
    with closing(sqlite3.connect(shop.folder / "threadbridge.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert {row[0] for row in db.execute("SELECT thread_id FROM outbox")} >= {shop.threads["bob"]}


@pytest.fixture
def quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.mark.usefixtures("quiet")
async def test_a_running_bridge_erases_when_it_is_asked(shop: Shop) -> None:
    made = create_app(shop.folder / "threadbridge.toml")
    runner = runner_of(made)
    await runner.setup()
    result = await asyncio.to_thread(shop.call, "--thread", str(shop.threads["ann"]), "--yes")
    assert (result.exit_code, result.stderr) == (0, "")
    await made[BRIDGE].settle()
    assert shop.canaries() == {}
    await runner.cleanup()
    assert shop.canaries() == {}


def test_a_person_is_erased_with_every_conversation(shop: Shop) -> None:
    async def known() -> int:
        desk = await Desk(f"sqlite:///{shop.folder}/threadbridge.db").open()
        for number, conversation in enumerate((f"{CANARY} 20", f"{CANARY} 21")):
            await desk.receive(named(f"p{number}", conversation, ("phone", f"{CANARY} 22")))
        (card, *_) = await desk.store.contacts()
        await desk.store.close()
        return card.id

    contact_id = str(asyncio.run(known()))
    assert shop.call("--thread", str(shop.threads["ann"]), "--yes").exit_code == 0
    assert shop.canaries() != {}
    result = shop.call(contact_id, "--yes")
    assert (result.exit_code, result.stderr) == (0, "")
    assert shop.canaries() == {}
    removed = json.loads((shop.folder / "receipt.json").read_text("utf-8"))["removed"]
    assert (removed["threads"], removed["identities"], removed["contacts"]) == (2, 1, 1)
    result = shop.call(contact_id, "--yes")
    assert (result.exit_code, result.stderr) == (
        1,
        f"{contact_id}: there is no such contact; `threadbridge contacts list` has all\n",
    )


@pytest.mark.parametrize("arguments", [(), ("7", "--thread", "7")])
def test_it_wants_a_conversation_or_a_person(shop: Shop, arguments: tuple[str, ...]) -> None:
    assert shop.call(*arguments).exit_code == 2


def test_it_asks_first_and_no_is_no(shop: Shop) -> None:
    result = shop.call("--thread", str(shop.threads["ann"]), answer="n\n")
    assert result.exit_code == 1
    assert shop.canaries()
    assert not (shop.folder / "receipt.json").exists()


def test_a_reader_that_does_not_end_is_named(shop: Shop) -> None:
    with closing(sqlite3.connect(shop.folder / "threadbridge.db", isolation_level=None)) as db:
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM inbox").fetchone()
        result = shop.call("--thread", str(shop.threads["ann"]), "--yes")
    assert result.exit_code == 0
    assert "a program reads the database" in result.stderr
    assert json.loads((shop.folder / "receipt.json").read_text("utf-8"))["left"]


@pytest.mark.parametrize("thread", ["99", "no"])
def test_a_conversation_that_is_none_is_told(shop: Shop, thread: str) -> None:
    result = shop.call("--thread", thread, "--yes")
    assert (result.exit_code, result.stderr) == (1, f"{thread}: there is no conversation of that id\n")
