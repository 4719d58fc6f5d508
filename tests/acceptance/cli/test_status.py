"""`threadbridge status`: what waits at each account, beside a running bridge and without one."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.errors import Unavailable
from bridge.store.opening import open_store
from bridge.testing.contract.store.desk import AT, arrival, riddle
from bridge.web.control import start_control
from bridge.web.control_protocol import socket_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from typer.testing import Result

CONFIGURATION = """
[accounts.shop]
provider = "konnek"
base_url = "https://konnek.example"
client_id = "c-1"
channels = ["whatsapp"]
username = "env:NOT_SET"
password = "env:NOT_SET_EITHER"
[accounts.quiet]
provider = "playground"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose store has two events that wait and one dead letter; its secrets are elsewhere."""
    (tmp_path / "threadbridge.toml").write_text(CONFIGURATION, "utf-8")
    asyncio.run(_fill(tmp_path / "threadbridge.db"))
    return tmp_path


async def _fill(database: Path) -> None:
    store = await open_store(f"sqlite:///{database}")
    await store.receive([arrival("1"), arrival("2", "bob", received_at=AT + 60_000_000), riddle("?")])
    await store.close()


def status(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["status", "-c", str(folder / "threadbridge.toml"), *options])


@asynccontextmanager
async def answering(folder: Path, answer: dict[str, object]) -> AsyncIterator[None]:
    """A process that answers so."""

    async def told() -> dict[str, object]:
        if not answer:
            raise Unavailable("it is stopping")
        return answer

    runner = await start_control(socket_path(folder / "threadbridge.db"), None, None, told)  # type: ignore[arg-type] # not asked
    try:
        yield
    finally:
        await runner.cleanup()


def test_without_a_running_bridge_the_store_tells_what_waits(folder: Path) -> None:
    result = status(folder)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "no bridge runs",
        "quiet\t\t0\t0\t\t0\t",
        "shop\t2026-01-01T12:01:00Z\t2\t0\t2026-01-01T12:00:00Z\t1\t",
    ]


async def test_a_running_bridge_tells_whether_it_is_ready_and_what_is_paused(folder: Path) -> None:
    answer: dict[str, object] = {
        "pid": 7,
        "ready": False,
        "accounts": {"shop": "no connection"},
        "handlers": {"bot:start": "ValueError at bot.py:7"},
    }
    async with answering(folder, answer):
        result = await asyncio.to_thread(status, folder, "--json")
        lines = (await asyncio.to_thread(status, folder)).stdout.splitlines()
    told = json.loads(result.stdout)
    assert told["process"] == answer
    assert [(row["account"], row["paused"], row["reason"]) for row in told["accounts"]] == [
        ("quiet", False, None),
        ("shop", True, "no connection"),
    ]
    assert lines[0].startswith("process 7: not ready")
    assert lines[1] == "handler bot:start is paused: ValueError at bot.py:7"
    assert lines[3].endswith("\t1\tno connection")


async def test_a_process_that_cannot_be_asked_hides_no_account(folder: Path) -> None:
    async with answering(folder, {}):
        result = await asyncio.to_thread(status, folder)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "a bridge may run: the running bridge did not answer (409)"
    assert len(result.stdout.splitlines()) == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may ask everybody")
async def test_another_users_bridge_hides_no_account(folder: Path) -> None:
    async with answering(folder, {"pid": 7, "ready": True, "accounts": {}, "handlers": {}}):
        socket_path(folder / "threadbridge.db").chmod(0)
        result = await asyncio.to_thread(status, folder)
    assert result.stdout.splitlines()[0] == "a bridge may run: Permission denied"


def test_before_the_first_start_nothing_waits(tmp_path: Path) -> None:
    (tmp_path / "threadbridge.toml").write_text(CONFIGURATION, "utf-8")
    result = status(tmp_path)
    assert result.exit_code == 0
    assert result.stderr.startswith("no store yet")
    assert [line.partition("\t")[0] for line in result.stdout.splitlines()] == ["no bridge runs", "quiet", "shop"]
