"""`threadbridge copy`: what it prints, what it refuses, and with which exit code."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from typer.testing import CliRunner

from bridge.cli import app, copy
from bridge.store.copying import Progress
from bridge.store.opening import open_store
from bridge.testing.contract.store.desk import arrival
from storage.postgres import process
from storage.sqlite.copying import SqliteCopyTarget
from tests.support.postgres import empty_store
from tests.support.stored_rows import contents

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from bridge.store.copying import Table

CONFIG: Final = '[accounts.shop]\nprovider = "playground"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose store has a conversation."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(process, "PATIENCE", 0.0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "threadbridge.toml").write_text(CONFIG, "utf-8")

    async def fill() -> None:
        store = await open_store(f"sqlite:///{tmp_path}/threadbridge.db")
        await store.receive([arrival("1"), arrival("2", "bob")])
        await store.close()

    asyncio.run(fill())
    return tmp_path


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["copy", *arguments])


def test_a_copy_tells_what_it_copied_and_what_comes_next(folder: Path) -> None:
    result = command("--from", "sqlite:///threadbridge.db", "--to", "sqlite:///moved.db")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines[:2]] == [["threads", "2"], ["inbox", "2"]]
    assert re.fullmatch(r"ok: 4 rows copied and compared in [0-9.]+ s", lines[-2])
    assert lines[-1].startswith(f'next: url = "sqlite:///{folder}/moved.db" in [storage]')
    assert contents(f"sqlite:///{folder}/moved.db") == contents(f"sqlite:///{folder}/threadbridge.db")


def test_the_configured_store_is_the_source_unless_another_is_named(folder: Path) -> None:
    url = empty_store()
    assert command("--to", url, "-c", str(folder / "threadbridge.toml")).exit_code == 0
    assert contents(url) == contents(f"sqlite:///{folder}/threadbridge.db")


def test_an_interrupted_copy_is_refused_by_run_and_finished_by_the_same_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(self: SqliteCopyTarget, table: Table, rows: Any) -> None:
        del self, table, rows
        raise KeyboardInterrupt

    arguments = ("--from", "sqlite:///threadbridge.db", "--to", "sqlite:///moved.db")
    with monkeypatch.context() as interrupting:
        interrupting.setattr(SqliteCopyTarget, "write", interrupted)
        result = command(*arguments)
    assert (result.exit_code, result.stderr) == (130, "interrupted: the same command continues the copy\n")
    (folder / "threadbridge.toml").write_text(f'[storage]\nurl = "sqlite:///moved.db"\n{CONFIG}', "utf-8")
    for other in ("run", "threads", "migrate"):
        refused = CliRunner().invoke(app, [other])
        assert refused.exit_code == 78, refused.output
        assert "unfinished copy of sqlite:///" in refused.stderr
        assert "finish it with the same `threadbridge copy` command" in refused.stderr
    assert command(*arguments).exit_code == 0
    assert CliRunner().invoke(app, ["threads"]).exit_code == 0


@pytest.mark.parametrize(
    ("source", "target", "code", "reason"),
    [
        ("threadbridge.db", "threadbridge.db", 1, "the same store"),
        ("nothing.db", "moved.db", 1, "there is no store at"),
        ("threadbridge.db", "", 78, "--to: storage.url"),
        ("", "moved.db", 78, "--from: storage.url"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_copied_is_refused_in_words(source: str, target: str, code: int, reason: str) -> None:
    result = command("--from", f"sqlite:///{source}", "--to", f"sqlite:///{target}")
    assert result.exit_code == code
    assert reason in result.stderr
    assert not result.stdout


@pytest.mark.parametrize("used", ["threadbridge.db", "moved.db"])
def test_a_store_in_use_is_refused_with_who_uses_it(folder: Path, used: str) -> None:
    with asyncio.Runner() as loop:
        store = loop.run(open_store(f"sqlite:///{folder}/{used}"))
        result = command("--from", "sqlite:///threadbridge.db", "--to", "sqlite:///moved.db")
        loop.run(store.close())
    assert result.exit_code == 73
    assert re.search(rf"{used} is in use by process [0-9]+; stop it first", result.stderr)


def test_a_password_in_a_url_is_refused_and_not_repeated(folder: Path) -> None:
    result = command("--from", f"sqlite:///{folder}/threadbridge.db", "--to", "postgresql://bot:secret@db/bot")
    assert result.exit_code == 78
    assert "PGPASSWORD" in result.stderr
    assert "secret" not in result.output


def test_one_account_moves_and_its_rows_stay_or_leave(folder: Path) -> None:
    arguments = ("--from", "sqlite:///threadbridge.db", "--account", "shop")
    stays = command(*arguments, "--to", "sqlite:///moved.db")
    assert "never from the source, which has its rows still" in stays.stdout
    assert len(contents(f"sqlite:///{folder}/threadbridge.db")["inbox"]) == 2
    again = command(*arguments, "--to", "sqlite:///moved.db", "--remove")
    assert (again.exit_code, "has rows of the account shop already" in again.stderr) == (1, True)
    leaves = command(*arguments, "--to", "sqlite:///other.db", "--remove")
    assert "never from the source, where none of its rows is left" in leaves.stdout
    assert not any(contents(f"sqlite:///{folder}/threadbridge.db").values())


@pytest.mark.usefixtures("folder")
def test_rows_are_removed_only_of_an_account() -> None:
    result = command("--from", "sqlite:///threadbridge.db", "--to", "sqlite:///moved.db", "--remove")
    assert result.exit_code == 2
    assert "goes with --account" in result.stderr


def test_a_script_hears_of_the_progress_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    lines = copy.Lines(every=0.0)
    lines.tell(Progress("inbox", 50, 200))
    assert capsys.readouterr().err == "25 percent: inbox\n"


def test_commands_go_through_all_databases_of_a_configuration(folder: Path) -> None:
    shards = '[storage.shards]\nshop = "sqlite:///shop.db"\n'
    (folder / "threadbridge.toml").write_text(f'{shards}{CONFIG}[accounts.desk]\nprovider = "playground"\n', "utf-8")
    migrated = CliRunner().invoke(app, ["migrate"])
    assert [line.split("/")[-1] for line in migrated.stdout.splitlines()] == [
        "shop.db is up to date",
        "threadbridge.db is up to date",
    ]
    looked = CliRunner().invoke(app, ["threads"])
    assert f"other accounts are in sqlite:///{folder}/shop.db: --store URL" in looked.stderr
    (folder / "shop.db").unlink()
    (folder / "shop.db").mkdir()
    checked = CliRunner().invoke(app, ["check"])
    assert (checked.exit_code, "shop.db is not a file" in checked.stdout) == (78, True)
