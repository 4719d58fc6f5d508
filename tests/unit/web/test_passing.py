"""A server that gives its connections away: whoever is connected, or connects, is answered by the next one."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

import pytest
from aiohttp import web

from bridge.web.passing import adopt, pass_on
from bridge.web.server import runner_of
from bridge.workers.link import Predecessor, Successor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.web.server import Connection

REQUEST: Final = b"POST /name HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
SLOW: Final = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers with its name; /slow does so once `go` is set."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.go = asyncio.Event()
        self.asked = asyncio.Event()
        app = web.Application()
        app.router.add_post("/name", self.answer)
        app.router.add_post("/slow", self.wait)
        app.router.add_get("/stream", self.stream)
        self.runner = runner_of(app)

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=self.name)

    async def wait(self, request: web.Request) -> web.Response:
        self.asked.set()
        await self.go.wait()
        return await self.answer(request)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        self.asked.set()
        await self.go.wait()
        return response

    async def has_begun(self) -> None:
        """Return when a request is here by half."""
        server = self.runner.server
        assert server is not None
        for _ in range(1000):
            connections = cast("list[Connection]", server.connections)
            if any(connection._begun or connection._current_request for connection in connections):
                break
            await asyncio.sleep(0)

    async def listen(self, listening: socket.socket) -> None:
        await web.SockSite(self.runner, listening.dup()).start()


class Client:
    """One kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def answered(self) -> str:
        """The body of the next answer, which is 200."""
        async with asyncio.timeout(10):
            head = await self._reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return (await self._reader.readexactly(length)).decode()

    async def rest(self) -> bytes:
        """Everything until the connection ends."""
        return await self._reader.read()

    async def ask(self, request: bytes = REQUEST) -> str:
        self.writer.write(request)
        return await self.answered()


@dataclass
class Change:
    """An old server and a new one behind a listening socket."""

    listening: socket.socket
    old: Server = field(default_factory=lambda: Server("old"))
    new: Server = field(default_factory=lambda: Server("new"))
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def __post_init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.successor, self.predecessor = Successor(ours, serves=False), Predecessor(theirs)

    async def connect(self) -> Client:
        reader, writer = await asyncio.open_connection(*self.listening.getsockname())
        self.writers.append(writer)
        return Client(reader, writer)

    async def leave(self) -> int:
        return await pass_on(self.old.runner, self.successor.give)

    async def go_on(self) -> None:
        await self.old.runner.cleanup()
        self.successor.go()
        await self.predecessor.left()
        await adopt(self.new.runner, self.predecessor.connections())
        await self.new.listen(self.listening)


@pytest.fixture
async def change() -> AsyncIterator[Change]:
    async with changing() as made:
        yield made


@asynccontextmanager
async def changing() -> AsyncIterator[Change]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        made = Change(listening)
        await made.old.runner.setup()
        await made.new.runner.setup()
        try:
            await made.old.listen(listening)
            yield made
        finally:
            for writer in made.writers:
                writer.close()
            for server in (made.old, made.new):
                server.go.set()
                await server.runner.cleanup()
            made.successor.go()
            await made.predecessor.left()
            for connection in made.predecessor.connections():
                connection.close()


async def test_a_kept_connection_goes_on_with_the_next_server(change: Change) -> None:
    client = await change.connect()
    assert await client.ask() == "old"
    assert await change.leave() == 1
    await change.go_on()
    assert await client.ask() == "new"


async def test_a_request_that_arrives_while_nobody_serves_waits(change: Change) -> None:
    kept, fresh = await change.connect(), await change.connect()
    assert await kept.ask() == "old"
    await change.leave()
    late = await change.connect()
    for client in (kept, fresh, late):
        client.writer.write(REQUEST)
        await client.writer.drain()
    await change.go_on()
    assert [await client.answered() for client in (kept, fresh, late)] == ["new"] * 3


async def test_a_request_under_way_is_answered_before_its_connection_is_given(change: Change) -> None:
    client = await change.connect()
    client.writer.write(SLOW)
    await change.old.asked.wait()
    leaving = asyncio.create_task(change.leave())
    idle = await change.connect()
    change.old.go.set()
    assert await client.answered() == "old"
    assert await leaving == 1
    await change.go_on()
    assert (await client.ask(), await idle.ask()) == ("new", "new")


@pytest.mark.parametrize("cut", [1, 20, len(REQUEST) - 1])
async def test_a_request_that_is_here_by_half_is_waited_for(change: Change, cut: int) -> None:
    half, idle = await change.connect(), await change.connect()
    assert (await half.ask(), await idle.ask()) == ("old", "old")
    half.writer.write(REQUEST[:cut])
    await change.old.has_begun()
    given = asyncio.Event()

    def give(descriptor: int) -> bool:
        given.set()
        return change.successor.give(descriptor)

    leaving = asyncio.create_task(pass_on(change.old.runner, give))
    await given.wait()
    half.writer.write(REQUEST[cut:])
    assert await half.answered() == "old"
    assert await leaving == 2
    await change.go_on()
    assert (await half.ask(), await idle.ask()) == ("new", "new")


async def test_whoever_is_just_being_accepted_is_answered(change: Change) -> None:
    clients = await asyncio.gather(*(change.connect() for _ in range(30)))
    for client in clients:
        client.writer.write(REQUEST)
    await change.leave()
    await change.go_on()
    assert {await client.answered() for client in clients} <= {"old", "new"}


@pytest.mark.parametrize("sent", [len(REQUEST) - 1, 20])
async def test_a_request_that_does_not_end_is_refused_soon_and_holds_up_nobody(change: Change, sent: int) -> None:
    stuck, idle = await change.connect(), await change.connect()
    assert await idle.ask() == "old"
    stuck.writer.write(REQUEST[:sent])
    await change.old.has_begun()
    assert await pass_on(change.old.runner, change.successor.give, 0.02) == 1
    async with asyncio.timeout(5):
        await change.go_on()
        assert (await stuck.rest()).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert await idle.ask() == "new"


async def test_an_answer_that_has_begun_is_cut_off_and_not_written_into(change: Change) -> None:
    stuck = await change.connect()
    stuck.writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    await change.old.asked.wait()
    assert await pass_on(change.old.runner, change.successor.give, 0.02) == 0
    change.old.go.set()
    async with asyncio.timeout(5):
        assert b"503" not in await stuck.rest()


async def test_a_successor_that_is_gone_takes_nothing(change: Change) -> None:
    client = await change.connect()
    assert await client.ask() == "old"
    change.predecessor._channel.shutdown(socket.SHUT_RDWR)
    assert await pass_on(change.old.runner, change.successor.give, 0.02) == 0
    assert await client.rest() == b"", "an answer to no request would be taken for that of the next one"
