"""Whole bridges beside emulated gateways, time moved by hand: news asked for, refused accounts, unknown outcomes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from pydantic import SecretStr
from structlog.testing import capture_logs

from bridge.app.http import BRIDGE, create_app
from bridge.emulation.faults import Faults
from bridge.emulation.server import EmulatorServer
from bridge.providers.registry import emulator_type
from bridge.routing.router import Router
from bridge.web.server import runner_of
from tests.support.manual_clock import ManualClock
from tests.support.whole_bridges import SECRET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from bridge.app.bridge import Bridge
    from bridge.conversation.turn import Turn


@dataclass
class World:
    """One bridge, one gateway and the time."""

    bridge: Bridge
    gateway: Any
    server: EmulatorServer
    clock: ManualClock

    async def until(self, true: Callable[[], bool]) -> None:
        """What passes over real sockets takes real time, but not much."""
        async with asyncio.timeout(30):
            while not true():  # noqa: ASYNC110 - what is waited for happens in the gateway, too
                await asyncio.sleep(0.005)

    async def still(self) -> None:
        """Let everything that is due come to rest."""
        for _ in range(10):
            await asyncio.sleep(0.01)
            await self.bridge.settle()

    async def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.still()

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.gateway.seen]

    async def states(self) -> list[tuple[str, str, str]]:
        store = self.bridge.store
        (thread,) = await store.threads()
        return [(each.direction, each.state, each.status) for each in await store.history(thread.id)]


def parrot() -> Router:
    router = Router("parrot")

    @router.message()
    async def repeat(turn: Turn) -> str:
        return f"you said {turn.event.text}"  # type: ignore[attr-defined] # messages only

    return router


@asynccontextmanager
async def world(
    folder: Path,
    provider: str,
    *,
    clock: ManualClock | None = None,
    gateway: Any = None,
    drop: float = 0,
    **settings: Any,
) -> AsyncIterator[World]:
    clock = clock or ManualClock()
    gateway = gateway or emulator_type(provider)(clock.now, Random(3))
    inbound = {"auth": "path", "secret": SecretStr(SECRET)}
    if provider == "aelyst":
        inbound = {"auth": "hmac", "keys": [SecretStr(gateway.signing_key)]}
    async with EmulatorServer(gateway, faults=Faults(drop=drop)) as server:
        account = {
            "provider": provider,
            "base_url": server.url,
            **gateway.sample_settings,
            "inbound": inbound,
            **settings,
        }
        config = {"storage": {"url": f"sqlite:///{folder}/test.db"}, "accounts": {"shop": account}}
        app = create_app(config, router=parrot(), clock=clock)
        runner = runner_of(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            hook = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/shop"
            server._webhook = hook if provider == "aelyst" else f"{hook}/{SECRET}"
            yield World(app[BRIDGE], gateway, server, clock)
        finally:
            await runner.cleanup()


@pytest.mark.slow
async def test_a_group_without_a_relay_is_read_in_order_once_and_from_the_first_start_on(tmp_path: Path) -> None:
    clock = ManualClock()
    gateway: Any = emulator_type("relationlabs")(clock.now, Random(3))
    gateway.says("group", "ann", "long ago")
    group = gateway._channel_of("group", "ann")
    clock.advance(60)
    poll = {"poll": (f"group:{group}",), "poll_every": 15, "clock": clock, "gateway": gateway}
    async with world(tmp_path, "relationlabs", **poll) as here:
        await here.still()
        clock.advance(1)
        for number in range(60):
            gateway.says("group", "ann", str(number))
            clock.advance(0.001)
        gateway._say("ann", "TEXT", 7, channel="group")
        await here.later(15)
        await here.until(lambda: len(here.texts) == 60)
        await here.later(15)  # our own messages are listed too now
        await here.later(15)
        (letter,) = await here.bridge.store.dead_letters()
        assert "content" in letter.reason
        cursor = await here.bridge.store.cursor("shop", f"group:{group}")
        assert int(cursor or 0) > clock.now() - 31_000_000  # what is known is not read again and again
    async with world(tmp_path, "relationlabs", **poll) as here:
        gateway.says("group", "ann", "while you were away")
        await here.later(15)
        await here.until(lambda: len(here.texts) == 61)
        await here.later(60)
        assert here.texts == [*(f"you said {number}" for number in range(60)), "you said while you were away"]


async def test_what_is_read_and_not_understood_leaves_a_line_without_its_words(tmp_path: Path) -> None:
    clock = ManualClock()
    gateway: Any = emulator_type("relationlabs")(clock.now, Random(3))
    group = gateway._channel_of("group", "ann")
    poll = {"poll": (f"group:{group}",), "poll_every": 15, "clock": clock, "gateway": gateway}
    with capture_logs() as logs:
        async with world(tmp_path, "relationlabs", **poll) as here:
            await here.still()
            clock.advance(1)
            gateway._say("ann", "TEXT", 7, channel="group")
            await here.later(15)
            await here.still()
            assert len(await here.bridge.store.dead_letters()) == 1
    (line,) = [line for line in logs if line["event"] == "webhook_quarantined"]
    assert (line["account"], line["reason"]) == ("shop", "not understood; the dead letter has the reason")
    assert "peer" not in line


@pytest.mark.slow
async def test_a_gateway_that_cannot_be_asked_is_asked_less_and_less_and_nothing_is_lost(tmp_path: Path) -> None:
    clock = ManualClock()
    gateway: Any = emulator_type("relationlabs")(clock.now, Random(3))
    group = gateway._channel_of("group", "ann")
    poll = {"poll": (f"group:{group}",), "poll_every": 1, "clock": clock, "gateway": gateway}
    with capture_logs() as logs:
        async with world(tmp_path, "relationlabs", **poll) as here:
            await here.still()
            gateway.rate_limited = 6
            gateway.says("group", "ann", "hello")
            before = len(gateway.requests)
            for _ in range(20):
                await here.later(1)
            assert 3 <= len(gateway.requests) - before <= 7
            for _ in range(10):
                await here.later(20)
            await here.until(lambda: here.texts == ["you said hello"])
    assert [line["attempt"] for line in logs if line["event"] == "round_failed"] == [1, 2, 3, 4, 5, 6]


async def test_what_became_of_a_message_is_asked_where_no_webhook_tells(tmp_path: Path) -> None:
    async with world(tmp_path, "aelyst", poll_status=30, poll_status_for=3600) as here:
        assert await here.server.post(here.gateway.says("telegram", "4711", "hi")) == 200
        await here.until(lambda: here.texts == ["you said hi"])
        await here.later(30)
        assert (await here.states())[-1] == ("out", "sent", "")
        here.gateway.status(here.gateway.seen[0], "delivered")
        await here.later(30)
        assert (await here.states())[-1] == ("out", "sent", "delivered")
        asked = len(here.gateway.requests)
        await here.later(30)
        assert len(here.gateway.requests) == asked


async def test_the_fate_of_an_old_message_is_not_asked_after(tmp_path: Path) -> None:
    async with world(tmp_path, "aelyst", poll_status=30, poll_status_for=3600) as here:
        await here.server.post(here.gateway.says("telegram", "4711", "hi"))
        await here.until(lambda: here.texts == ["you said hi"])
        await here.later(3601)
        asked = len(here.gateway.requests)
        await here.later(60)
        assert len(here.gateway.requests) == asked


async def test_a_message_in_the_providers_queue_is_left_alone_for_a_minute(tmp_path: Path) -> None:
    async with world(tmp_path, "aelyst") as here:
        here.gateway.queue_next()
        await here.server.post(here.gateway.says("telegram", "4711", "hi"))
        await here.until(lambda: len(here.gateway.requests) == 1)
        await here.still()  # its answer is noted
        await here.later(59)
        assert len(here.gateway.requests) == 1
        await here.later(2)
        await here.until(lambda: here.texts == ["you said hi"])


@pytest.mark.slow
async def test_a_refused_account_keeps_its_messages_says_why_and_is_tried_by_one_of_them(tmp_path: Path) -> None:
    async with world(tmp_path, "ginalne") as here:
        here.gateway.pro_active = False
        await here.server.post(here.gateway.says("whatsapp", "+628111", "hi"))
        await here.until(lambda: len(here.gateway.requests) == 1)
        await here.still()
        for number in range(2, 6):
            await here.server.post(here.gateway.says("whatsapp", f"+62811{number}", "hi"))
        await here.still()
        assert len(here.gateway.requests) == 1
        assert any("401" in each.reason for each in await here.bridge.store.threads())
        await here.later(30)
        assert len(here.gateway.requests) == 2  # the probe
        here.gateway.pro_active = True
        await here.later(30)
        await here.later(30)
        await here.until(lambda: len(here.texts) == 5)
        assert len(here.gateway.requests) == 2 + 5


async def test_a_status_settles_an_unknown_outcome_before_the_message_is_repeated(tmp_path: Path) -> None:
    async with world(tmp_path, "konnek", drop=1.0, resolve_window=60) as here:
        await here.server.post(here.gateway.says("whatsapp", "ann", "hi"))
        await here.until(lambda: here.texts == ["you said hi"])
        await here.still()
        await here.later(50)
        await here.server.post(here.gateway.status(here.gateway.seen[0], "delivered"))
        await here.later(3600)
        assert here.texts == ["you said hi"]
        assert (await here.states())[-1] == ("out", "sent", "delivered")


async def test_a_message_behind_an_unknown_one_leaves_as_soon_as_that_is_settled(tmp_path: Path) -> None:
    async with world(tmp_path, "konnek", drop=1.0, resolve_window=600) as here:
        await here.server.post(here.gateway.says("whatsapp", "ann", "one"))
        await here.until(lambda: here.texts == ["you said one"])
        await here.server.post(here.gateway.says("whatsapp", "ann", "two"))
        await here.still()
        assert here.texts == ["you said one"]
        await here.server.post(here.gateway.status(here.gateway.seen[0], "sent"))
        await here.until(lambda: here.texts == ["you said one", "you said two"])


async def test_a_status_settles_an_unknown_outcome_after_a_restart_too(tmp_path: Path) -> None:
    async with world(tmp_path, "konnek", drop=1.0, resolve_window=600) as here:
        await here.server.post(here.gateway.says("whatsapp", "ann", "hi"))
        await here.until(lambda: here.texts == ["you said hi"])
        await here.still()
        clock, gateway = here.clock, here.gateway
    async with world(tmp_path, "konnek", clock=clock, gateway=gateway, resolve_window=600) as here:
        await here.later(60)
        await here.server.post(gateway.status(gateway.seen[0], "delivered"))
        await here.later(3600)
        assert here.texts == ["you said hi"]


async def test_a_provider_that_dedupes_is_asked_again_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, "konnek", drop=1.0, resolve_window=600, provider_dedupes=True) as here:
        here.gateway.honours_keys = True
        await here.server.post(here.gateway.says("whatsapp", "ann", "hi"))
        await here.until(lambda: len(here.gateway.requests) == 1)
        await here.still()
        await here.later(5)
        await here.until(lambda: len(here.gateway.requests) == 2)
        assert here.texts == ["you said hi"]


async def test_a_token_that_expires_is_warned_of_at_the_start_and_every_day(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with world(tmp_path, "ginalne", token_expires="2025-10-15") as here:
            await here.still()
            await here.later(86_400)
    assert [line["account"] for line in logs if line["event"] == "token_expires"] == ["shop", "shop"]


async def test_cursors_are_kept_by_account_and_name(tmp_path: Path) -> None:
    async with world(tmp_path, "konnek") as here:
        store = here.bridge.store
        assert await store.cursor("shop", "group:1") is None
        await store.advance("shop", "group:1", "5")
        await store.advance("shop", "group:1", "7")
        await store.advance("desk", "group:1", "9")
        assert (await store.cursor("shop", "group:1"), await store.cursor("desk", "group:1")) == ("7", "9")
