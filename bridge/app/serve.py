"""The bridge as a process: its address, its signals, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiohttp import web

from bridge.app.bridge import Outside
from bridge.app.http import runner_for, set_up_logs
from bridge.app.shards import bridge_of
from bridge.app.worker import get_ready, opened_soon
from bridge.errors import Broken, StoreError
from bridge.log import finish_logs, kind_of, log
from bridge.log.foreign import task_failed
from bridge.web.passing import PASS_SECONDS, adopt, pass_on
from bridge.web.server import DRAIN_SECONDS, calm_collector
from bridge.workers.activation import notify

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from bridge.app.bridge import Bridge
    from bridge.config.load import Config
    from bridge.workers.link import Link, Predecessor, Successor

T = TypeVar("T")

_FORCED: Final = 1
BACKLOG: Final = 2048
"""Connections that wait to be accepted, where the system allows so many: those of a second, while nobody accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where webhooks come in, and who has a say in it.

    `sockets` listen already; without any, the configured address is listened on. `stop_with` is the reading end of a
    pipe, whose other end closes with the process that serving is to end with. `link` leads a worker to its parent.
    """

    sockets: Sequence[socket.socket] = ()
    stop_with: int | None = None
    link: Link | None = None


async def serve(config: Config, *, ready: Callable[[], None] | None = None, listening: Listening | None = None) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, then drain; a second signal exits at once.

    A worker serves as its parent says, and hands over when it is asked to.

    Raises:
        ConfigError, StoreInUse, NewerSchema, Unavailable: it cannot start.
        OSError: the address cannot be had.
        Broken: the store failed while it ran.
    """
    listening = listening or Listening()
    link = listening.link
    if link is not None:
        set_up_logs(config, worker=link.worker)
    bridge = bridge_of(config, outside=None if link is None else Outside(open_store=opened_soon))
    bridge.worker = None if link is None else link.worker
    process = Process(bridge, runner_for(bridge), link)
    asyncio.get_running_loop().set_exception_handler(task_failed)
    process.watch_signals()
    if listening.stop_with is not None:
        process.watch_pipe(listening.stop_with)
    if link is None:
        await process.run(listening.sockets, (), ready)
    elif (given := await process.unless_stopped(get_ready(config, link))) is not None:
        await process.run(link.listening, given, ready)


class Process:
    """A bridge between its start and its end."""

    def __init__(self, bridge: Bridge, runner: web.AppRunner, link: Link | None) -> None:
        """Nothing is started. `ending` is done when the end begins."""
        self._bridge = bridge
        self._runner = runner
        self._link = link
        self.ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._successor: Successor | None = None
        self._signalled = False
        bridge.on_failure = self._begin_end
        if link is not None:
            bridge.opens_door_first = True
            link.on_stop, link.on_hand_over, link.on_adopt = self.stop, self._hand_over, self._adopt

    async def run(
        self,
        sockets: Sequence[socket.socket],
        connections: Iterable[socket.socket],
        ready: Callable[[], None] | None,
    ) -> None:
        """Serve to the end, behind `sockets` if there are any, and who is connected already."""
        await self._runner.setup()
        try:
            await adopt(self._runner, connections)
            await _listen(self._runner, self._bridge.config, sockets)
            if self._link is not None:
                self._link.serves()
                await self._bridge.take_up()
            log.info("serving", url=self._bridge.config.server.local_url, pid=os.getpid())
            if self._link is None:
                calm_collector()
                notify("READY=1")
            if ready is not None:
                ready()
            await self.ending
            if self._bridge.failed is not None:
                raise Broken(str(self._bridge.failed))
            if self._successor is not None:
                await self._leave(self._successor)
        finally:
            await self._end()

    async def _leave(self, successor: Successor) -> None:
        """Finish what runs while webhooks are still stored, then give away whoever is connected.

        Whoever is connected goes first, where the successor takes webhooks already.
        """
        if not successor.serves:
            await self._bridge.wind_down()
        if self._signalled:
            return
        if self._link is not None:
            self._link.left()
        given = await pass_on(self._runner, successor.give, DRAIN_SECONDS if successor.serves else PASS_SECONDS)
        log.info("connections_given", count=given, pid=os.getpid())

    async def _end(self) -> None:
        try:
            await self._runner.cleanup()
        except (OSError, StoreError) as error:
            if self._bridge.failed is None:
                raise
            log.error("stop_failed", reason=kind_of(error))  # it must not hide that the store is broken
        finally:
            if self._successor is not None:
                self._successor.go()
        log.info("stopped", pid=os.getpid())
        finish_logs()

    async def unless_stopped(self, awaited: Coroutine[Any, Any, T]) -> T | None:
        """What is awaited, or None when the end begins before it comes."""
        task = asyncio.get_running_loop().create_task(awaited)
        self.ending.add_done_callback(lambda _: task.cancel())
        try:
            return await task
        except asyncio.CancelledError:
            if not self.ending.done():
                raise
            return None

    def stop(self, reason: str) -> None:
        """Drain, unless the end has begun already."""
        if not self.ending.done():
            self._begin_end()
            self._bridge.drain()
            log.info("stopping", reason=reason)

    def _adopt(self, predecessor: Predecessor) -> None:
        """Go on with the connections of one that ends beside this process."""
        tasks: set[asyncio.Task[None]] = set()

        def take(connection: socket.socket) -> None:
            task = asyncio.get_running_loop().create_task(adopt(self._runner, [connection]))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        predecessor.on_connection = take

    def _hand_over(self, successor: Successor) -> None:
        """End, and let the successor go on."""
        self._successor = successor
        if not self.ending.done():
            self._begin_end()
            log.info("handing_over", pid=os.getpid())

    def _begin_end(self) -> None:
        if not self.ending.done():
            self.ending.set_result(None)

    def watch_pipe(self, pipe: int) -> None:
        """End when the other end of a pipe closes."""
        loop = asyncio.get_running_loop()

        def closed() -> None:
            loop.remove_reader(pipe)
            self.stop("the process that started it has ended")

        loop.add_reader(pipe, closed)

    def watch_signals(self) -> None:
        """The first signal drains, the second one does not wait."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # as nohup has it
            asyncio.get_running_loop().add_signal_handler(number, self._signal, number)

    def _signal(self, number: int) -> None:
        is_handing_over = self._successor is not None and not self._signalled
        if self.ending.done() and not is_handing_over:
            os._exit(_FORCED)
        self._signalled = True
        self._begin_end()
        self._bridge.drain()
        log.info("stopping", signal=signal.Signals(number).name)
        notify("STOPPING=1")


async def _listen(runner: web.AppRunner, config: Config, sockets: Sequence[socket.socket]) -> None:
    server = config.server
    try:
        if not sockets:
            await web.TCPSite(runner, server.host, server.port, backlog=BACKLOG).start()
        for listening in sockets:
            await web.SockSite(runner, listening, backlog=BACKLOG).start()
    except UnicodeError:  # no name at all, like a..b
        raise socket.gaierror(socket.EAI_NONAME, f"{server.host} is no host name") from None
