"""A whole bridge for tests: served on a real socket with the runner of `threadbridge run`, or without any."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bridge.app.http import runner_for
from bridge.app.shards import bridge_of
from bridge.clock import SystemClock
from bridge.config.load import as_config
from bridge.providers.konnek.emulator import Emulator as Konnek
from bridge.providers.relationlabs.emulator import Emulator as RelationLabs
from bridge.routing.router import Router
from bridge.web.server import KEEPALIVE_SECONDS, runner_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from bridge.app.bridge import Bridge, Outside
    from bridge.config.load import Config
    from bridge.store.looks import DeadLetter

SECRET: Final = "a-secret-of-24-bytes-or-more"
NOWHERE: Final = "http://127.0.0.1:9"
"""The discard port: nobody listens, and a connection is refused at once."""

SHOP: Final[Mapping[str, str]] = {"Auth-username": "shop", "Auth-password": SECRET}
RELAY: Final[Mapping[str, str]] = {"Authorization": f"Bearer {SECRET}"}
JSON: Final[Mapping[str, str]] = {"Content-Type": "application/json"}

TICKET: Final = "/webhooks/ticket"
SHOP_HOOK: Final = "/webhooks/shop/whatsapp"
RELAY_HOOK: Final = "/webhooks/relay"
DESK_HOOK: Final = f"/webhooks/desk/{SECRET}/whatsapp"


def accounts(konnek: str = NOWHERE, relationlabs: str = NOWHERE) -> dict[str, Any]:
    """Three accounts: `shop` (Konnek, headers), `desk` (Konnek, path), `relay` (RelationLabs, bearer)."""
    at_konnek = {"provider": "konnek", "base_url": konnek, **Konnek.sample_settings}
    return {
        "shop": {
            **at_konnek,
            "inbound": {"auth": "headers", "username": SecretStr("shop"), "password": SecretStr(SECRET)},
        },
        "desk": {**at_konnek, "inbound": {"auth": "path", "secret": SecretStr(SECRET)}},
        "relay": {
            "provider": "relationlabs",
            "base_url": relationlabs,
            **RelationLabs.sample_settings,
            "inbound": {"auth": "bearer", "secret": SecretStr(SECRET)},
        },
    }


def configuration(folder: Path, **sections: Any) -> dict[str, Any]:
    """What threadbridge.toml would hold; the store is in `folder`."""
    return {"storage": {"url": f"sqlite:///{folder}/test.db"}, "accounts": accounts(), **sections}


def silent() -> Router:
    """A bot that takes everything and says nothing."""
    router = Router("silent")

    @router.default()
    async def nothing(turn: object) -> None:
        del turn

    return router


def konnek_text(key: str = "m-1", text: str = "hi", username: str = "6281234500099", **more: Any) -> dict[str, Any]:
    """A text as Konnek posts it."""
    return {"from": {"username": username, "name": "Ann"}, "message": {"id": key, "type": "text", "text": text, **more}}


def peer_text(key: str = "1579309168845799425", text: str = "hi", **more: Any) -> dict[str, Any]:
    """A text in a group as the relay posts it."""
    info = {"id": key, "type": "TEXT", "from": "ann-1", "channelUuid": "room-1", "content": text, "sendUuid": "x-1"}
    return {"im-message": {**info, **more}}


def body(value: object) -> bytes:
    return orjson.dumps(value)


def http(
    content: bytes = b"",
    target: str = SHOP_HOOK,
    *headers: str,
    method: str = "POST",
    version: str = "HTTP/1.1",
    length: bool = True,
    kind: str | None = "application/json",
) -> bytes:
    """A request to the byte; authentic for `shop`, closing the connection."""
    lines = [f"{method} {target} {version}", "Host: bridge.test", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in SHOP.items()]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [f"Content-Length: {len(content)}"] if length else []
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + content


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Served:
    """A bridge behind a real socket."""

    bridge: Bridge
    port: int
    app: web.Application

    async def send(
        self, request: bytes, *, cut: bool = False, wait: float = 30.0, source: str = "127.0.0.1"
    ) -> list[Answer]:
        """Everything the server answers until it closes; with `cut` we close first, having sent the request."""
        reader, writer = await self.connect(source)
        try:
            writer.write(request)
            if cut:
                await writer.drain()
                return []
            async with asyncio.timeout(wait):
                return read_answers(await reader.read())
        except ConnectionResetError:
            return []
        finally:
            writer.close()

    async def connect(self, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection from one of this machine's addresses."""
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))

    async def kept(self) -> int:
        """How many threads and dead letters there are: 0 when nothing was stored."""
        return len(await self.bridge.store.threads()) + len(await self.letters())

    async def letters(self) -> list[DeadLetter]:
        return await self.bridge.store.dead_letters()


def read_answers(data: bytes) -> list[Answer]:
    """Answers with a Content-Length, one after the other."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", "0"))
        found.append(Answer(int(first.split()[1]), headers, data[:length]))
        data = data[length:]
    return found


@asynccontextmanager
async def served(
    config: Config | Mapping[str, Any],
    router: Router | None = None,
    *,
    keepalive: float = KEEPALIVE_SECONDS,
    outside: Outside | None = None,
) -> AsyncIterator[Served]:
    """A bridge on 127.0.0.1, until the block ends."""
    bridge = bridge_of(as_config(config), router=router or silent(), outside=outside)
    runner = runner_for(bridge, keepalive=keepalive)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Served(bridge, runner.addresses[0][1], runner.app)
    finally:
        await runner.cleanup()


class OurServer(TestServer):
    """For pytest-aiohttp: an application served as `threadbridge run` does."""

    async def _make_runner(self, **_: Any) -> web.AppRunner:
        return runner_of(self.app)


def emulators() -> tuple[Konnek, RelationLabs]:
    """Both gateways, with the machine's time and seeded ids."""
    return Konnek(SystemClock().now, Random(1)), RelationLabs(SystemClock().now, Random(2))
