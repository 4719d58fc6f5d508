"""`threadbridge backup` and `restore`: a sound copy beside traffic, and a store that sends nothing a second time."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
import structlog
from typer.testing import CliRunner

from bridge.app.http import create_app
from bridge.cli import app
from bridge.engine.restoring import HELD
from bridge.store.lifecycle import Outcome
from bridge.store.records import Receipt, TimerRow
from bridge.testing.contract.store.desk import AT, Desk, again, arrival, news, saying, sent
from bridge.web.server import runner_of
from storage.sqlite import backup as backups

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

DAY = 86_400_000_000


@dataclass
class Shop:
    folder: Path

    def call(self, *arguments: str, answer: str | None = None) -> Result:
        file = str(self.folder / "threadbridge.toml")
        return CliRunner().invoke(app, [*arguments, "-c", file], input=answer)

    @property
    def database(self) -> Path:
        return self.folder / "threadbridge.db"

    @property
    def backup(self) -> Path:
        return self.folder / "monday.db"

    async def desk(self) -> Desk:
        return await Desk(f"sqlite:///{self.database}").open()

    async def lose(self) -> None:
        """The machine is gone, with all files of the store but the note of what ran."""
        for file in self.folder.glob("threadbridge.db*"):
            if file.suffix != ".running":
                file.unlink()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    (tmp_path / "threadbridge.toml").write_text('[accounts.demo]\nprovider = "playground"\n', "utf-8")
    return Shop(tmp_path)


async def half_said(desk: Desk) -> None:
    """One message is sent, one was tried without an answer, one waits; an event waits, and a timer."""
    (row,) = await desk.hear("1")
    commit = await desk.commit_of(row, *(saying(text, f"key-{text}") for text in ("sent", "tried", "waits")))
    timer = TimerRow(due_at=AT + DAY, name="t", message=b"{}")
    await desk.store.commit_turn(replace(commit, timers=[timer]))
    first, second, _ = desk.told.messages
    await desk.store.settle_delivery(sent(first, "m-1"))
    await desk.store.retry_delivery(again(second, Outcome.UNKNOWN))
    await desk.hear("2")


async def test_a_backup_is_what_the_store_was_when_it_began(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "_PAGES", 1)
    desk = await shop.desk()
    await half_said(desk)
    loop, steps = asyncio.get_running_loop(), 0

    def write(done: int, total: int) -> None:
        nonlocal steps
        steps += 1
        if steps < 20:
            asyncio.run_coroutine_threadsafe(desk.receive(arrival(f"late-{steps}", f"late-{steps}")), loop).result()
        assert done <= total

    made = await asyncio.to_thread(backups.back_up, f"sqlite:///{shop.database}", shop.backup, AT, write)
    assert steps > 20
    assert (made.rows["inbox"], made.rows["outbox"], made.taken_at) == (2, 3, AT)
    await desk.store.close()
    assert not shop.backup.with_name("monday.db.partial").exists()
    assert shop.backup.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(shop.backup)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_running_bridge_is_backed_up(shop: Shop) -> None:
    runner = runner_of(create_app(shop.folder / "threadbridge.toml"))
    with structlog.testing.capture_logs():
        await runner.setup()
        result = await asyncio.to_thread(shop.call, "backup", str(shop.backup))
        await runner.cleanup()
    assert (result.exit_code, result.stdout[:3]) == (0, "ok:")


def test_a_file_that_is_there_is_never_overwritten(shop: Shop) -> None:
    asyncio.run(made(shop))
    shop.backup.write_text("precious", "utf-8")
    result = shop.call("backup", str(shop.backup))
    assert (result.exit_code, f"{shop.backup} exists" in result.stderr) == (1, True)
    assert shop.backup.read_text("utf-8") == "precious"


async def made(shop: Shop) -> None:
    desk = await shop.desk()
    await half_said(desk)
    await desk.store.close()


def test_a_restored_store_holds_back_what_may_have_been_sent_since(shop: Shop) -> None:
    asyncio.run(made(shop))
    assert shop.call("backup", str(shop.backup)).exit_code == 0
    asyncio.run(shop.lose())
    result = shop.call("restore", str(shop.backup))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "(see `threadbridge dead list`): 2\n" in result.stdout
    assert "the same keys as before: 1\n" in result.stdout

    async def look() -> None:
        desk = await shop.desk()
        thread_id = await desk.store.find_thread(arrival("1").ref)  # type: ignore[arg-type] # it has one
        assert thread_id is not None
        assert await desk.messages(thread_id) == []
        letters = await desk.store.dead_letters()
        assert [letter.reason for letter in letters] == [HELD, HELD]
        assert await desk.receive(arrival("1"), news("m-1", "read")) == [Receipt.REPEATED, Receipt.STORED]
        for letter in reversed(letters):
            assert await desk.store.replay(letter.id, AT)
        assert [message.key for message in await desk.messages(thread_id)] == ["key-tried", "key-waits"]
        (row,) = await desk.events(thread_id)
        assert (row.key, row.replay) == ("2", 0)
        await desk.store.close()

    asyncio.run(look())


def test_with_send_what_waits_is_sent(shop: Shop) -> None:
    asyncio.run(made(shop))
    shop.call("backup", str(shop.backup))
    asyncio.run(shop.lose())
    assert shop.call("restore", str(shop.backup), "--send").exit_code == 0

    async def look() -> None:
        desk = await shop.desk()
        assert (await desk.store.counts())["open_messages"] == 2
        await desk.store.close()

    asyncio.run(look())


def test_no_timer_gets_a_number_that_the_original_gave_after_the_backup(shop: Shop) -> None:
    async def set_timer(key: str) -> str:
        desk = await shop.desk()
        (row,) = await desk.hear(key, conversation="bob")
        commit = await desk.commit_of(row)
        await desk.store.commit_turn(replace(commit, timers=[TimerRow(due_at=AT, name=key, message=b"{}")]))
        await desk.store.fire_timers(AT, 10)
        await desk.store.close()
        return desk.told.events[-1].key

    asyncio.run(made(shop))
    shop.call("backup", str(shop.backup))
    after = {asyncio.run(set_timer(f"original-{number}")) for number in range(3)}
    asyncio.run(shop.lose())
    assert shop.call("restore", str(shop.backup)).exit_code == 0
    assert {asyncio.run(set_timer(f"copy-{number}")) for number in range(3)}.isdisjoint(after)


@pytest.mark.parametrize("left", ["threadbridge.db", "threadbridge.db-wal"])
def test_a_store_that_is_there_is_never_overwritten(shop: Shop, left: str) -> None:
    asyncio.run(made(shop))
    shop.call("backup", str(shop.backup))
    asyncio.run(shop.lose())
    (shop.folder / left).write_bytes(b"precious")
    result = shop.call("restore", str(shop.backup))
    assert (result.exit_code, "move it away first" in result.stderr) == (1, True)
    assert (shop.folder / left).read_bytes() == b"precious"


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"x" * 5000, None])
def test_what_is_no_backup_is_refused_and_nothing_is_made(shop: Shop, content: bytes | None) -> None:
    if content is not None:
        shop.backup.write_bytes(content)
    result = shop.call("restore", str(shop.backup))
    assert result.exit_code in {1, 78}
    assert result.stderr
    assert {file.name for file in shop.folder.glob("threadbridge.db*")} <= {"threadbridge.db.lock"}


def test_a_damaged_backup_is_refused(shop: Shop) -> None:
    asyncio.run(made(shop))
    shop.call("backup", str(shop.backup))
    asyncio.run(shop.lose())
    content = bytearray(shop.backup.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    shop.backup.write_bytes(content)
    result = shop.call("restore", str(shop.backup))
    assert result.exit_code == 1
    assert not shop.database.exists()


def test_a_store_of_postgresql_is_backed_up_by_its_own_tool(shop: Shop) -> None:
    text = '[storage]\nurl = "postgresql://bot@db.example/bot"\n[accounts.demo]\nprovider = "playground"\n'
    (shop.folder / "threadbridge.toml").write_text(text, "utf-8")
    for command in ("backup", "restore"):
        result = shop.call(command, str(shop.backup))
        assert (result.exit_code, "pg_" in result.stderr) == (1, True)
        assert "bot@" not in result.stderr


def test_a_store_that_was_put_in_place_is_held_back_once_it_is_confirmed(shop: Shop) -> None:
    asyncio.run(made(shop))
    assert shop.call("restore", answer="n\n").exit_code == 1
    result = shop.call("restore", answer="y\n")
    assert (result.exit_code, "of an unknown time" in result.stdout) == (0, True)
    assert "(see `threadbridge dead list`): 2\n" in result.stdout
