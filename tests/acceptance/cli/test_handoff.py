"""`threadbridge handoff`, `return` and `threads --held`: beside a running bridge, and without one."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from typer.testing import CliRunner

from bridge.app.http import BRIDGE, create_app
from bridge.cli import app
from bridge.events import Contact, Message, ThreadRef, encode_event
from bridge.routing.router import Router
from bridge.store.lifecycle import InboxState
from bridge.store.opening import open_store
from bridge.store.records import Arrival
from bridge.web.control import start_control
from bridge.web.control_protocol import socket_path
from bridge.web.server import runner_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from typer.testing import Result

    from bridge.app.bridge import Bridge

AT = 1_760_086_800_000_000
NOBODY = "there is no conversation of that id"


@dataclass
class Shop:
    """A project with two conversations, 1 and 2."""

    folder: Path

    def call(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "-c", str(self.folder / "threadbridge.toml")])

    def held(self) -> list[tuple[int, str | None, int]]:
        rows: list[dict[str, Any]] = json.loads(self.call("threads", "--held", "--json").stdout)
        return [(row["id"], row["note"], row["kept_events"]) for row in rows]

    async def fill(self) -> None:
        store = await open_store(f"sqlite:///{self.folder}/threadbridge.db")
        for who in ("ann", "bob"):
            event = Message(id=who, contact=Contact(id=who), at=datetime.fromtimestamp(0, UTC), text="hello")
            said = Arrival(
                account="demo",
                key=who,
                ref=ThreadRef("demo", "playground", "console", who),
                event=event,
                encoded=encode_event(event),
                raw=b"{}",
                state=InboxState.DONE,
                received_at=AT,
            )
            await store.receive([said])
        await store.close()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    (tmp_path / "threadbridge.toml").write_text('[accounts.demo]\nprovider = "playground"\n', "utf-8")
    made = Shop(tmp_path)
    asyncio.run(made.fill())
    return made


@pytest.fixture
async def running(shop: Shop) -> AsyncIterator[Bridge]:
    """A whole bridge in this process, with its control socket; commands run in threads beside it.

    What it logs is no line of theirs, though their standard output is this process's for a while.
    """
    config = {
        "storage": {"url": f"sqlite:///{shop.folder}/threadbridge.db"},
        "accounts": {"demo": {"provider": "playground"}},
    }
    made = create_app(config, router=Router())
    runner = runner_of(made)
    await runner.setup()
    bridge = made[BRIDGE]
    control = await start_control(
        socket_path(shop.folder / "threadbridge.db"), bridge.parts.letters, bridge.parts.handoffs
    )
    with structlog.testing.capture_logs():
        yield bridge
    await control.cleanup()
    await runner.cleanup()


async def test_a_running_bridge_hands_a_conversation_over_and_takes_it_back(shop: Shop, running: Bridge) -> None:
    result = await asyncio.to_thread(shop.call, "handoff", "2", "--note", "wants a person — now")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "2: with a person\n", "")
    await running.settle()
    assert await asyncio.to_thread(shop.held) == [(2, "wants a person — now", 0)]
    result = await asyncio.to_thread(shop.call, "return", "2")
    assert (result.exit_code, result.stdout) == (0, "2: returned to the bot\n")
    await running.settle()
    assert await asyncio.to_thread(shop.held) == []


def test_without_a_running_bridge_it_is_noted_for_the_next_start(shop: Shop) -> None:
    assert shop.call("handoff", "1", "--note", "later").stdout == "1: with a person\n"
    rows = json.loads(shop.call("threads", "--json").stdout)
    assert {row["id"]: (row["held"], row["open_events"]) for row in rows} == {1: (None, 1), 2: (None, 0)}

    async def start() -> None:
        runner = runner_of(create_app(shop.folder / "threadbridge.toml", router=Router()))
        await runner.setup()
        await runner.cleanup()

    asyncio.run(start())
    assert shop.held() == [(1, "later", 0)]
    assert shop.call("threads", "--held").stdout.split("\t")[:8] == [
        *["1", "demo", "console", "ann", "ann"],
        "",
        "held",
        "later",
    ]


@pytest.mark.parametrize("odd", ["3", "0", "x", "1.5", "9" * 40, "1/2", ""])
@pytest.mark.parametrize("command", ["handoff", "return"])
def test_an_id_that_is_none_is_told_without_a_bridge(shop: Shop, command: str, odd: str) -> None:
    result = shop.call(command, odd)
    assert (result.exit_code, result.stderr) == (1, f"{odd}: {NOBODY}\n")


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("odd", ["3", "x", "1/2", "\u0663"])
async def test_an_id_that_is_none_is_told_by_a_running_bridge(shop: Shop, odd: str) -> None:
    for command in ("handoff", "return"):
        result = await asyncio.to_thread(shop.call, command, odd)
        assert (result.exit_code, result.stderr) == (1, f"{odd}: {NOBODY}\n")


@pytest.mark.usefixtures("running")
async def test_a_store_held_by_a_bridge_that_does_not_listen_is_left_alone(shop: Shop) -> None:
    socket_path(shop.folder / "threadbridge.db").unlink()
    result = await asyncio.to_thread(shop.call, "handoff", "1")
    assert result.exit_code == 73


def test_before_the_first_run_nobody_has_a_conversation(tmp_path: Path) -> None:
    (tmp_path / "threadbridge.toml").write_text('[accounts.demo]\nprovider = "playground"\n', "utf-8")
    result = Shop(tmp_path).call("handoff", "1")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (1, f"1: {NOBODY}")
    assert not (tmp_path / "threadbridge.db").exists()
