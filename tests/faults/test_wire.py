"""What happens on the wire to a gateway while the store moves on."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.faults.harness import Gateways, Home, until
from tests.faults.traffic import traffic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Line:
    """The line to a gateway: the answers on its first two connections are lost, and the second one is held up."""

    def __init__(self, gateway: str) -> None:
        """`gateway` is its base URL."""
        self._to = urlsplit(gateway)
        self._connections = 0
        self.second_came = False
        self.let_through = asyncio.Event()
        self.url = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Line]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number = self._connections
        asked = await reader.read(65_536)
        if number == 2:
            self.second_came = True
            await self.let_through.wait()
        from_gateway, to_gateway = await asyncio.open_connection(self._to.hostname, self._to.port)
        to_gateway.write(asked)
        onwards = asyncio.create_task(pump(reader, to_gateway))
        if number > 2:
            await pump(from_gateway, writer)
        else:
            await from_gateway.read(1)
        onwards.cancel()
        writer.transport.abort()
        to_gateway.transport.abort()


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while part := await source.read(65_536):
        target.write(part)


async def test_a_status_that_tells_the_outcome_of_a_message_on_the_wire_frees_its_thread(tmp_path: Path) -> None:
    async with Gateways().listening() as gateways, Line(gateways.shop.url).open() as line:
        home = Home(tmp_path, shop=line.url, relay=gateways.relay.url)
        async with home.running(), traffic(home, gateways) as talk:
            assert await talk.say("shop", "ann", "say first") == 200
            await until("the first attempt", lambda: len(gateways.konnek.seen) == 1)
            await until("the second attempt", lambda: line.second_came)
            status = gateways.konnek.status(gateways.konnek.seen[0], "delivered")
            assert status is not None
            assert await talk.post_hook("shop", status) == 200
            await until("the outcome", lambda: home.rows("SELECT outcome FROM outbox") == [("resolved",)])
            assert len(gateways.konnek.requests) == 1
            line.let_through.set()
            assert await talk.say("shop", "ann", "say second") == 200
            await home.settled()
            assert [each.text.split("|")[0] for each in gateways.konnek.seen] == ["say first", "say second"]
            assert len(gateways.konnek.requests) == 3
