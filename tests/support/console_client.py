"""A client of the console for tests: requests as the page makes them, and its server-sent events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from bridge.events import Contact, Message
from bridge.units import moment
from bridge.web.console.routes import add_console
from bridge.web.console.stream import HEARTBEAT
from bridge.web.refusals import clean_errors
from tests.support.console_bridge import ACCOUNT, MemoryBridge

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from pytest_aiohttp import AiohttpClient

HOST = "bot.example:8080"


async def console_of(bridge: MemoryBridge, aiohttp_client: AiohttpClient, heartbeat: float = HEARTBEAT) -> Page:
    """A served console and a page that talks to it."""
    app = web.Application(middlewares=[clean_errors(lambda _: None)])
    add_console(app, bridge, account=ACCOUNT, hosts=frozenset({HOST, "localhost"}), heartbeat=heartbeat)
    return Page(await aiohttp_client(app))


def heard(text: str, key: str = "e-1", name: str = "Ann") -> Message:
    return Message(id=key, contact=Contact(id="ann", name=name), at=moment(0), text=text)


class Page:
    """The browser's side: a client that says it is the console's page."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def get(self, path: str, **headers: str) -> ClientResponse:
        return await self.client.get(path, headers={"Host": HOST, **headers})  # type: ignore[no-any-return]

    async def say(self, body: dict[str, Any] | bytes, **headers: str) -> ClientResponse:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        sent = {"Host": HOST, "Content-Type": "application/json", **headers}
        return await self.client.post("/console/say", data=data, headers=sent)  # type: ignore[no-any-return]

    async def stream(self, conversation: str = "ann", after: str = "", last: str = "") -> Stream:
        query = {"conversation": conversation, **({"after": after} if after else {})}
        headers = {"Host": HOST, **({"Last-Event-ID": last} if last else {})}
        response = await self.client.get("/console/stream", params=query, headers=headers)
        assert response.status == 200, await response.text()
        return Stream(response)


class Stream:
    """Server-sent events as they come: (event name, id, decoded data); a heartbeat's name is "heartbeat"."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response

    async def next(self) -> tuple[str, str, Any]:
        while True:
            fields = dict(line.split(": ", 1) for line in (await self._block()).splitlines())
            if "retry" not in fields:
                break
        if "" in fields:
            return fields[""], "", None
        return fields.get("event", "entry"), fields.get("id", ""), orjson.loads(fields["data"])

    async def entries(self, count: int) -> list[dict[str, Any]]:
        """The next entries, new or updated, whatever else comes between."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            name, _, data = await self.next()
            if name in {"entry", "update"}:
                found.append(data)
        return found

    async def _block(self) -> str:
        async with asyncio.timeout(30):
            return (await self.response.content.readuntil(b"\n\n")).decode().rstrip("\n")

    async def named(self, name: str) -> Any:
        """The data of the next event of that name."""
        while (found := await self.next())[0] != name:
            pass
        return found[2]
