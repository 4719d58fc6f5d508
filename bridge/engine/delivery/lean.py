"""A lean HTTP/1.1 client behind Transport: kept connections, each request in one write, and little else.

docs/explanation/speed.md has the figures that it is here for.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import TYPE_CHECKING, Final

from bridge.engine.delivery.answer_bytes import Answer
from bridge.engine.delivery.connection import Connection
from bridge.engine.delivery.dialling import Dialler
from bridge.engine.delivery.request_bytes import Origin, encode
from bridge.engine.patience import Limit, Patiences
from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.providers.port import SECRET_HEADERS, Response

if TYPE_CHECKING:
    import socket

    from bridge.engine.delivery.transport import Leaving
    from bridge.providers.port import Request

_CONNECT_SECONDS: Final = 5.0
_KEEPALIVE_SECONDS: Final = 30.0
_FRESH_SECONDS: Final = 0.02
"""A connection that was idle for longer is looked at before it is used, at the price of a system call."""
_IDLE: Final = 256
"""Connections to one origin that are kept while they are idle."""


class Lean:
    """Carries requests over connections of its own.

    It bounds no connections in use: each account's Client bounds its own, so that none waits for another's.
    """

    def __init__(self, *, keepalive: float = _KEEPALIVE_SECONDS) -> None:
        """An idle connection is closed after `keepalive` seconds."""
        self._keepalive = keepalive
        self._dialler = Dialler()
        self._patiences = Patiences()
        self._origins: dict[str, Origin] = {}
        self._idle: dict[tuple[bool, str, int], deque[Connection]] = {}
        self._open: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed: asyncio.Future[None] | None = None

    async def carry(
        self, base_url: str, request: Request, seconds: float, *, leaving: Leaving | None = None
    ) -> Response:
        """One HTTP request. NotSent as long as none of its bytes has left, then OutcomeUnknown."""
        try:
            origin = self._origins.get(base_url) or self._origin(base_url)
            message = encode(origin, request)
        except ValueError as error:
            raise Rejected(f"the request cannot be sent: {error}", loggable=True) from None
        answer = Answer()
        answer.to_head = request.method == "HEAD"
        connection = None
        try:
            with Limit(self._patiences.of(seconds)):
                connection = self._take(origin) or await self._dial(origin, seconds)
                if leaving is not None:
                    await leaving()
                await connection.exchange(message, answer)
                connection.is_spent = not answer.keeps
        except TimeoutError:
            if connection is not None and connection.is_spent:
                raise OutcomeUnknown("no answer in time", loggable=True) from None
            raise NotSent("no connection in time", away=True, loggable=True) from None
        finally:
            if connection is not None:
                self._put_back(origin, connection)
        if not SECRET_HEADERS.isdisjoint(answer.headers):
            answer.headers = {name: value for name, value in answer.headers.items() if name not in SECRET_HEADERS}
        return Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def close(self) -> None:
        """Abort every connection, and carry nothing more."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._closed = asyncio.get_running_loop().create_future()
        for connection in tuple(self._open):
            connection.abort()
        if self._open:
            await self._closed

    def _origin(self, base_url: str) -> Origin:
        """Remembered: the base URLs are those of the configuration. Raises ValueError."""
        self._origins[base_url] = origin = Origin.of(base_url)
        self._idle.setdefault(origin.key, deque())
        return origin

    def _take(self, origin: Origin) -> Connection | None:
        """The idle connection that was used last."""
        idle = self._idle[origin.key]
        while idle:
            connection = idle.pop()
            rested = asyncio.get_running_loop().time() - connection.idle_since
            if connection.is_open and (rested < _FRESH_SECONDS or not connection.is_stale()):
                return connection
            connection.abort()
        return None

    def _put_back(self, origin: Origin, connection: Connection) -> None:
        idle = self._idle[origin.key]
        if connection.is_spent or not connection.is_open or len(idle) >= _IDLE:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        idle.append(connection)
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._keepalive, self._sweep)

    def _sweep(self) -> None:
        """Close what was idle for too long, and come again when the next one will have been."""
        loop = asyncio.get_running_loop()
        latest = loop.time() - self._keepalive
        for idle in self._idle.values():
            while idle and idle[0].idle_since <= latest:
                idle.popleft().abort()
        since = min((idle[0].idle_since for idle in self._idle.values() if idle), default=None)
        self._sweeper = None if since is None else loop.call_at(since + self._keepalive, self._sweep)

    async def _dial(self, origin: Origin, seconds: float) -> Connection:
        if self._closed is not None:
            raise NotSent("no connection: the client is closed", away=True, loggable=True)
        try:
            async with asyncio.timeout(min(_CONNECT_SECONDS, seconds)):
                return await self._dialler.dial(origin, self._connection)
        except TimeoutError:
            raise NotSent("no connection in time", away=True, loggable=True) from None
        except ssl.SSLError as error:
            raise NotSent(f"no secure connection: {type(error).__name__}", away=True, loggable=True) from None
        except OSError as error:
            reason = f"no connection: {error.strerror or type(error).__name__}"
            raise NotSent(reason, away=True, loggable=True) from None

    def _connection(self, sock: socket.socket) -> Connection:
        return Connection(sock, self._made, self._lost)

    def _made(self, connection: Connection) -> None:
        self._open.add(connection)
        if self._closed is not None:
            connection.abort()

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        if self._closed is not None and not self._open and not self._closed.done():
            self._closed.set_result(None)
