"""A worker's end of what binds it to its parent, and to the worker before it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from bridge.workers.words import (
    ADOPT,
    CONNECTION,
    GO,
    HAND_OVER,
    LEFT,
    LISTEN,
    MOST,
    PREPARED,
    SERVING,
    STEP_BACK,
    STOP,
    TAKE_OVER,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Link:
    """Hears the parent's words one by one: the sockets that come with a word are its own."""

    def __init__(self, descriptor: int, worker: int) -> None:
        """Take over the socket that the parent left open at `descriptor`, as that worker."""
        self.worker = worker
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)
        self._socket.setblocking(False)
        self.listening: list[socket.socket] = []
        self._listens = asyncio.Event()
        self._goes = asyncio.Event()
        self._before: Predecessor | None = None
        self.on_stop: Callable[[str], None] = lambda _: None
        """Called with the reason when the process is to end."""
        self.on_hand_over: Callable[[Successor], None] = lambda _: None
        """Called with who follows."""
        self.on_adopt: Callable[[Predecessor], None] = lambda _: None
        """Called with who ends beside this process, and gives its connections."""

    def attend(self) -> None:
        """Hear the parent from now on."""
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    async def listens(self) -> None:
        """Wait for the listening sockets."""
        await self._listens.wait()

    async def prepared(self) -> Predecessor | None:
        """Say that all is ready but the store, and wait until it may be opened; who gives its connections, if any."""
        self._say(PREPARED)
        await self._goes.wait()
        if self._before is not None:
            await self._before.left()
        return self._before

    def serves(self) -> None:
        """Say that webhooks are taken."""
        self._say(SERVING)

    def left(self) -> None:
        """Say that nothing more is accepted."""
        self._say(LEFT)

    def _say(self, word: bytes) -> None:
        with suppress(OSError):  # a parent that is gone
            self._socket.send(word)

    def _hear(self) -> None:
        try:
            word, descriptors, _, _ = socket.recv_fds(self._socket, 1, MOST)
        except BlockingIOError:
            return
        except OSError:
            word, descriptors = b"", []
        sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        if not word:
            asyncio.get_running_loop().remove_reader(self._socket)
            self.on_stop("its parent has ended")
        elif word == LISTEN:
            self.listening = sockets
            self._listens.set()
        elif word in {GO, TAKE_OVER}:
            self._before = Predecessor(sockets[0]) if sockets else None
            self._goes.set()
        elif word in {HAND_OVER, STEP_BACK}:
            self.on_hand_over(Successor(sockets[0], serves=word == STEP_BACK))
        elif word == ADOPT:
            self.on_adopt(Predecessor(sockets[0]))
        elif word == STOP:
            self.on_stop("its parent stops")


class Successor:
    """The process that goes on where this one ends: it is given the connections, and hears of the end."""

    def __init__(self, channel: socket.socket, *, serves: bool) -> None:
        """`channel` is closed by `go`, and by the end of this process. `serves`: it has the store as well by now."""
        self._channel = channel
        self.serves = serves
        channel.setblocking(False)

    def give(self, connection: int) -> bool:
        """Give it a connection, by its descriptor; False: it takes no more."""
        try:
            socket.send_fds(self._channel, [CONNECTION], [connection])
        except OSError:
            return False
        return True

    def go(self) -> None:
        """The store is free."""
        self._channel.close()


class Predecessor:
    """The process before this one, which gives its connections away."""

    def __init__(self, channel: socket.socket) -> None:
        """Take what comes from now on."""
        self._channel = channel
        channel.setblocking(False)
        self._connections: list[socket.socket] = []
        self.on_connection: Callable[[socket.socket], None] = self._connections.append
        self._gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(channel, self._take)

    async def left(self) -> None:
        """Wait until it has let go of its store, or died."""
        await self._gone.wait()

    def connections(self) -> Iterable[socket.socket]:
        """What it gave."""
        given, self._connections = self._connections, []
        return given

    def _take(self) -> None:
        try:
            word, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            word, descriptors = b"", []
        for descriptor in descriptors:
            connection = socket.socket(fileno=descriptor)
            connection.setblocking(False)
            self.on_connection(connection)
        if not word:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._channel.close()
            self._gone.set()
