"""The server: a peer that does not read its answer holds neither memory nor the end for long."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiohttp import web

from bridge.web import server
from bridge.web.server import runner_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

LARGE: Final = bytes(1 << 25)
"""More than the kernel keeps for a connection."""


@asynccontextmanager
async def serving(answered: asyncio.Event) -> AsyncIterator[tuple[web.AppRunner, int]]:
    async def large(_: web.Request) -> web.Response:
        return web.Response(body=LARGE)

    async def done(request: web.Request, handler: object) -> web.StreamResponse:
        try:
            response = await handler(request)  # type: ignore[operator]
            await response.prepare(request)
            await response.write_eof()
            return response  # type: ignore[no-any-return]
        finally:
            answered.set()

    app = web.Application(middlewares=[web.middleware(done)])
    app.router.add_get("/", large)
    runner = runner_of(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner, runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def asked(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that has asked, has the first bytes of its answer, and reads no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def test_a_peer_that_does_not_read_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "WRITE_SECONDS", 0.02)
    answered = asyncio.Event()
    async with serving(answered) as (_, port):
        _, writer = await asked(port)
        async with asyncio.timeout(10):
            await answered.wait()
        writer.close()


async def test_a_peer_that_reads_slowly_is_served_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "WRITE_SECONDS", 0.1)
    async with serving(asyncio.Event()) as (_, port):
        reader, writer = await asked(port)
        read = 0
        async with asyncio.timeout(30):
            while read < len(LARGE) and (part := await reader.read(1 << 14)):
                read += len(part)
                await asyncio.sleep(0)
        writer.close()
    assert read == len(LARGE)


async def test_a_peer_that_does_not_read_holds_up_no_end() -> None:
    async with serving(asyncio.Event()) as (runner, port):
        _, writer = await asked(port)
        async with asyncio.timeout(5):
            await runner.cleanup()
        writer.close()
