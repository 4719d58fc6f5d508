"""The processes under measurement, each on one core: a plain aiohttp handler, the bridge, and a stub of Konnek."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import uvloop
from aiohttp import web

from bridge import Router, Turn, create_app
from bridge.app.http import BRIDGE
from bridge.web.server import calm_collector, runner_of
from tests.bench.stages import hold, watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

ACCOUNT = {
    "provider": "konnek",
    "client_id": "c-1",
    "channels": ["whatsapp"],
    "username": "env:BENCH_SECRET",
    "password": "env:BENCH_SECRET",
    "timeout": "30s",
    "inbound": {"auth": "headers", "username": "env:BENCH_SECRET", "password": "env:BENCH_SECRET"},
}


async def plain(port: int) -> None:
    """A handler that reads the JSON and answers: what any bot on aiohttp costs at the very least."""

    async def answer(request: web.Request) -> web.Response:
        await request.json()
        return web.json_response({"ok": True})

    app = web.Application()
    app.router.add_post("/webhooks/shop/whatsapp", answer)
    await _serve(app, port)


async def bridge(port: int, folder: str, provider_port: int) -> None:
    """The whole bridge, durable. Without a provider (port 0) nothing is replied: ingest alone."""
    router = Router("bench")
    if provider_port:

        @router.default()
        async def echo(turn: Turn) -> str:
            return f"You said: {turn.event.id}"

    account: dict[str, Any] = {**ACCOUNT, "base_url": f"http://127.0.0.1:{provider_port or 9}"}
    app = create_app({"storage": {"url": f"sqlite:///{folder}/bench.db"}, "accounts": {"shop": account}}, router=router)
    if os.environ.get("BENCH_HELD"):
        hold(app[BRIDGE])
    if os.environ.get("BENCH_STAGES"):
        watch(app[BRIDGE], folder)
    await _serve(app, port)


async def stub(port: int) -> None:
    """Answers like Konnek, as cheaply as Python can."""
    body = (
        b'{"meta":{"status":true,"code":200,"message":"OK","errors":null},'
        b'"data":{"message_id":"m","status":0,"tid":"t"}}'
    )
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    class Stub(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.Transport", transport)
            self.buffer = b""

        def data_received(self, data: bytes) -> None:
            self.buffer += data
            while (at := self.buffer.find(b"\r\n\r\n")) >= 0:
                head = self.buffer[:at].lower()
                start = head.index(b"content-length:") + 15
                end = head.find(b"\r\n", start)
                length = int(head[start : end if end >= 0 else None])
                if len(self.buffer) < at + 4 + length:
                    return
                self.buffer = self.buffer[at + 4 + length :]
                self.transport.write(answer)

    await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def _serve(app: web.Application, port: int) -> None:
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=15, handler_cancellation=False)
    if BRIDGE in app:
        runner = runner_of(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    if BRIDGE in app:
        calm_collector()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


@asynccontextmanager
async def started(name: str, *arguments: str, core: int, env: dict[str, str] | None = None) -> AsyncIterator[None]:
    """A server in a process of its own, on one core, until the context ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.servers",
        str(core),
        name,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "BENCH_SECRET": "bench-secret-bench-secret", **(env or {})},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    if await process.stdout.readline() != b"ready\n":
        raise RuntimeError(f"{name} did not start")
    try:
        yield
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 15)
        except TimeoutError:
            process.kill()
            await process.wait()


def main() -> None:
    """CORE NAME ARGUMENTS: run one of the servers above on that core."""
    core, name, *arguments = sys.argv[1:]
    os.sched_setaffinity(0, {int(core) % (os.cpu_count() or 1)})
    servers: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"plain": plain, "bridge": bridge, "stub": stub}
    values: list[Any] = [int(each) if each.isdigit() else each for each in arguments]
    uvloop.run(servers[name](*values))


if __name__ == "__main__":
    main()
