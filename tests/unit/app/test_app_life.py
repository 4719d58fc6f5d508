"""The life of a bridge: how it starts, drains and stops, and what outlives it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import orjson
import pytest
from aiohttp import ClientSession, web

from bridge.app.http import BRIDGE, create_app
from bridge.app.serve import Process
from bridge.emulation.server import EmulatorServer
from bridge.errors import ConfigError, StoreInUse, Unavailable
from bridge.events import ThreadRef
from bridge.routing.router import Router
from tests.support.whole_bridges import (
    JSON,
    SHOP,
    SHOP_HOOK,
    accounts,
    body,
    configuration,
    emulators,
    konnek_text,
    served,
    silent,
)

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.conversation.turn import Turn


def parrot() -> Router:
    router = Router("parrot")

    @router.message()
    async def say(turn: Turn) -> str:
        return f"heard {turn.event.text}"  # type: ignore[attr-defined] # a message has a text

    return router


async def test_a_store_belongs_to_one_bridge(tmp_path: Path) -> None:
    async with served(configuration(tmp_path)) as first:
        with pytest.raises(StoreInUse):
            async with served(configuration(tmp_path)):
                pass
        assert first.bridge.ready


async def test_a_stop_leaves_no_task_behind(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with served(configuration(tmp_path)) as door, ClientSession() as session:
        url = f"http://127.0.0.1:{door.port}{SHOP_HOOK}"
        await session.post(url, data=body(konnek_text()), headers={**JSON, **SHOP})
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before


async def test_a_stop_lets_the_turn_that_runs_finish_and_its_reply_leave(tmp_path: Path) -> None:
    running, router = asyncio.Event(), Router()

    @router.default()
    async def slow(turn: Turn) -> str:
        del turn
        running.set()
        await asyncio.sleep(0.05)
        return "finished"

    konnek, _ = emulators()
    async with EmulatorServer(konnek) as gateway, ClientSession() as session:
        config = configuration(tmp_path, accounts=accounts(gateway.url))
        async with served(config, router) as door:
            url = f"http://127.0.0.1:{door.port}{SHOP_HOOK}"
            await session.post(url, data=body(konnek_text()), headers={**JSON, **SHOP})
            await running.wait()
        async with served(config, router) as door:
            await door.bridge.settle()
    assert [seen.text for seen in konnek.seen] == ["finished"]


async def test_what_was_taken_and_not_handled_is_handled_after_the_next_start(tmp_path: Path) -> None:
    """Acknowledged is stored: here the first bridge never gets to any turn."""
    async with served(configuration(tmp_path)) as door, ClientSession() as session:
        door.bridge.parts.dispatcher.lanes._running = False
        url = f"http://127.0.0.1:{door.port}{SHOP_HOOK}"
        async with session.post(url, data=body(konnek_text()), headers={**JSON, **SHOP}) as answer:
            assert answer.status == 200
    konnek, _ = emulators()
    async with (
        EmulatorServer(konnek) as gateway,
        served(configuration(tmp_path, accounts=accounts(gateway.url)), parrot()) as door,
    ):
        await door.bridge.settle()
    assert [seen.text for seen in konnek.seen] == ["heard hi"]


async def test_what_cannot_be_configured_does_not_start() -> None:
    with pytest.raises(ConfigError):
        create_app({"accounts": {"shop": {"provider": "pigeon"}}})


@pytest.mark.slow
async def test_a_stop_gives_turns_and_deliveries_the_same_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.app.parts.DRAIN_SECONDS", 2.0)
    router, hanging = Router("slow"), asyncio.Event()

    @router.message(text="hang")
    async def hang(turn: Turn) -> None:
        del turn
        hanging.set()
        await asyncio.Event().wait()

    @router.default()
    async def say(turn: Turn) -> str:
        del turn
        return "said"

    async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        sent = orjson.loads(await reader.readexactly(int(length)))
        called.set()
        await stopping.wait()
        told = {"meta": {"status": True, "code": 200}, "data": {"message_id": sent["id"], "status": 0}}
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body(told)) + body(told))
        await writer.drain()
        writer.close()

    called, stopping = asyncio.Event(), asyncio.Event()
    server = await asyncio.start_server(answer_late, "127.0.0.1", 0)
    late_one = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    config = configuration(tmp_path, accounts=accounts(konnek=late_one))
    config["accounts"]["shop"]["at_most_once"] = True
    bridge = create_app(config, router=router)[BRIDGE]
    await bridge.start()
    shop = bridge.config.accounts["shop"]
    for key, text, who in (("1", "hang", "ann"), ("2", "hi", "bob")):
        await bridge.webhooks.accept(shop, body(konnek_text(key, text, who)), "whatsapp")
    await asyncio.wait_for(hanging.wait(), 30)
    await asyncio.wait_for(called.wait(), 30)
    left: list[float] = []
    stop = bridge.parts.delivery.stop

    async def noted(seconds: float) -> None:
        left.append(seconds)
        stopping.set()
        await stop(seconds)

    bridge.parts.delivery.stop = noted  # type: ignore[method-assign] # to see what is left of the seconds
    await bridge.stop()
    assert len(left) == 1
    assert left[0] > 0.5, "the turn that hangs takes them side by side"
    server.close()
    again = create_app(configuration(tmp_path), router=silent())[BRIDGE]
    await again.start()
    thread_id = await again.store.find_thread(ThreadRef("shop", "konnek", "whatsapp", "bob"))
    assert thread_id is not None
    said = [entry.state for entry in await again.store.history(thread_id) if entry.direction == "out"]
    await again.stop()
    assert said == ["sent"]


async def test_a_signal_while_it_starts_is_heard(tmp_path: Path) -> None:
    app = create_app(configuration(tmp_path), router=silent())
    loop = asyncio.get_running_loop()
    process = Process(app[BRIDGE], web.AppRunner(app), None)
    app[BRIDGE].ready = True
    process.watch_signals()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(process.ending, 30)
        assert not app[BRIDGE].ready, "it takes nothing new"
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        loop.remove_signal_handler(signal.SIGINT)


async def test_a_start_that_fails_lets_go_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: object) -> None:
        raise Unavailable("not now")

    with monkeypatch.context() as patch:
        patch.setattr("bridge.engine.turns.dispatcher.Dispatcher.start", fail)
        with pytest.raises(Unavailable):
            await create_app(configuration(tmp_path), router=silent())[BRIDGE].start()
    again = create_app(configuration(tmp_path), router=silent())[BRIDGE]
    await again.start()
    await again.stop()
