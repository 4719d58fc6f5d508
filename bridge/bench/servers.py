"""The servers of the bridge itself, which `python -m bridge.bench` runs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

import uvloop
from aiohttp import web
from pydantic import SecretStr

from bridge.app.bridge import Bridge
from bridge.app.http import runner_for
from bridge.bench.stages import Watched
from bridge.bench.webhooks import PATH
from bridge.config.load import Config
from bridge.routing.router import Router
from bridge.web.server import calm_collector

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.conversation.turn import Turn
    from bridge.events import Message

ACCOUNT: Final = {
    "provider": "konnek",
    "client_id": "c-1",
    "channels": ["whatsapp"],
    "username": "env:BENCH_SECRET",
    "password": "env:BENCH_SECRET",
    "timeout": "30s",
    "inbound": {"auth": "headers", "username": "env:BENCH_SECRET", "password": "env:BENCH_SECRET"},
}


_FAST: Final = {"turns_per_minute": 1_000_000, "flood_per_minute": 1_000_000}
"""The guard looks at every turn as in production; its bounds admit contacts that say as much as no person does."""
AGE: Final = 20 * 86_400
"""Seconds after which a server with retention removes messages."""
FOLLOWER: Final = "/events"
"""The path at the gateway to which outgoing events go."""
STORE: Final = "BENCH_STORE"
"""The variable of the environment that names the store, where it is no file in the folder."""
RELAXED: Final = "durability=relaxed"
"""At the end of a URL, for a server that may lose what it commits."""
DATABASE: Final = "bench.db"
"""The file in the folder of a server that has a store."""


def database(folder: str) -> str:
    """The URL of that store."""
    return f"sqlite:///{folder}/{DATABASE}"


def plain(_: int, __: str) -> web.AppRunner:
    """A handler that reads the JSON and answers: what any bot on aiohttp costs at the very least."""

    async def answer(request: web.Request) -> web.Response:
        await request.json()
        return web.json_response({"ok": True})

    app = web.Application()
    app.router.add_post(PATH, answer)
    return web.AppRunner(app, access_log=None, keepalive_timeout=15, handler_cancellation=False)


def echo(gateway: int, folder: str) -> web.AppRunner:
    """The whole bridge, as `threadbridge run` serves it; the handler repeats what it hears."""
    return runner_for(_made(Bridge, gateway, folder))


def followed(gateway: int, folder: str) -> web.AppRunner:
    """The same with a follower, which the gateway plays too: each message is two events."""
    follower = {"url": f"http://127.0.0.1:{gateway}{FOLLOWER}", "secret": SecretStr(f"whsec_{'A' * 32}")}
    return runner_for(_made(Bridge, gateway, folder, events={"webhooks": [follower]}))


def watched(gateway: int, folder: str) -> web.AppRunner:
    """The same, with the time of each stage written to FOLDER when it ends."""
    return runner_for(_made(Watched, gateway, folder))


def held(gateway: int, folder: str) -> web.AppRunner:
    """A bridge in which no turn begins: ingest alone, from the socket to the commit and the answer."""
    return runner_for(_made(_Held, gateway, folder))


def swept(gateway: int, folder: str) -> web.AppRunner:
    """The whole bridge, which removes what is older than AGE from SIGUSR1 on, until SIGUSR2."""
    return runner_for(_made(_Swept, gateway, folder, retention={"messages": f"{AGE}s"}))


class _Swept(Bridge):
    async def start(self) -> None:
        await super().start()
        loop, sweeping = asyncio.get_running_loop(), self.parts.retention
        await sweeping.stop()
        loop.add_signal_handler(signal.SIGUSR1, lambda: sweeping.start(first=0))
        loop.add_signal_handler(signal.SIGUSR2, lambda: loop.create_task(sweeping.stop()))


class _Held(Bridge):
    async def start(self) -> None:
        await super().start()
        await self.parts.dispatcher.lanes.stop(0)


def _made(kind: type[Bridge], gateway: int, folder: str, **sections: object) -> Bridge:
    router = Router("bench")

    @router.message()
    async def repeat(turn: Turn[Message]) -> str:
        return f"You said: {turn.event.text}"

    account = {**ACCOUNT, "base_url": f"http://127.0.0.1:{gateway}"}
    values: dict[str, Any] = {"storage": _storage(folder), "guard": _FAST, "accounts": {"shop": account}}
    return kind(Config.from_dict(values | sections), router=router)


def _storage(folder: str) -> dict[str, str]:
    url = os.environ.get(STORE) or database(folder)
    bare = url.removesuffix(RELAXED).rstrip("?&")
    return {"url": bare} if bare == url else {"url": bare, "durability": "relaxed"}


SHIPPED: Final = "plain as shipped"
"""What runs as aiohttp does by itself; all others run at their best, with uvloop and gc.freeze."""
SERVERS: Final[dict[str, Callable[[int, str], web.AppRunner]]] = {
    SHIPPED: plain,
    "plain": plain,
    "echo": echo,
    "followed": followed,
    "watched": watched,
    "held": held,
    "swept": swept,
}


async def _serve(runner: web.AppRunner, port: int, *, best: bool) -> None:
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    if best:
        calm_collector()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


def main() -> None:
    """Serve until standard input ends."""
    port, gateway, folder, name = sys.argv[1:]
    best = name != SHIPPED
    (uvloop if best else asyncio).run(_serve(SERVERS[name](int(gateway), folder), int(port), best=best))
