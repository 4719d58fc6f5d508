"""The yardstick: the same promises on the same libraries, and no layer between them.

A webhook is committed before its 200, deduplicated by a unique key; a turn commits its reply; one POST a message leaves
in conversation order; a commit settles it. One thread writes, and what waits is written together at synchronous=FULL.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import uvloop
from aiohttp import web

from bridge.bench.processes import Subject
from bridge.bench.webhooks import PATH, SECRET
from bridge.web.server import calm_collector

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Send = Callable[[bytes], Awaitable[int]]

BATCH: Final = 256
LEAN_CONNECTIONS: Final = 64
OUT: Final = "/v1/messages"
NO_CLIENT: Final = "no client"
SCHEMA: Final = """
CREATE TABLE inbox (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, thread TEXT NOT NULL, body BLOB, done INT);
CREATE TABLE outbox (id INTEGER PRIMARY KEY, event INT NOT NULL UNIQUE, thread TEXT NOT NULL, body BLOB, sent INT);
CREATE INDEX inbox_open ON inbox (thread, id) WHERE done = 0;
CREATE INDEX outbox_open ON outbox (thread, id) WHERE sent = 0;
"""
RECEIVE: Final = "INSERT INTO inbox (key, thread, body, done) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING"
DONE: Final = "UPDATE inbox SET done = 1 WHERE id = ?"
QUEUE: Final = "INSERT INTO outbox (event, thread, body, sent) VALUES (?, ?, ?, 0)"
SENT: Final = "UPDATE outbox SET sent = 1 WHERE id = ?"


def subjects() -> list[Subject]:
    """With aiohttp's client, and with a lean one."""
    return [
        Subject(name=f"bare, {client}", module="tests.bench.bare", arguments=(client,))
        for client in ("aiohttp's client", "lean client")
    ]


def storing() -> list[Subject]:
    """What stores webhooks, and begins no turn."""
    return [Subject(name="bare", module="tests.bench.bare", arguments=(NO_CLIENT,), replies=False)]


class Writer:
    """One thread owns the connection; each unit is a list of statements, and gets the last row id of the first."""

    def __init__(self, file: str) -> None:
        self.loop = asyncio.get_running_loop()
        self.units: queue.SimpleQueue[tuple[Any, asyncio.Future[int]] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._write, args=(file,))
        self.thread.start()

    def submit(self, *statements: tuple[str, tuple[Any, ...]]) -> asyncio.Future[int]:
        done: asyncio.Future[int] = self.loop.create_future()
        self.units.put((statements, done))
        return done

    def close(self) -> None:
        self.units.put(None)
        self.thread.join()

    def _write(self, file: str) -> None:
        db = sqlite3.connect(file, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL").fetchone()
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(SCHEMA)
        while (unit := self.units.get()) is not None:
            batch = [unit]
            while len(batch) < BATCH and not self.units.empty() and (more := self.units.get()) is not None:
                batch.append(more)
            db.execute("BEGIN IMMEDIATE")
            results = [(done, self._run(db, statements)) for statements, done in batch]
            db.execute("COMMIT")
            self.loop.call_soon_threadsafe(_tell, results)
        db.close()

    def _run(self, db: sqlite3.Connection, statements: Any) -> int:
        rows = [db.execute(statement, values) for statement, values in statements]
        return rows[0].lastrowid or 0 if rows[0].rowcount else 0


def _tell(results: list[tuple[asyncio.Future[int], int]]) -> None:
    for done, row_id in results:
        if not done.done():
            done.set_result(row_id)


class Pipeline:
    """Webhook, turn, delivery; one task a conversation while it has something to do."""

    def __init__(self, writer: Writer, send: Send | None) -> None:
        self.writer = writer
        self.send = send
        self.lanes: dict[str, deque[tuple[int, str]]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Auth-username") != SECRET or request.headers.get("Auth-password") != SECRET:
            return web.Response(status=401)
        raw = await request.read()
        event = json.loads(raw)
        thread, message = event["from"]["username"], event["message"]
        row_id = await self.writer.submit((RECEIVE, (message["id"], thread, raw)))
        if row_id and self.send is not None:
            self._offer(self.send, thread, row_id, message["text"])
        return web.Response(body=b'{"ok":true}', content_type="application/json")

    def _offer(self, send: Send, thread: str, row_id: int, text: str) -> None:
        if (lane := self.lanes.get(thread)) is not None:
            lane.append((row_id, text))
            return
        self.lanes[thread] = deque([(row_id, text)])
        task = asyncio.get_running_loop().create_task(self._work(send, thread))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _work(self, send: Send, thread: str) -> None:
        lane = self.lanes[thread]
        while lane:
            row_id, text = lane.popleft()
            reply = await repeat(text)
            body = json.dumps({"to": thread, "key": f"{row_id}", "text": reply}).encode()
            message = await self.writer.submit((QUEUE, (row_id, thread, body)), (DONE, (row_id,)))
            if await send(body) == 200:
                await self.writer.submit((SENT, (message,)))
        del self.lanes[thread]


async def repeat(text: str) -> str:
    """The handler."""
    return f"You said: {text}"


class Lean(asyncio.Protocol):
    """A keep-alive connection that knows one request, and of an answer its status and its length."""

    def __init__(self) -> None:
        self.buffer = b""
        self.answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]):
            return
        self.buffer = b""
        if self.answer is not None:
            self.answer.set_result(int(head[9:12]))


async def lean_client(port: int) -> Send:
    """Send on the first free of a fixed number of connections."""
    loop = asyncio.get_running_loop()
    head = f"POST {OUT} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {SECRET}\r\n".encode()
    head += b"Content-Type: application/json\r\nContent-Length: "
    free: asyncio.LifoQueue[Lean] = asyncio.LifoQueue()
    for _ in range(LEAN_CONNECTIONS):
        free.put_nowait((await loop.create_connection(Lean, "127.0.0.1", port))[1])

    async def send(body: bytes) -> int:
        client = await free.get()
        client.answer = loop.create_future()
        client.transport.write(b"%s%d\r\n\r\n%s" % (head, len(body), body))
        status = await client.answer
        free.put_nowait(client)
        return status

    return send


def aiohttp_client(session: aiohttp.ClientSession, port: int) -> Send:
    """Send by aiohttp."""
    url = f"http://127.0.0.1:{port}{OUT}"
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {SECRET}"}

    async def send(body: bytes) -> int:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            await response.read()
            return response.status

    return send


async def serve(port: int, gateway: int, folder: str, client: str) -> None:
    """Serve until standard input ends."""
    writer = Writer(f"{folder}/bare.db")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        send: Send | None = None
        if client != NO_CLIENT:
            send = await lean_client(gateway) if client == "lean client" else aiohttp_client(session, gateway)
        app = web.Application()
        app.router.add_post(PATH, Pipeline(writer, send).answer)
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=15, handler_cancellation=False)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        calm_collector()
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await runner.cleanup()
    writer.close()


if __name__ == "__main__":
    _port, _gateway, _folder, _client = sys.argv[1:]
    uvloop.run(serve(int(_port), int(_gateway), _folder, _client))
