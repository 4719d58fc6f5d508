"""The commands on a store in PostgreSQL: before it is made, made, and looked into while its owner lives."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.events import Merged, Message, Unmerged
from bridge.store.opening import open_store
from bridge.store.people.identities import encode_identities
from bridge.testing.contract.store.desk import AT, Desk, arrival, riddle
from tests.support.postgres import new_database, plain

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.store.port import Store


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    url = plain(new_database("commands"))
    storage = f'[storage]\nurl = "{url}"\ndurability = "relaxed"\n'
    path = tmp_path / "threadbridge.toml"
    path.write_text(f'{storage}[accounts.shop]\nprovider = "playground"\n', "utf-8")
    return path


def command(file: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments, "-c", str(file)])
    return result.exit_code, result.stdout


async def _owned(url: str) -> Store:
    store = await open_store(url)
    await store.receive([arrival("1", received_at=AT), riddle("?")])
    return store


def test_commands_make_the_store_and_look_into_it_and_change_it_beside_a_process(file: Path) -> None:
    code, said = command(file, "check")
    assert code == 0
    assert "storage.url: warning: there is no store in this database yet" in said
    code, said = command(file, "migrate")
    assert (code, said.splitlines()[-1]) == (0, "ok: the store is up to date")
    assert "warning" not in command(file, "check")[1]
    url = file.read_text("utf-8").split('"')[1]
    with asyncio.Runner() as loop:
        store = loop.run(_owned(f"{url}&durability=relaxed" if "?" in url else f"{url}?durability=relaxed"))
        (thread,) = json.loads(command(file, "threads", "--json")[1])
        assert thread["open_events"] == 1
        (letter,) = json.loads(command(file, "dead", "list", "--json")[1])
        assert letter["state"] == "quarantined"
        status = json.loads(command(file, "status", "--json")[1])
        assert [(account["account"], account["dead"]) for account in status["accounts"]] == [("shop", 1)]
        assert [name.partition(" on ")[0] for name in status["process"]["processes"]] == [str(os.getpid())]
        assert f"process {os.getpid()} on " in command(file, "status")[1]
        assert command(file, "migrate")[0] == 0
        assert command(file, "dead", "drop", letter["id"])[0] == 0
        loop.run(store.close())
    assert json.loads(command(file, "dead", "list", "--json")[1]) == []


def test_contacts_are_merged_beside_a_process_and_its_threads_hear_of_it(file: Path) -> None:
    assert command(file, "migrate")[0] == 0
    url = file.read_text("utf-8").split('"')[1]

    async def heard(desk: Desk) -> list[list[type]]:
        threads = await desk.store.threads()
        return [[type(row.event) for row in await desk.events(thread.id)] for thread in threads]

    with asyncio.Runner() as loop:
        desk = loop.run(Desk(f"{url}&durability=relaxed" if "?" in url else f"{url}?durability=relaxed").open())
        for name in ("ann", "bob"):
            loop.run(desk.receive(arrival(name, name, identities=encode_identities([("username", f"line:{name}")]))))
        first, second = sorted(person["id"] for person in json.loads(command(file, "contacts", "list", "--json")[1]))
        code, said = command(file, "contacts", "merge", str(first), str(second))
        assert (code, said.splitlines()[-1]) == (0, f"{second}: one person with {first}")
        assert json.loads(command(file, "contacts", "show", "line:bob", "--json")[1])["merged"] == [second]
        assert loop.run(heard(desk)) == [[Message, Merged]] * 2
        assert command(file, "contacts", "unmerge", str(second))[0] == 0
        assert loop.run(heard(desk)) == [[Message, Merged, Unmerged]] * 2
        assert len(json.loads(command(file, "contacts", "export", "line:ann")[1])["conversations"]) == 1
        loop.run(desk.store.close())


def test_a_database_that_is_not_there_is_a_problem(file: Path) -> None:
    file.write_text(file.read_text("utf-8").replace("/commands_", "/nothing_"), "utf-8")
    code, said = command(file, "check")
    assert code == 78
    assert "does not exist (3D000)" in said
