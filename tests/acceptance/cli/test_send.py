"""`threadbridge send`: through a running bridge, and without one."""

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
from bridge.routing.router import Router
from bridge.store.opening import open_reader
from bridge.web.server import runner_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from typer.testing import Result

    from bridge.app.bridge import Bridge

ANN = ThreadRef("demo", "playground", "console", "ann")


@dataclass
class Shop:
    folder: Path

    def call(self, *arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, ["send", *arguments, "-c", str(self.folder / "threadbridge.toml")], stdin)

    async def said(self) -> list[tuple[str, str]]:
        """Direction and state of all that was said to ann."""
        store = await open_reader(f"sqlite:///{self.folder}/threadbridge.db")
        try:
            thread_id = await store.find_thread(ANN)
            history = await store.history(thread_id) if thread_id is not None else []
            return [(json.loads(entry.content).get("text"), entry.state) for entry in history]
        finally:
            await store.close()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    (tmp_path / "threadbridge.toml").write_text('[accounts.demo]\nprovider = "playground"\n', "utf-8")
    return Shop(tmp_path)


@pytest.fixture
async def running(shop: Shop) -> AsyncIterator[Bridge]:
    made = create_app(shop.folder / "threadbridge.toml", router=Router())
    runner = runner_of(made)
    await runner.setup()
    with structlog.testing.capture_logs():
        yield made[BRIDGE]
    await runner.cleanup()


async def test_a_running_bridge_sends_at_once(shop: Shop, running: Bridge) -> None:
    result = await asyncio.to_thread(shop.call, "demo", "ann", "Your parcel is here.")
    assert (result.exit_code, result.stderr) == (0, "")
    name, _, done = result.stdout.strip().rpartition(": ")
    assert (name[:5], done) == ("send:", "accepted")
    await running.settle()
    assert await shop.said() == [("Your parcel is here.", "sent")]


async def test_under_a_key_it_sends_once(shop: Shop, running: Bridge) -> None:
    for text, code in (("one", 0), ("one", 0), ("two", 1)):
        result = await asyncio.to_thread(shop.call, "demo", "ann", text, "--key", "order 7", "--json")
        assert result.exit_code == code
    assert "order 7" in result.stderr
    await running.settle()
    assert await shop.said() == [("one", "sent")]


async def test_a_message_for_later_waits(shop: Shop, running: Bridge) -> None:
    message = json.dumps({"kind": "buttons", "text": "Well?", "buttons": [{"key": "y", "title": "Yes"}]})
    result = await asyncio.to_thread(shop.call, "demo", "ann", "--message", "-", stdin=message)
    assert result.exit_code == 0
    result = await asyncio.to_thread(shop.call, "demo", "ann", "later", "--at", "2126-01-01T09:00+07:00")
    assert result.exit_code == 0
    await running.settle()
    assert await shop.said() == [("Well?", "sent")]


def test_without_a_running_bridge_it_is_stored_for_the_next_start(shop: Shop) -> None:
    result = shop.call("demo", "ann", "hello")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(": stored; it leaves when the bridge runs\n")

    async def start() -> None:
        made = create_app(shop.folder / "threadbridge.toml", router=Router())
        runner = runner_of(made)
        await runner.setup()
        await made[BRIDGE].settle()
        await runner.cleanup()

    asyncio.run(start())
    assert asyncio.run(shop.said()) == [("hello", "sent")]


WRONG = [
    (["demo", "ann"], 2, "TEXT or --message"),
    (["demo", "ann", "x", "--message", "f.json"], 2, "TEXT or --message"),
    (["demo", "ann", "x", "--at", "tomorrow"], 2, "--at"),
    (["demo", "ann", "x", "--at", "2026-12-24T09:00"], 2, "time zone"),
    (["gone", "ann", "x"], 1, "the account gone is not configured"),
    (["demo", "ann", "x", "--channel", "fax"], 1, "the playground has one channel"),
    (["demo", "a" * 600, "x"], 1, "512 characters"),
    (["demo", "ann", "x", "--key", "k" * 201], 1, "a key to send under"),
    (["demo", "ann", "--message", "missing.json"], 78, "missing.json"),
]


@pytest.mark.parametrize(("arguments", "code", "reason"), WRONG)
def test_a_mistake_is_told_and_nothing_is_stored(shop: Shop, arguments: list[str], code: int, reason: str) -> None:
    result = shop.call(*arguments)
    assert result.exit_code == code
    assert reason in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.usefixtures("running")
async def test_a_running_bridge_tells_of_mistakes_too(shop: Shop) -> None:
    for arguments, code, reason in WRONG[4:8]:
        result = await asyncio.to_thread(shop.call, *arguments)
        assert (result.exit_code, reason in result.stderr) == (code, True)
