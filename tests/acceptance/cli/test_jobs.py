"""`threadbridge jobs`: what there is, and a run by hand, beside a running bridge and without one."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import structlog
from typer.testing import CliRunner

from bridge.app.http import BRIDGE, create_app
from bridge.cli import app
from bridge.events import ThreadRef
from bridge.store.opening import open_reader
from bridge.web.server import runner_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from typer.testing import Result

    from bridge.app.bridge import Bridge

BOT = """
from bridge import Job, Router, Turn

router = Router("shop")

@router.every("09:00", tz="Asia/Jakarta", name="report")
async def report(turn: Turn[Job]) -> None:
    turn.send("ann", "nothing sold")

@router.cron("0 9 * * 1", missed="skip")
async def weekly(turn: Turn[Job]) -> None:
    turn.send("ann", "nothing sold all week")
"""


@dataclass
class Shop:
    folder: Path

    def call(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["jobs", *arguments, "-c", str(self.folder / "threadbridge.toml")])

    async def said(self) -> list[str]:
        store = await open_reader(f"sqlite:///{self.folder}/threadbridge.db")
        try:
            thread_id = await store.find_thread(ThreadRef("demo", "playground", "console", "ann"))
            history = await store.history(thread_id) if thread_id is not None else []
            return [json.loads(entry.content)["text"] for entry in history]
        finally:
            await store.close()


@pytest.fixture
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Shop:
    module = f"jobs_of_{request.node.name}"
    (tmp_path / f"{module}.py").write_text(BOT, "utf-8")
    text = f'[accounts.demo]\nprovider = "playground"\n[handlers]\nload = ["{module}"]\n'
    (tmp_path / "threadbridge.toml").write_text(text, "utf-8")
    return Shop(tmp_path)


@pytest.fixture
async def running(shop: Shop) -> AsyncIterator[Bridge]:
    made = create_app(shop.folder / "threadbridge.toml")
    runner = runner_of(made)
    await runner.setup()
    with structlog.testing.capture_logs():
        yield made[BRIDGE]
    await runner.cleanup()


async def test_a_running_bridge_runs_a_job_at_once(shop: Shop, running: Bridge) -> None:
    result = await asyncio.to_thread(shop.call, "run", "report")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "report: runs\n", "")
    result = await asyncio.to_thread(shop.call, "run", "weekly")
    assert (result.exit_code, result.stdout.endswith(":weekly: runs\n")) == (0, True)
    await running.settle()
    assert await shop.said() == ["nothing sold", "nothing sold all week"]
    rows = json.loads((await asyncio.to_thread(shop.call, "list", "--json")).stdout)
    assert [(row["name"].rpartition(":")[2], row["times"], row["missed"]) for row in rows] == [
        ("report", "09:00 Asia/Jakarta", "latest"),
        ("weekly", "cron 0 9 * * 1 UTC", "skip"),
    ]
    assert all(row["next"] > row["gone_through"] for row in rows)


def test_without_a_running_bridge_it_runs_at_the_next_start(shop: Shop) -> None:
    assert [row["gone_through"] for row in json.loads(shop.call("list", "--json").stdout)] == [None, None]
    assert shop.call("run", "report").stdout == "report: to run at the next start\n"

    async def start() -> None:
        made = create_app(shop.folder / "threadbridge.toml")
        runner = runner_of(made)
        await runner.setup()
        await made[BRIDGE].settle()
        await runner.cleanup()

    asyncio.run(start())
    assert asyncio.run(shop.said()) == ["nothing sold"]


def test_a_job_that_is_none_is_told(shop: Shop) -> None:
    result = shop.call("run", "yearly")
    assert (result.exit_code, "there is no such job" in result.stderr) == (1, True)
