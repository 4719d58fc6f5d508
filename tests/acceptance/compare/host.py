"""All twelve bots in one process, to be killed."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

from aiohttp import web

from bridge import Router
from bridge.app.http import BRIDGE, create_app
from bridge.clock import SystemClock
from bridge.engine.handoff import Handoffs
from bridge.units import SECOND
from tests.acceptance.compare.conversations import BOTS
from tests.support.whole_bridges import accounts

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

    from bridge import CallNext, Turn
    from bridge.clock import Alarm


class Later(SystemClock):
    """The machine's clock, put forward."""

    def __init__(self, seconds: int) -> None:
        self._ahead = seconds * SECOND

    def now(self) -> int:
        return super().now() + self._ahead

    def call_at(self, when: int, callback: Callable[[], object]) -> Alarm:
        return asyncio.get_running_loop().call_later(max(0, when - self.now()) / SECOND, callback)


def held(bot: str, file: Path) -> Router:
    """A bot whose handlers wait for ever while the file is there."""
    router = Router("held")

    @router.outer_middleware
    async def hold(_turn: Turn, call_next: CallNext) -> None:
        if file.exists():  # noqa: ASYNC240 - no more than a look
            await asyncio.Event().wait()
        await call_next()

    router.include(import_module(f"tests.acceptance.compare.threadbridge.{bot}").router)
    return router


def serve(folder: Path, gateway: str, later: int, file: Path, told: Connection) -> None:
    """Serve until killed, on a port that `told` is sent.

    Each bot is a bridge with a database of its own in `folder`, at /BOT, and sends to `gateway`. Its clock is `later`
    seconds ahead. A handler that is called for an event that was stored in this life never ends once the file is there.
    POST /returns/BOT gives the bot's only conversation back to it.
    """
    asyncio.run(_serve(folder, gateway, later, file, told))


async def _serve(folder: Path, gateway: str, later: int, file: Path, told: Connection) -> None:
    app, bots = web.Application(), {}
    for bot in BOTS:
        config = {"storage": {"url": f"sqlite:///{folder}/{bot}.db"}, "accounts": {"shop": accounts(gateway)["shop"]}}
        bots[bot] = create_app(config, router=held(bot, file), clock=Later(later))
        app.add_subapp(f"/{bot}", bots[bot])

    async def give_back(request: web.Request) -> web.Response:
        bridge = bots[request.match_info["bot"]][BRIDGE]
        (thread,) = await bridge.store.threads()
        given = await Handoffs(bridge.store, bridge.clock).give_back(thread.id)
        return web.Response(status=200 if given else 404)

    app.router.add_post("/returns/{bot}", give_back)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    told.send(runner.addresses[0][1])
    await asyncio.Event().wait()
