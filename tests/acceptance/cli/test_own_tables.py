"""The bot's own tables from the outside: `check`, `migrate` and `run`, and the bridge in somebody's application."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bridge import HandlerError, create_app
from bridge.app.http import BRIDGE
from bridge.cli import app
from bridge.cli import check as module
from bridge.cli.serve import demo_config
from storage.sqlite.schema import APPLICATION_ID, MIGRATIONS
from tests.support.postgres import new_database, plain

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_aiohttp.plugin import AiohttpClient

ORDERS = "CREATE TABLE orders (no INTEGER PRIMARY KEY);"


@pytest.fixture(autouse=True)
def _durable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "filesystem", lambda _: "ext4")


@pytest.fixture(params=["sqlite", "postgresql"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A bot with a table, on either database."""
    storage = 'url = "sqlite:///shop.db"'
    if request.param == "postgresql":
        storage = f'url = "{plain(new_database("migrated"))}"\ndurability = "relaxed"'
    (tmp_path / "threadbridge.toml").write_text(
        f'[storage]\n{storage}\nmigrations = "tables"\n[accounts.demo]\nprovider = "playground"\n', "utf-8"
    )
    (tmp_path / "tables").mkdir()
    write(tmp_path, "0001_orders.sql", ORDERS)
    return tmp_path


def write(folder: Path, name: str, script: str) -> None:
    (folder / "tables" / name).write_text(script, "utf-8")


def told(command: str, folder: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [command, "-c", str(folder / "threadbridge.toml")])
    return result.exit_code, result.output


def test_migrate_applies_what_is_new(folder: Path) -> None:
    assert told("migrate", folder)[0] == 0
    write(folder, "0002_more.sql", "ALTER TABLE orders ADD COLUMN what TEXT;")
    assert told("check", folder)[0] == 0
    assert told("migrate", folder)[0] == 0
    assert told("migrate", folder)[0] == 0
    assert told("check", folder)[0] == 0


@pytest.mark.parametrize("command", ["check", "migrate", "run"])
def test_a_changed_a_missing_and_a_late_file_are_said_by_each_command(folder: Path, command: str) -> None:
    write(folder, "0003_more.sql", "CREATE TABLE more (x INTEGER);")
    write(folder, "0004_lost.sql", "CREATE TABLE lost (x INTEGER);")
    assert told("migrate", folder)[0] == 0
    write(folder, "0001_orders.sql", f"{ORDERS} -- changed")
    write(folder, "0002_late.sql", "CREATE TABLE late (x INTEGER);")
    (folder / "tables" / "0004_lost.sql").unlink()
    code, output = told(command, folder)
    assert code == 78
    for reason in (
        "0001_orders.sql changed after",
        "0002_late.sql comes before 0004_lost.sql",
        "0004_lost.sql was applied",
    ):
        assert f"storage.migrations: {reason}" in output


@pytest.mark.parametrize("command", ["migrate", "run"])
def test_a_migration_that_fails_says_which_and_why(folder: Path, command: str) -> None:
    write(folder, "0002_bad.sql", "CREATE TABLE orders (x INTEGER);")
    code, output = told(command, folder)
    assert code == 78
    assert "storage.migrations: 0002_bad.sql: " in output
    assert "already exists" in output


def test_a_folder_that_is_not_there_is_said_before_there_is_a_database(folder: Path) -> None:
    (folder / "tables" / "0001_orders.sql").unlink()
    (folder / "tables").rmdir()
    code, output = told("check", folder)
    assert code == 78
    assert "tables cannot be read: No such file or directory" in output


async def test_an_application_reads_the_tables_of_its_bot(aiohttp_client: AiohttpClient, folder: Path) -> None:
    embedding = create_app(folder / "threadbridge.toml")
    await aiohttp_client(embedding)
    assert await embedding[BRIDGE].fetch("SELECT count(*) AS n FROM orders WHERE no > ?", 0) == [(0,)]
    with pytest.raises(HandlerError):
        await embedding[BRIDGE].fetch("DELETE FROM orders")


def test_a_demo_has_the_tables_too(folder: Path) -> None:
    made = demo_config(8080, folder / "threadbridge.toml")
    assert (made.storage.migrations, made.folder) == ("tables", folder)


def test_a_file_of_an_older_schema_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "threadbridge.toml").write_text('[accounts.demo]\nprovider = "playground"\n', "utf-8")
    with closing(sqlite3.connect(tmp_path / "threadbridge.db")) as db:
        for step in MIGRATIONS[:13]:
            db.executescript(step)
        db.executescript(f"PRAGMA user_version = 13; PRAGMA application_id = {APPLICATION_ID}")
    (tmp_path / "tables").mkdir()
    write(tmp_path, "0001_orders.sql", ORDERS)
    text = '[storage]\nmigrations = "tables"\n[accounts.demo]\nprovider = "playground"\n'
    (tmp_path / "threadbridge.toml").write_text(text, "utf-8")
    assert told("check", tmp_path)[0] == 0
    assert told("migrate", tmp_path)[0] == 0


async def test_a_bridge_that_cannot_start_lets_go_of_its_store(folder: Path) -> None:
    write(folder, "0002_bad.sql", "nonsense")
    assert (await asyncio.to_thread(told, "migrate", folder))[0] == 78
    (folder / "tables" / "0002_bad.sql").unlink()
    assert (await asyncio.to_thread(told, "migrate", folder))[0] == 0


def test_a_copy_leaves_them_out_says_so_and_gets_them_anew(tmp_path: Path) -> None:
    text = '[storage]\nurl = "sqlite:///{}.db"\nmigrations = "tables"\n[accounts.demo]\nprovider = "playground"\n'
    (tmp_path / "tables").mkdir()
    write(tmp_path, "0001_orders.sql", f"{ORDERS} INSERT INTO orders VALUES (7);")
    (tmp_path / "threadbridge.toml").write_text(text.format("first"), "utf-8")
    assert told("migrate", tmp_path)[0] == 0
    source, target = (f"sqlite:///{tmp_path}/{name}.db" for name in ("first", "second"))
    result = CliRunner().invoke(app, ["copy", "--from", source, "--to", target])
    assert result.exit_code == 0, result.output
    assert "the bot's own tables are not copied" in result.output
    (tmp_path / "threadbridge.toml").write_text(text.format("second"), "utf-8")
    for command in ("check", "migrate", "check"):
        assert told(command, tmp_path)[0] == 0
    with closing(sqlite3.connect(tmp_path / "second.db")) as db:
        assert db.execute("SELECT no FROM orders").fetchall() == [(7,)]
