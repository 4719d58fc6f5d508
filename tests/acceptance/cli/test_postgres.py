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
from bridge.testing.contract.store.desk import AT, Desk, arrival, given_up, riddle, sent
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


BOT = """
from bridge import Router
router = Router("bot")
@router.default()
def answer(turn):
    return {answer!r}
"""


async def _answered(url: str) -> Store:
    desk = await Desk(url).open()
    first, second = await desk.hear("00112233445566ff/wamid.1", "00112233445566ff/wamid.2")
    (message,) = await desk.turn(first, "ok")
    await desk.store.settle_delivery(sent(message, "m-1"))
    await desk.store.settle_turn(given_up(second, "given up after 5 tries: ValueError: no"))
    return desk.store


def test_what_happened_is_found_out_beside_a_process(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, answer in (("pg_bot", "ok"), ("other_pg_bot", "fine")):
        (tmp_path / f"{name}.py").write_text(BOT.format(answer=answer), "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    file.write_text(f'{file.read_text("utf-8")}[handlers]\nload = ["pg_bot"]\n', "utf-8")
    url = file.read_text("utf-8").split('"')[1]
    with asyncio.Runner() as loop:
        store = loop.run(_answered(f"{url}&durability=relaxed" if "?" in url else f"{url}?durability=relaxed"))
        code, said = command(file, "trace", "wamid.1")
        assert [line.split("\t")[2] for line in said.splitlines()] == ["stored", "turn", "planned", "tried", "sent"]
        assert command(file, "trace", "m-1") == (code, said) == (0, said)
        rows = json.loads(command(file, "doctor", "--json")[1])
        assert [row["subject"] for row in rows if row["level"] == "warning"] == ["account shop"]
        process = next(row["about"] for row in rows if row["subject"] == "process")
        assert process.startswith(f"{os.getpid()} on ")
        code, said = command(file, "replay", "--since", "2025-01-01", "--handlers", "other_pg_bot", "--json")
        assert [
            (row["change"], json.loads(row["what"])["text"]) for row in json.loads(said) if row["change"] in "-+"
        ] == [
            ("-", "ok"),
            ("+", "fine"),
            ("+", "fine"),
        ]
        assert "In production the turn failed: ValueError" in command(file, "capture", "in-2")[1]
        loop.run(store.close())
