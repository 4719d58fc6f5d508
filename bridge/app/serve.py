"""The bridge as a process: its address, its signals, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from typing import TYPE_CHECKING, Final

from aiohttp import web

from bridge.errors import Broken, StoreError
from bridge.log import finish_logs, kind_of, log
from bridge.log_foreign import task_failed
from bridge.web.server import calm_collector

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.config.load import Config

from bridge.app.bridge import Bridge
from bridge.app.http import runner_for

_FORCED: Final = 1


async def serve(config: Config, *, ready: Callable[[], None] | None = None, stop_with: int | None = None) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, then drain; a second signal exits at once.

    `stop_with` is the reading end of a pipe; its other end closes with the process that serving is to end with.

    Raises:
        ConfigError, StoreInUse, NewerSchema, Unavailable: it cannot start.
        OSError: the address cannot be had.
        Broken: the store failed while it ran.
    """
    bridge = Bridge(config)
    runner = runner_for(bridge)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(task_failed)
    stopping: asyncio.Future[None] = loop.create_future()
    _watch_signals(bridge, stopping)
    if stop_with is not None:
        _watch_pipe(bridge, stopping, stop_with)
    await runner.setup()
    try:
        await _listen(runner, config.server.host, config.server.port)
        log.info("serving", url=config.server.local_url, pid=os.getpid())
        calm_collector()
        if ready is not None:
            ready()
        await stopping
        if bridge.failed is not None:
            raise Broken(str(bridge.failed))
    finally:
        try:
            await runner.cleanup()
        except (OSError, StoreError) as error:
            if bridge.failed is None:
                raise
            log.error("stop_failed", reason=kind_of(error))  # it must not hide that the store is broken
        log.info("stopped", pid=os.getpid())
        finish_logs()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port, backlog=512).start()
    except UnicodeError:  # no name at all, like a..b
        raise socket.gaierror(socket.EAI_NONAME, f"{host} is no host name") from None


def _watch_pipe(bridge: Bridge, stopping: asyncio.Future[None], pipe: int) -> None:
    loop = asyncio.get_running_loop()

    def closed() -> None:
        loop.remove_reader(pipe)
        if not stopping.done():
            stopping.set_result(None)
            bridge.drain()
            log.info("stopping", reason="the process that started it has ended")

    loop.add_reader(pipe, closed)


def _watch_signals(bridge: Bridge, stopping: asyncio.Future[None]) -> None:
    """The first signal drains, the second one does not wait."""

    def stop(number: int) -> None:
        if stopping.done():
            os._exit(_FORCED)
        stopping.set_result(None)
        bridge.drain()
        log.info("stopping", signal=signal.Signals(number).name)

    def fail() -> None:
        if not stopping.done():
            stopping.set_result(None)

    bridge.on_failure = fail
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue  # as nohup has it
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
